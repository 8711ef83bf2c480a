"""``placet vendor``: keys, licenses, revocations and the ledger, in the vendor's own directory.

Everything that takes time to import is imported inside the commands, so that ``--help`` answers at once.
"""
# ruff: noqa: PLC0415 - see above

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from placet.cli.errors import FailedError, RefusedError
from placet.cli.output import json_option
from placet.cli.vendor_output import (
    drop_unwritten_output,
    hand_out,
    show_issued,
    show_ledger,
    show_new_key,
    show_revoked,
    show_warnings,
)

if TYPE_CHECKING:
    from placet.license.keys import SigningKey
    from placet.license.request import LicenseRequest
    from placet.license.terms import Grant
    from placet.vendor.issue import Order
    from placet.vendor.keystore import Vendor

PASSPHRASE = "PLACET_VENDOR_PASSPHRASE"  # noqa: S105 - the name of the variable, not what it holds
_YEAR = timedelta(days=365)

_directory = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
_out = click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Where the file goes.")
_force = click.option("--force", is_flag=True, help="Replace whatever --out names, not only an older signed file.")
_passphrase = click.option(
    "--passphrase", "ask", is_flag=True, help=f"Ask for a passphrase for the new key, instead of {PASSPHRASE}."
)


@click.group()
def vendor() -> None:
    """Issue and revoke licenses, look after the keys, see what was issued."""


@contextlib.contextmanager
def exit_statuses() -> Iterator[None]:
    """Turn what the vendor's side raises into an exit status and its message."""
    from placet.vendor.failures import Failed, Mistaken, Refused

    try:
        yield
    except Mistaken as error:
        raise click.UsageError(str(error), click.get_current_context(silent=True)) from None
    except Refused as error:
        raise RefusedError(str(error)) from None
    except Failed as error:
        raise FailedError(str(error)) from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever reads has read enough; click knows what to do
            raise
        drop_unwritten_output()
        where = f"{click.format_filename(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        raise FailedError(f"{where}{error.strerror or error}.") from None


@vendor.command()
@_directory
@click.option("--name", required=True, help="Your name, as licenses and messages show it.")
@_passphrase
@json_option
@exit_statuses()
def init(directory: Path, name: str, *, ask: bool, as_json: bool) -> None:
    """Make a key, a ledger and a trust store.

    The trust store is what customers get.

    The key is protected by a passphrase if PLACET_VENDOR_PASSPHRASE holds one, or if --passphrase asks for one.
    """
    from placet.vendor.keystore import create_vendor

    made = create_vendor(directory, name, _new_passphrase(ask=ask), datetime.now(UTC))
    show_new_key(made, f"Made the vendor {made.name}", as_json=as_json)


@vendor.command()
@_directory
@_passphrase
@json_option
@exit_statuses()
def rotate(directory: Path, *, ask: bool, as_json: bool) -> None:
    """Make a new key and sign with it.

    Licenses signed by the old keys stay valid.

    Give customers the new trust store before they get licenses signed by the new key.
    """
    from placet.vendor.keystore import open_vendor
    from placet.vendor.keystore import rotate as rotate_keys

    opened = open_vendor(directory)
    passphrase = _new_passphrase(ask=ask)
    if opened.is_protected() and not ask:
        if passphrase is None:
            raise RefusedError(
                f"The key in use is protected by a passphrase. Set {PASSPHRASE}, or add --passphrase to be asked."
            )
        opened.unlock(passphrase)  # nobody confirmed it: it is the right one if it opens the key in use
    rotated = rotate_keys(opened, passphrase, datetime.now(UTC))
    show_new_key(rotated, f"{rotated.name} signs with a new key", as_json=as_json)


