"""Proves that an installation's facts hold together: sums, signed bytes, files."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing

import msgspec
from sqlalchemy import Connection

from placet.license.diagnosis import DocumentRejected
from placet.license.jws import read_envelope
from placet.platform.build import MODULE
from placet.platform.layout import Layout
from placet.platform.product import SOFTWARE_UNITS, USERS
from placet.store import licenses, metering, modules, usage, users
from placet.store.database import Database
from placet.store.installation import read_installation


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was examined, and whether it is as it has to be."""

    subject: str
    text: str
    ok: bool = True


def examine(database: Database, layout: Layout) -> list[Finding]:
    """Examine everything; nothing is changed."""
    with database.read() as connection:
        return [
            *_sums(connection),
            *_holders(connection),
            _license(connection),
            *_modules(connection, layout),
        ]


def _sums(connection: Connection) -> list[Finding]:
    """Every total is the sum of its allocations, every meter of what was consumed in its period."""
    counted = {feature: meter.used for feature, meter in metering.meters(connection).items()}
    return [
        *_summed(usage.usage(connection), usage.drifts(connection), "allocations"),
        *_summed(counted, metering.drifts(connection), "consumption and blocks"),
    ]


def _summed(counted: Mapping[str, int], drifts: list[usage.Drift], what: str) -> Iterator[Finding]:
    wrong = {drift.feature: drift for drift in drifts}
    for feature, used in sorted(counted.items()):
        drift = wrong.get(feature)
        if drift is None:
            yield Finding(subject=feature, text=f"the total of {used} is the sum of its {what}")
        else:
            text = f"the total is {drift.total}, and its {what} add up to {drift.sum}"
            yield Finding(subject=feature, text=text, ok=False)


def _holders(connection: Connection) -> list[Finding]:
    """Modules and active users hold exactly what they account for."""
    active = modules.active_versions(connection)
    seats = {user.name: 1 for user in users.all_users(connection, most=1_000_000) if user.active}
    expected = {SOFTWARE_UNITS: {version.module: version.units for version in active}, USERS: seats}
    findings = []
    for feature, wanted in expected.items():
        held = {item.holder: item.amount for item in usage.allocations_of(connection, feature, most=1_000_000)}
        wrong = sorted(name for name in held.keys() | wanted.keys() if held.get(name, 0) != wanted.get(name, 0))
        text = f"each of {len(wanted)} holders holds what it accounts for"
        if wrong:
            name = wrong[0]
            text = (
                f"{name!r} holds {held.get(name, 0)} and accounts for {wanted.get(name, 0)}; {len(wrong)} such in all"
            )
        findings.append(Finding(subject=feature, text=text, ok=not wrong))
    return findings


def _license(connection: Connection) -> Finding:
    """The license in force is there, and still the document that was installed."""
    row = read_installation(connection)
    if row.license_id is None:
        return Finding(subject="license", text="none is installed")
    stored = licenses.read_license(connection, row.license_id)
    try:
        whole = stored is not None and bool(read_envelope(stored.signed.encode()))
    except DocumentRejected as error:
        return Finding(subject="license", text=f"its signed bytes are damaged: {error}", ok=False)
    text = "its signed bytes are a whole document" if whole else f"entry {row.license_id} of the history is missing"
    return Finding(subject="license", text=text, ok=whole)


def _modules(connection: Connection, layout: Layout) -> list[Finding]:
    """Each published version has its files, and each module database is sound."""
    findings = []
    for version in modules.active_versions(connection):
        there = (layout.version(version.module, version.id) / MODULE / "module.toml").is_file()
        text = f"version {version.version} has its files" if there else f"the files of {version.version} are missing"
        findings.append(Finding(subject=f"module {version.module}", text=text, ok=there))
    for path in sorted(layout.databases.glob("*.sqlite3")):
        answer = _integrity(str(path))
        findings.append(Finding(subject=f"database {path.stem}", text=answer, ok=answer == "ok"))
    return findings


def _integrity(path: str) -> str:
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return json.dumps(str(error))
