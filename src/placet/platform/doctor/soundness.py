"""The database as a file, and the usage of the past."""

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Numeric,
    Table,
    cast,
    delete,
    func,
    or_,
    select,
    type_coerce,
)

from placet.platform.doctor.findings import Case, Change, Finding, Repair
from placet.platform.doctor.kinds import Kind
from placet.store import dialects
from placet.store.history import DAY, HOUR
from placet.store.installation import lock_installation
from placet.store.schema import holder_days, meter_periods, usage_days, usage_samples

TELLS = {
    meter_periods: "periods that have ended",
    usage_samples: "hours",
    usage_days: "days",
    holder_days: "days of holders",
}


def examine_soundness(connection: Connection) -> list[Finding]:
    """Examine what lies below the tables, where the database does not look after that itself."""
    damage = dialects.damage(connection)
    if not damage:
        return [Finding(subject="database", text="it is sound")]
    text = f"{len(damage):,} places are damaged: {damage[0]}"
    return [Finding(subject="database", text=text, kind=Kind.DATABASE_DAMAGED)]


def examine_history(connection: Connection, case: Case) -> Iterator[Finding]:
    """Examine the usage of the past: numbers that no sampling makes."""
    for table, told in TELLS.items():
        count = connection.execute(select(func.count()).select_from(table).where(_absurd(table, case))).scalar_one()
        if count:
            yield Finding(
                subject="usage over time",
                text=f"{count:,} rows of {told} say what cannot have been",
                kind=Kind.HISTORY_ABSURD,
                repair=_without_absurd(table),
            )


def _absurd(table: Table, case: Case) -> ColumnElement[bool]:
    if table is meter_periods:
        return or_(table.c.used < 0, table.c.period_starts_at > case.now)
    if table is holder_days:
        return or_(table.c.amount < 0, _is_off(table.c.day, DAY, case))
    peak = table.c.used if table is usage_samples else table.c.peak
    when, period = (table.c.sampled_at, HOUR) if table is usage_samples else (table.c.day, DAY)
    most = cast(peak, Numeric) * table.c.samples
    return or_(peak < 0, table.c.samples < 1, table.c.total < 0, table.c.total > most, _is_off(when, period, case))


def _is_off(when: ColumnElement[object], period: object, case: Case) -> ColumnElement[bool]:
    """It is not the start of an hour or a day, or lies in the future."""
    microseconds = {HOUR: 3_600_000_000, DAY: 86_400_000_000}[period]  # type: ignore[index]
    return or_(type_coerce(when, BigInteger) % microseconds != 0, when > case.now + DAY)


def _without_absurd(table: Table) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        lock_installation(connection)  # whoever samples or folds has it locked
        removed = connection.execute(delete(table).where(_absurd(table, case))).rowcount
        return Change(f"{removed:,} rows", "0 rows") if removed else None

    return repair