@vendor.command()
@_directory
@click.option(
    "--request",
    "request_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The license request of the server it is for.",
)
@click.option("--serial", metavar="SERIAL", help="The serial number of the server it is for.")
@click.option(
    "--as-requested", is_flag=True, help="Grant what the request asks for, until when it asks; other options go first."
)
@click.option("--customer", metavar="NAME", required=True, help="Who the license is issued to.")
@click.option("--expires", metavar="WHEN", help="2027-12-31 (its end, UTC), 2027-12-31T18:00:00Z, or 365d from now.")
@click.option("--not-before", metavar="WHEN", help="When it starts: a date (its beginning, UTC), or as --expires.")
@click.option("--grace", metavar="DURATION", help="How long it warns after expiry before it refuses, such as 30d.")
@click.option("--feature", "features", metavar="NAME", multiple=True, help="A feature that is switched on; repeat it.")
@click.option("--limit", "limits", metavar="NAME=N", multiple=True, help="A feature up to N; repeat it.")
@click.option("--seats", metavar="NAME=N", multiple=True, help="A feature used by N at the same time; repeat it.")
@click.option(
    "--metered",
    metavar="NAME=N[/PERIOD]",
    multiple=True,
    help="Up to N in each day, month or term of the license, such as test-queries=500/month; repeat it.",
)
@click.option(
    "--tolerance", "tolerances", metavar="NAME=10%", multiple=True, help="How far past a limit it warns only."
)
@click.option("--enforcement", type=click.Choice(["strict", "per-feature"]), default="strict", show_default=True)
@click.option("--evaluation", metavar="DURATION", help="An evaluation, this long from its first installation.")
@click.option("--edition", metavar="TEXT", help="The name of what was bought.")
@click.option("--contact", metavar="TEXT", help="Where the customer asks for a new license.")
@click.option("--replaces", metavar="JTI", help="The license before this one.")
@_out
@_force
@json_option
@exit_statuses()
def issue(directory: Path, *, out: Path | None, force: bool, as_json: bool, **words: Any) -> None:
    """Issue a license, to --out or to standard output.

    With --json and without --out, the license is the member `license` of what is printed.
    """
    from placet.platform.product import PLATFORM_SERVER
    from placet.vendor import issue as issuing
    from placet.vendor.files import PUBLIC, is_signed_file, reserve
    from placet.vendor.keystore import open_vendor

    now = datetime.now(UTC)
    opened = open_vendor(directory)
    order = _order(words, now)
    issuing.check_order(order)
    key, known = _unlock(opened), PLATFORM_SERVER.by_name
    if out is None or str(out) == "-":
        issued, out = issuing.issue(opened, key, order, now, known_features=known), None
        if not as_json:
            hand_out(issued, lambda data: click.echo(data, nl=False))
    else:
        with reserve(
            out, mode=PUBLIC, replace=force or is_signed_file(out)
        ) as write:  # before the ledger says that it was issued
            name = click.format_filename(out.name)
            issued = issuing.issue(opened, key, order, now, file=name, known_features=known)
            hand_out(issued, write)
    show_warnings(issued.warnings)
    show_issued(issued, out, as_json=as_json)


@vendor.command(name="request")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@exit_statuses()
def show_request(file: Path, *, as_json: bool) -> None:
    """Show what the license request FILE says: which server, what it uses, and what its administrator asks for."""
    from placet.cli.vendor_output import show_request as show

    show(*_read_request(file), as_json=as_json)


@vendor.command()
@_directory
@click.argument("jti")
@click.option("--reason", metavar="TEXT", required=True, help="Why, in words the customer will see.")
@_out
@_force
@json_option
@exit_statuses()
def revoke(directory: Path, jti: str, *, reason: str, out: Path | None, force: bool, as_json: bool) -> None:
    """Revoke the license JTI.

    A new status list of all revoked licenses is signed, to status-list.json in DIR and to --out.
    """
    from placet.vendor.files import PUBLIC, is_signed_file, reserve
    from placet.vendor.keystore import open_vendor
    from placet.vendor.revoke import revoke as revoke_license

    opened = open_vendor(directory)
    key = _unlock(opened)
    with contextlib.ExitStack() as stack:
        write = None
        if out is not None:
            write = stack.enter_context(reserve(out, mode=PUBLIC, replace=force or is_signed_file(out)))
        revoked = revoke_license(opened, key, jti, reason, datetime.now(UTC))
        if write is not None:
            write(revoked.status_list.signed.encode() + b"\n")
    show_revoked(revoked, [opened.status_list_path, *([out] if out is not None else [])], as_json=as_json)


@vendor.command()
@_directory
@click.option("--repair", is_flag=True, help="Set a last line that a crash left torn aside, into a file of its own.")
@json_option
@exit_statuses()
def ledger(directory: Path, *, repair: bool, as_json: bool) -> None:
    """List what was issued and revoked.

    It is verified first: nobody changed an entry since it was written.
    """
    from placet.vendor.keystore import open_vendor

    opened = open_vendor(directory)
    if repair and (aside := opened.ledger.repair()):
        click.echo(f"The torn last line was set aside: {click.format_filename(aside)}", err=True)
    show_ledger(opened.name, opened.ledger.read(), as_json=as_json)


