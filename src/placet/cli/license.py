"""``placet license``: see, request and install the license of a server."""

from typing import Any
from urllib.parse import urlencode

import click

from placet.cli.client import Client, client_command, read_input, write_output
from placet.cli.errors import RefusedError
from placet.cli.output import (
    json_option,
    print_fields,
    print_json,
    print_notice,
    print_table,
    print_warnings,
    printable,
)

_PERIODS = {"day": "day (UTC)", "month": "month (UTC)", "term": "term of the license"}
_READ_CAP = 512 * 1024  # a license has at most half of it; the server says so


@click.group(name="license")
def license_() -> None:
    """See, request and install the license of a server."""


@license_.command()
@client_command
def status(client: Client, *, as_json: bool) -> None:
    """Show the license as it stands on the server, and what is used of it."""
    document = client.get("/api/v1/license")
    if as_json:
        print_json(document)
        return
    for notice in [*document["errors"], *document["warnings"]]:
        print_notice(notice)
    found = document["license"] or {}
    print_fields(
        [
            ("State", document["state"]),
            ("Serial number", document["serial_number"]),
            ("Licensed to", found.get("customer")),
            ("Issued by", found.get("issuer")),
            ("Issued to server", found.get("serial_number") if document["state"] == "wrong_server" else None),
            ("Expires", found.get("expires_at")),
            (
                "Grace ends",
                found.get("grace_ends_at") if found.get("grace_ends_at") != found.get("expires_at") else None,
            ),
            ("Enforcement", found.get("enforcement")),
            ("Digest", found.get("digest")),
        ]
    )
    click.echo()
    print_features(document["features"])


def print_features(features: list[dict[str, Any]]) -> None:
    """Print what the license grants, and what is used of it."""
    rows = []
    for feature in features:
        if feature["kind"] == "switch":
            rows.append((feature["title"], "on" if feature["licensed"] else "off", "", ""))
        else:
            limit = "unlimited" if feature["limit"] is None else str(feature["limit"])
            rows.append((feature["title"], limit, str(feature["used"]), _standing(feature)))
    print_table(["Feature", "Allowed", "Used", ""], rows, empty="The product has no features.")


def _standing(feature: dict[str, Any]) -> str:
    """How usage stands to what is allowed, in words."""
    limit, used, within = feature["limit"], feature["used"], "within limit" if feature["licensed"] else "not licensed"
    if feature["kind"] == "limit":
        return "over limit" if feature["exceeded"] else "tolerated" if feature["over_limit"] else within
    if not feature["licensed"]:
        return within
    standing = "within limit" if limit is None or used < limit else "limit reached" if used == limit else "tolerated"
    if feature["kind"] == "metered" and feature["period_ends_at"] is not None:
        return f"{standing}; from zero again at {feature['period_ends_at']}"
    return standing


@license_.command()
@click.option("--out", metavar="FILE", help="Where the request goes; standard output otherwise.")
@click.option(
    "--want", metavar="NAME[=N]", multiple=True, help="A feature to ask for: run, or software_units=50; repeat it."
)
@click.option("--until", metavar="WHEN", help="Until when it is wanted: 2028-12-31, or an RFC 3339 instant.")
@click.option("--wishes", metavar="TEXT", help="What else the vendor should know, 1,000 characters at most.")
@client_command
def request(
    client: Client, *, out: str | None, want: tuple[str, ...], until: str | None, wishes: str | None, as_json: bool
) -> None:
    """Write the server's signed request for a license, to be sent to the vendor."""
    said = [
        *(("want", text) for text in want),
        *(("until", until),) * bool(until),
        *(("wishes", wishes),) * bool(wishes),
    ]
    query = f"?{urlencode(said)}" if said else ""
    data = client.download(f"/api/v1/license/request{query}")
    write_output(out, data)
    if out is not None and out != "-":
        if as_json:
            print_json({"file": out})
        else:
            click.echo(f"Wrote {click.format_filename(out)}. Send it to the vendor.")


@license_.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--trust", metavar="FILE", type=click.Path(exists=True), help="The vendor's trust store, to verify with.")
@json_option
def show(file: str, *, trust: str | None, as_json: bool) -> None:
    """Show what a license file says, without a server."""
    from placet.cli.license_file import read_license_file  # noqa: PLC0415

    document = read_license_file(read_input(file, _READ_CAP), None if trust is None else read_input(trust, _READ_CAP))
    if not isinstance(document, dict):
        raise RefusedError(printable(document.detail), document=document.document())
    if as_json:
        print_json(document)
        return
    if not document["verified"]:
        click.echo(
            "Not verified: anybody could have written this. Name the vendor's trust store with --trust.", err=True
        )
    features = document["features"].items()
    print_fields(
        [(name.replace("_", " ").capitalize(), value) for name, value in document.items() if name != "features"]
    )
    click.echo()
    rows = [
        (name, grant["kind"], _granted(grant), f"{grant.get('tolerance_percent', 0)} %") for name, grant in features
    ]
    print_table(["Feature", "Kind", "Granted", "Tolerance"], rows, empty="The license names no features.")


