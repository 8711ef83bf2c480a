"""Meters: each is what was recorded in its period, and what is leased in blocks."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, update

from placet.license.instants import rfc3339
from placet.platform.doctor.findings import Case, Change, Finding, Repair
from placet.platform.doctor.kinds import Kind
from placet.platform.doctor.ledger import referring
from placet.store import metering
from placet.store.schema import blocks, consumptions, meters
from placet.store.usage import NO_LIMIT

LEFT_AFTER = timedelta(days=1)
"""A block that has been open for longer was probably left behind."""


def examine_meters(connection: Connection, case: Case) -> list[Finding]:
    """Examine meters, consumption and blocks."""
    absurd = list(_absurd(connection))
    unsure = {finding.subject for finding in absurd}  # what adds up to what is not known of these
    return [*absurd, *_missing(connection, case), *_meters(connection, case, unsure), *_blocks(connection, case)]


def _absurd(connection: Connection) -> Iterator[Finding]:
    wrong = (consumptions.c.amount < 0) | (consumptions.c.amount > NO_LIMIT)
    for row in connection.execute(
        select(consumptions.c.feature, consumptions.c.key, consumptions.c.amount).where(wrong)
    ):
        text = f"{row.amount:,} units were consumed under the key {row.key!r}"
        yield Finding(subject=row.feature, text=text, kind=Kind.AMOUNT_ABSURD)
    used = func.coalesce(blocks.c.used, 0)
    wrong = (blocks.c.size < 0) | (blocks.c.size > NO_LIMIT) | (used < 0) | (used > blocks.c.size)
    for block in connection.execute(select(blocks).where(wrong)):
        text = f"block {block.id} is of {block.size:,} units, of which {block.used} were used"
        yield Finding(subject=block.feature, text=text, kind=Kind.AMOUNT_ABSURD)


def _missing(connection: Connection, case: Case) -> Iterator[Finding]:
    wanted = {feature.name for feature in case.product.metered} | referring(connection, meters)
    for feature in sorted(wanted - metering.meters(connection).keys()):
        yield Finding(subject=feature, text="there is no meter", kind=Kind.METER_MISSING, repair=_with_meter(feature))


def _newest_period(connection: Connection, feature: str) -> datetime | None:
    newest = [
        connection.execute(select(func.max(table.c.period_starts_at)).where(table.c.feature == feature)).scalar()
        for table in (consumptions, blocks)
    ]
    return max((when for when in newest if when is not None), default=None)


def _is_elsewhere(period_starts_at: datetime, newest: datetime | None, case: Case) -> bool:
    """A meter goes on to a period with the first consumption of it, so that the newest that is recorded is its own."""
    if newest is None:
        return period_starts_at > case.now + LEFT_AFTER
    return period_starts_at != newest


def _in_newest(feature: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        metering.lock(connection, [feature])
        meter, newest = metering.meters(connection)[feature], _newest_period(connection, feature)
        if not _is_elsewhere(meter.period_starts_at, newest, case):
            return None
        starts_at = newest or case.now
        used = max(0, _consumed(connection, feature, starts_at))
        row = update(meters).where(meters.c.feature == feature)
        connection.execute(row.values(period_starts_at=starts_at, used=used))
        before = {"period": rfc3339(meter.period_starts_at), "used": meter.used}
        return Change(before, {"period": rfc3339(starts_at), "used": used})

    return repair


def _with_meter(feature: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        if feature in metering.meters(connection):
            return None
        starts_at = _newest_period(connection, feature) or case.now
        used = max(0, _consumed(connection, feature, starts_at))
        connection.execute(insert(meters).values(feature=feature, period_starts_at=starts_at, used=used))
        return Change(None, used)

    return repair


def _meters(connection: Connection, case: Case, unsure: set[str]) -> Iterator[Finding]:
    for feature, meter in sorted(metering.meters(connection).items()):
        if feature in unsure:
            continue
        newest = _newest_period(connection, feature)
        if _is_elsewhere(meter.period_starts_at, newest, case):
            told = "nothing" if newest is None else f"the newest that was recorded is of {rfc3339(newest)}"
            text = f"the meter stands in the period of {rfc3339(meter.period_starts_at)}, and {told}"
            yield Finding(subject=feature, text=text, kind=Kind.METER_PERIOD_ABSURD, repair=_in_newest(feature))
            continue
        consumed = _consumed(connection, feature, meter.period_starts_at)
        since = rfc3339(meter.period_starts_at)
        if meter.used == consumed:
            text = f"the meter of {meter.used:,} is the sum of what was consumed since {since}"
            yield Finding(subject=feature, text=text)
        else:
            text = f"the meter says {meter.used:,}, and what was consumed since {since} adds up to {consumed:,}"
            yield Finding(subject=feature, text=text, kind=Kind.METER_DIFFERS, repair=_with_sum(feature))


def _with_sum(feature: str) -> Repair:
    def repair(connection: Connection, _: Case) -> Change | None:
        metering.lock(connection, [feature])
        meter = metering.meters(connection)[feature]
        consumed = max(0, _consumed(connection, feature, meter.period_starts_at))
        connection.execute(update(meters).where(meters.c.feature == feature).values(used=consumed))
        return None if meter.used == consumed else Change(meter.used, consumed)

    return repair


def _consumed(connection: Connection, feature: str, starts_at: datetime) -> int:
    """What was recorded in a period, with the blocks: all of an open one, what was used of a closed one."""
    recorded = select(func.coalesce(func.sum(consumptions.c.amount), 0)).where(
        consumptions.c.feature == feature, consumptions.c.period_starts_at == starts_at
    )
    leased = select(func.coalesce(func.sum(func.coalesce(blocks.c.used, blocks.c.size)), 0)).where(
        blocks.c.feature == feature, blocks.c.period_starts_at == starts_at
    )
    return sum(int(connection.execute(query).scalar_one()) for query in (recorded, leased))


def _blocks(connection: Connection, case: Case) -> Iterator[Finding]:
    left = blocks.c.closed_at.is_(None) & (blocks.c.taken_at < case.now - LEFT_AFTER)
    for row in connection.execute(select(blocks).where(left).order_by(blocks.c.id).limit(100)):
        text = f"block {row.id} of {row.size:,} units is open since {rfc3339(row.taken_at)}, held by {row.holder!r}"
        yield Finding(subject=row.feature, text=text, kind=Kind.BLOCK_LEFT_OPEN)
