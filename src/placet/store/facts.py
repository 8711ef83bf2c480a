"""Everything that bears on the license, read from the database as the rules' :class:`Facts`.

The stored license is verified again whenever it is read: its signed bytes are the truth, not the columns beside them.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from placet.enforcement.status import Facts, Meter
from placet.license.diagnosis import DocumentRejected, Rejection
from placet.license.document import License, examine
from placet.license.keys import TrustStore
from placet.license.status_list import Revocation, verify_status_list
from placet.store import licenses, metering, usage
from placet.store.current import CURRENT
from placet.store.hot import Call, together
from placet.store.installation import Installation, read_installation
from placet.store.schema import instant


class StoredFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts, and the installation's row they were read with."""

    facts: Facts
    installation: Installation


def read_facts(connection: Connection, trust: TrustStore, known: StoredFacts | None = None) -> StoredFacts:
    """Read the facts; where ``known`` has the same revision, its verified license is taken over."""
    return read_with(connection, trust, known, (), ())[0]


def read_with(
    connection: Connection, trust: TrustStore, known: StoredFacts | None, first: Sequence[Call], then: Sequence[Call]
) -> tuple[StoredFacts, list[Any]]:
    """Read the facts between other statements, all in one round trip; answers the cursors of those that follow.

    ``first`` are locks: what is read is as true as they make it.
    """
    cursors = together(connection, [*first, (CURRENT, ()), *then])
    rows, others = cursors[len(first)].fetchall(), cursors[len(first) + 1 :]
    if known is not None and rows[0][2] == known.installation.revision:
        return _with(known, rows), others
    row = read_installation(connection)
    found = _license(connection, row, trust)
    facts = Facts(
        serial_number=row.serial_number,
        license=found,
        usage=usage.usage(connection),
        meters=metering.meters(connection),
        revocation=find_revocation(row, found, trust),
        newest_moment=row.newest_moment,
        evaluation_started_at=evaluation_start(row, found),
    )
    return StoredFacts(facts=facts, installation=row), others


def _with(known: StoredFacts, rows: Sequence[tuple[int, str, int, int | None]]) -> StoredFacts:
    """What is known, with what changes without a revision; itself where nothing has."""
    newest, used, meters = known.facts.newest_moment, {}, {}
    for kind, feature, value, moment in rows:
        if kind == 1:
            used[feature] = value
        elif moment is not None:
            if kind == 0:
                newest = instant(moment)
            else:
                meters[feature] = Meter(instant(moment), value)
    facts = known.facts
    if used == facts.usage and meters == facts.meters and newest == facts.newest_moment:
        return known
    facts = msgspec.structs.replace(facts, usage=used, meters=meters, newest_moment=newest)
    installation = known.installation
    if newest != installation.newest_moment:
        installation = msgspec.structs.replace(installation, newest_moment=newest)
    return StoredFacts(facts=facts, installation=installation)


def _license(connection: Connection, row: Installation, trust: TrustStore) -> License | Rejection | None:
    if row.license_id is None:
        return None
    stored = licenses.read_license(connection, row.license_id)
    return None if stored is None else examine(stored.signed.encode(), trust)


def find_revocation(row: Installation, found: License | Rejection | None, trust: TrustStore) -> Revocation | None:
    """Answer the revocation of a license by the status list the server holds."""
    if row.status_list is None or not isinstance(found, License):
        return None
    try:
        return verify_status_list(row.status_list.encode(), trust).content.find(found.terms.jti)
    except DocumentRejected:  # signed by a key that is trusted no longer: it says nothing any more
        return None


def evaluation_start(row: Installation, found: License | Rejection | None) -> datetime | None:
    """Answer when the evaluation of this installation began, if ``found`` is one: there is one, whichever it is."""
    if isinstance(found, License) and found.terms.evaluation_seconds is not None:
        return row.evaluation_started_at
    return None