def _granted(grant: dict[str, Any]) -> str:
    """What a license grants of a feature, in words."""
    kind, limit = grant["kind"], grant.get("limit")
    if limit is None:
        return "on" if kind == "switch" else "unknown here"
    if kind == "metered":
        return f"up to {limit:,} in each {_PERIODS.get(str(grant.get('period')), 'period of the product')}"
    return f"up to {limit:,} {'at the same time' if kind == 'seats' else 'in use'}"


@license_.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@click.option("--acknowledge", is_flag=True, help="Install it although operations allowed now would be refused.")
@client_command
def install(client: Client, file: str, *, dry_run: bool, acknowledge: bool, as_json: bool) -> None:
    """Install a license file. Refused, the license before stays in force."""
    flags = {"dry_run": dry_run, "acknowledge": acknowledge}
    _show_outcome(
        client.call("PUT", "/api/v1/license", content=read_input(file, _READ_CAP), flags=flags), as_json=as_json
    )


@license_.command()
@client_command
def history(client: Client, *, as_json: bool) -> None:
    """List the licenses that were installed on the server, newest first."""
    entries = client.entries("/api/v1/license/history")
    if as_json:
        print_json(entries)
        return
    rows = [
        (item["id"], item["in_force"], item["customer"], item["expires_at"], item["installed_at"], item["installed_by"])
        for item in entries
    ]
    headings = ["Id", "In force", "Customer", "Expires", "Installed", "By"]
    print_table(headings, rows, empty="No license has been installed.")


@license_.command()
@click.argument("license_id", metavar="[ID]", required=False, type=click.IntRange(min=1, max=2**53))
@click.option("--out", metavar="FILE", help="Where the license goes; standard output otherwise.")
@client_command
def backup(client: Client, license_id: int | None, *, out: str | None, as_json: bool) -> None:
    """Write a license file of the history, ID, or the one in force, as it was installed."""
    if license_id is None:
        entries = client.entries("/api/v1/license/history")
        license_id = next((int(entry["id"]) for entry in entries if entry["in_force"]), None)
    if license_id is None:
        raise RefusedError("No license is installed on this server. There is nothing to write.")
    write_output(out, client.download(f"/api/v1/license/history/{license_id}"))
    if out is not None and out != "-":
        if as_json:
            print_json({"file": out, "id": license_id})
        else:
            click.echo(f"Wrote license {license_id} of the history to {click.format_filename(out)}.")


@license_.command()
@click.argument("license_id", metavar="ID", type=click.IntRange(min=1, max=2**53))
@click.option("--acknowledge", is_flag=True, help="Restore it although operations allowed now would be refused.")
@client_command
def restore(client: Client, license_id: int, *, acknowledge: bool, as_json: bool) -> None:
    """Put a license of the history in force again."""
    body = {"id": license_id, "acknowledge": acknowledge}
    _show_outcome(client.call("POST", "/api/v1/license/restore", body=body), as_json=as_json)


@license_.command(name="status-list")
@click.argument("file", type=click.Path(allow_dash=True))
@client_command
def status_list(client: Client, file: str, *, as_json: bool) -> None:
    """Install the vendor's signed list of revoked licenses."""
    document = client.call("PUT", "/api/v1/license/status-list", content=read_input(file, _READ_CAP))
    if as_json:
        print_json(document)
    else:
        revoked = len(document["revoked"])
        click.echo(f"Installed status list {document['sequence']} with {revoked} revoked. State: {document['state']}.")


def _show_outcome(outcome: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
        return
    found, changes = outcome["license"], outcome["changes"]
    what = "Installed" if outcome["installed"] else "Nothing was changed. This would be installed:"
    click.echo(f"{what} the license of {found['customer']} by {found['issuer']}, valid until {found['expires_at']}.")
    rows = [(item["title"], item["before"], item["after"], item["effect"]) for item in changes["features"]]
    print_table(["Feature", "Before", "After", "Effect"], rows, empty="No feature changes.")
    for name in changes["unknown_features"]:
        click.echo(f"Warning: this server knows no feature {name!r}; a typing error in the license?", err=True)
    for refusal in changes["blocked"]:
        click.echo(f"Warning: {refusal['operation']} would be refused: {refusal['diagnosis']}", err=True)
    print_warnings([*outcome["errors"], *outcome["warnings"]])