def _order(words: dict[str, Any], now: datetime) -> "Order":
    from placet.license.terms import Enforcement
    from placet.vendor import words as read
    from placet.vendor.issue import Order

    serial_number, server_key, wanted = _server(words["request_file"], words["serial"])
    if not words["as_requested"]:
        wanted = Wanted()
    elif words["request_file"] is None:
        raise click.UsageError("--as-requested grants what a request asks for. Add --request FILE.")
    evaluation = read.evaluation_period(words["evaluation"]) if words["evaluation"] is not None else None
    expires_at = read.end("--expires", words["expires"], now) if words["expires"] is not None else wanted.until
    if expires_at is None and evaluation is None:
        raise click.UsageError("Say when the license expires: --expires WHEN (or --evaluation 30d).")
    return Order(
        serial_number=serial_number,
        server_key=server_key,
        customer=read.one_line("customer", words["customer"], 200),
        expires_at=now + _YEAR if expires_at is None else expires_at,
        starts_at=read.beginning("--not-before", words["not_before"], now) if words["not_before"] is not None else None,
        grace=read.duration("--grace", words["grace"]) if words["grace"] is not None else timedelta(0),
        features=read.grants(
            words["features"],
            words["limits"],
            words["tolerances"],
            seats=words["seats"],
            metered=words["metered"],
            requested=wanted.features,
        ),
        enforcement=Enforcement(words["enforcement"]),
        evaluation=evaluation,
        edition=read.one_line("edition", words["edition"], 200) if words["edition"] is not None else None,
        contact=read.one_line("contact", words["contact"], 1000) if words["contact"] is not None else None,
        replaces=read.one_line("replaced jti", words["replaces"], 200) if words["replaces"] is not None else None,
    )


class Wanted(NamedTuple):
    """What a request asks for."""

    features: "Mapping[str, Grant]" = MappingProxyType({})
    until: datetime | None = None


def _server(request_file: Path | None, serial: str | None) -> tuple[str, str | None, Wanted]:
    """Answer the serial number of the server to license; of its request, its key's thumbprint and what it asks for."""
    from placet.license.instants import from_numeric_date
    from placet.license.serial import SerialNumberError, parse

    if serial is not None and request_file is None:
        try:
            return parse(serial), None, Wanted()
        except SerialNumberError as error:
            raise click.UsageError(f"--serial: {error}") from None
    if request_file is None or serial is not None:
        raise click.UsageError("Say which server it is for: either --request FILE or --serial SERIAL.")
    request, thumbprint = _read_request(request_file)
    until = None if request.wanted_until is None else from_numeric_date(request.wanted_until)
    return parse(request.serial_number), thumbprint, Wanted(request.wanted, until)


def _read_request(request_file: Path) -> "tuple[LicenseRequest, str]":
    from placet.license.diagnosis import DocumentRejected
    from placet.license.jws import SIZE_CAP
    from placet.license.request import verify_request

    with request_file.open("rb") as file:
        data = file.read(SIZE_CAP + 1)
    try:
        return verify_request(data)
    except DocumentRejected as error:
        again = f"{click.format_filename(request_file)} was not accepted ({error.rejection.diagnosis})."
        raise RefusedError(f"{error}\n{again} Ask the customer to send the request file again.") from None


def _environment_passphrase() -> bytes | None:
    return os.fsencode(os.environ.get(PASSPHRASE, "")) or None


def _new_passphrase(*, ask: bool) -> bytes | None:
    if not ask:
        return _environment_passphrase()
    if not sys.stdin.isatty():
        raise RefusedError(f"There is no terminal to ask for a passphrase on. Set {PASSPHRASE} instead.")
    return _asked("Passphrase for the new key", confirm=True)


def _unlock(opened: "Vendor") -> "SigningKey":
    passphrase = _environment_passphrase()
    if passphrase is None and opened.is_protected():
        if not sys.stdin.isatty():
            raise RefusedError(
                f"The vendor's key is protected by a passphrase. Set {PASSPHRASE}, or run this on a "
                "terminal to be asked."
            )
        passphrase = _asked("Passphrase of the vendor's key", confirm=False)
    return opened.unlock(passphrase)


def _asked(what: str, *, confirm: bool) -> bytes:
    return os.fsencode(str(click.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True)))
