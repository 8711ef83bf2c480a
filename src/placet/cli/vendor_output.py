"""What ``placet vendor`` prints: short and aligned for people, JSON for programs."""
# ruff: noqa: PLC0415 - what takes time to import is imported where it is needed

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from placet.cli.errors import FailedError
from placet.cli.output import counted

if TYPE_CHECKING:
    from placet.license.request import LicenseRequest
    from placet.license.terms import Grant, Terms
    from placet.vendor.issue import Issued
    from placet.vendor.keystore import Vendor
    from placet.vendor.ledger import Entry, LedgerContents
    from placet.vendor.revoke import Revoked


def hand_out(issued: "Issued", write: Callable[[bytes], object]) -> None:
    """Hand the license file to ``write``; where that fails, say that the ledger counts it as issued all the same."""
    from placet.vendor.failures import Refused

    try:
        write(issued.signed)
    except (OSError, Refused) as error:
        drop_unwritten_output()
        reason = str(error.strerror) if isinstance(error, OSError) else str(error)
        raise FailedError(
            f"The license was signed, but could not be written: {reason.rstrip('.')}. "
            f"Entry {issued.entry.sequence} of the ledger records it as issued. Issue it again."
        ) from None


def drop_unwritten_output() -> None:
    """Let go of what standard output did not take, so that the interpreter does not try once more when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_warnings(warnings: Sequence[str]) -> None:
    """Write warnings to standard error."""
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)


def show_new_key(vendor: "Vendor", headline: str, *, as_json: bool) -> None:
    """Tell of a new key: where it is, whether it is protected, and what customers get."""
    protected = vendor.is_protected()
    if as_json:
        _print_json(
            {
                "name": vendor.name,
                "directory": str(vendor.directory),
                "kid": vendor.active_kid,
                "key": str(vendor.key_path),
                "protected": protected,
                "trust": str(vendor.trust_path),
            }
        )
        return
    rows = [
        ("private key", f"{vendor.key_path}, {'' if protected else 'not '}protected by a passphrase"),
        ("trust store", f"{vendor.trust_path}, for customers (public)"),
    ]
    _print_rows(headline, rows)


def show_request(request: "LicenseRequest", thumbprint: str, *, as_json: bool) -> None:
    """Tell what a license request says, and which key signed it."""
    import msgspec

    from placet.license.instants import from_numeric_date, rfc3339

    asked_at = rfc3339(from_numeric_date(request.iat))
    until = None if request.wanted_until is None else rfc3339(from_numeric_date(request.wanted_until))
    if as_json:
        known = {"requested_at": asked_at, "server_key": thumbprint, "wanted_until": until}
        members: dict[str, Any] = msgspec.to_builtins(request)
        _print_json({name: value for name, value in members.items() if name not in {"iat", "version"}} | known)
        return
    rows = [
        ("serial number", request.serial_number),
        ("product", f"{request.product} {request.product_version}"),
        ("installed", request.installed or "no license"),
        ("in use", ", ".join(f"{name} {used:,}" for name, used in request.usage.items()) or "nothing"),
        ("wanted", granted(request.wanted)),
        ("until", until or "not said"),
        ("wishes", " ".join((request.wishes or "none").split())),
        ("server's key", thumbprint),
    ]
    _print_rows(f"Request of {asked_at}", rows)


def show_issued(issued: "Issued", out: Path | None, *, as_json: bool) -> None:
    """Tell of an issued license; on standard error where standard output has the license itself."""
    if as_json:
        _print_json(_issued_members(issued, out))
        return
    terms = issued.terms
    rows = [
        ("jti", terms.jti),
        ("serial number", terms.serial_number),
        *_period(terms),
        ("features", granted(terms.features)),
        ("enforcement", str(terms.enforcement)),
    ]
    if out is not None:
        rows.append(("file", click.format_filename(out)))
    _print_rows(f"Issued license {terms.sequence} to {terms.customer}", rows, err=out is None)


def show_revoked(revoked: "Revoked", files: Sequence[Path], *, as_json: bool) -> None:
    """Tell of a revoked license and where the new status list is."""
    entry, status_list = revoked.entry, revoked.status_list
    if as_json:
        _print_json(
            {
                "jti": entry.jti,
                "serial_number": entry.serial_number,
                "customer": entry.customer,
                "revoked_at": entry.at,
                "reason": entry.reason,
                "already": revoked.already,
                "sequence": status_list.content.sequence,
                "digest": status_list.digest,
                "revoked": len(status_list.content.revoked),
                "files": [click.format_filename(path) for path in files],
            }
        )
        return
    rows = [
        ("jti", str(entry.jti)),
        ("serial number", str(entry.serial_number)),
        ("revoked", entry.at),
        ("reason", str(entry.reason)),
        ("status list", f"{len(status_list.content.revoked)} revoked, sequence {status_list.content.sequence}"),
        *(("file", click.format_filename(path)) for path in files),
    ]
    already = "It was revoked already: the" if revoked.already else "Revoked the"
    _print_rows(f"{already} license of {entry.customer}", rows)


def show_ledger(name: str, contents: "LedgerContents", *, as_json: bool) -> None:
    """List the ledger, oldest entry first."""
    if as_json:
        import msgspec

        entries = msgspec.to_builtins(contents.entries)
        _print_json({"vendor": name, "verified": True, "head": contents.head, "entries": entries})
        return
    table = [("#", "at", "what", "serial number", "jti or key", "customer"), *map(_ledger_row, contents.entries)]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)]
        click.echo("  ".join([*cells, row[5]]).rstrip())
    number = len(contents.entries)
    entries = "1 entry, not" if number == 1 else f"{number:,} entries, none"
    click.echo(f"{entries} changed since it was written. Head {contents.head}")


def _issued_members(issued: "Issued", out: Path | None) -> dict[str, Any]:
    from placet.license.instants import rfc3339

    terms, starts_at = issued.terms, issued.terms.starts_at()
    members = {
        "jti": terms.jti,
        "sequence": terms.sequence,
        "serial_number": terms.serial_number,
        "customer": terms.customer,
        "digest": issued.entry.digest,
        "kid": issued.entry.kid,
        "file": None if out is None else click.format_filename(out),
        "issued_at": issued.entry.at,
        "starts_at": None if starts_at is None else rfc3339(starts_at),
        "expires_at": rfc3339(terms.expires_at()),
        "grace_ends_at": rfc3339(terms.grace_ends_at()),
        "evaluation_seconds": terms.evaluation_seconds,
        "warnings": list(issued.warnings),
    }
    return members if out is not None else members | {"license": issued.signed.decode()}


def _period(terms: "Terms") -> list[tuple[str, str]]:
    from placet.license.instants import rfc3339

    rows = []
    if (starts_at := terms.starts_at()) is not None:
        rows.append(("starts", rfc3339(starts_at)))
    if terms.evaluation_seconds is not None:
        rows.append(("evaluation", f"{_span(terms.evaluation_seconds)} from its first installation"))
    rows.append(("expires", rfc3339(terms.expires_at())))
    if terms.grace_until is not None:
        rows.append(("grace until", rfc3339(terms.grace_ends_at())))
    return rows


def _span(seconds: int) -> str:
    units = (("day", 86_400), ("hour", 3600), ("second", 1))
    return next(counted(seconds // size, unit) for unit, size in units if seconds % size == 0)


def granted(features: "Mapping[str, Grant]") -> str:
    """Answer grants in one line."""
    said = []
    for name, grant in features.items():
        limit = "" if grant.limit is None else f" {grant.limit:,}"
        tolerance = f" (+{grant.tolerance_percent}%)" if grant.tolerance_percent else ""
        period = f" per {grant.period}" if grant.period else ""
        said.append(f"{name}{limit}{period}{tolerance}")
    return ", ".join(said) or "none"


def _ledger_row(entry: "Entry") -> tuple[str, ...]:
    return (
        str(entry.sequence),
        entry.at,
        str(entry.kind).replace("_", " "),
        entry.serial_number or "",
        entry.jti or entry.kid,
        entry.customer or "",
    )


def _print_rows(headline: str, rows: Sequence[tuple[str, str]], *, err: bool = False) -> None:
    click.echo(headline, err=err)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"  {name.ljust(width)}  {value}", err=err)


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
