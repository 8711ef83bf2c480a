"""Totals: each is the sum of the allocations of its feature, or of its leases where it is one of seats."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Connection, Table, delete, func, select, update

from placet.platform.doctor.findings import Case, Change, Finding, Repair
from placet.platform.doctor.kinds import Kind
from placet.store import usage
from placet.store.schema import allocations, leases, metadata, totals
from placet.store.usage import NO_LIMIT

LEFT_AFTER = timedelta(hours=1)
"""Leases that have been expired for less are taken away by whoever asks for seats next."""


def examine_ledger(connection: Connection, case: Case) -> list[Finding]:
    """Examine totals, allocations and leases."""
    return [*_absurd(connection), *_expired(connection, case), *_missing(connection, case), *_totals(connection, case)]


def _absurd(connection: Connection) -> Iterator[Finding]:
    """Amounts are neither negative nor more than can be counted."""
    for table, least in ((allocations, 0), (leases, 1)):
        wrong = (table.c.amount < least) | (table.c.amount > NO_LIMIT)
        for row in connection.execute(select(table.c.feature, table.c.holder, table.c.amount).where(wrong)):
            yield Finding(
                subject=row.feature,
                text=f"{row.holder!r} holds {row.amount:,} units",
                kind=Kind.AMOUNT_ABSURD,
                repair=_without(table, row.feature, least) if row.amount < least else None,
            )


def _without(table: Table, feature: str, least: int) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        usage.lock(connection, [feature])
        wrong = (table.c.feature == feature) & (table.c.amount < least)
        rows = connection.execute(select(table.c.holder, table.c.amount).where(wrong)).all()
        connection.execute(delete(table).where(wrong))
        set_total(connection, feature, case)
        return Change({row.holder: row.amount for row in rows}, {}) if rows else None

    return repair


def _expired(connection: Connection, case: Case) -> Iterator[Finding]:
    """Leases that have expired are taken away."""
    left = leases.c.expires_at < case.now - LEFT_AFTER
    counted = select(leases.c.feature, func.count().label("leases"), func.sum(leases.c.amount).label("seats"))
    for row in connection.execute(counted.where(left).group_by(leases.c.feature).order_by(leases.c.feature)):
        yield Finding(
            subject=row.feature,
            text=f"{row.leases:,} expired more than an hour ago and still hold {int(row.seats):,} seats",
            kind=Kind.LEASE_EXPIRED,
            repair=_without_expired(row.feature),
        )


def _without_expired(feature: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        usage.lock(connection, [feature])
        expired = (leases.c.feature == feature) & (leases.c.expires_at < case.now - LEFT_AFTER)
        rows = connection.execute(select(leases.c.holder, leases.c.amount).where(expired)).all()
        connection.execute(delete(leases).where(expired))
        set_total(connection, feature, case)
        return Change({row.holder: row.amount for row in rows}, {}) if rows else None

    return repair


def _missing(connection: Connection, case: Case) -> Iterator[Finding]:
    """Each limit and each feature of seats has a total, and so has whatever is held."""
    product = {limit.name for limit in case.product.limits} | {seats.name for seats in case.product.seats}
    wanted = product | referring(connection, totals)
    for feature in sorted(wanted - usage.usage(connection).keys()):
        sum_ = _sum(connection, feature, case)
        yield Finding(
            subject=feature,
            text=f"there is no total, and what is held adds up to {sum_:,}",
            kind=Kind.TOTAL_MISSING,
            repair=_with_total(feature),
        )


def _with_total(feature: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        if feature in usage.usage(connection):
            return None
        usage.ensure_totals(connection, [feature])
        return Change(None, set_total(connection, feature, case))

    return repair


def _totals(connection: Connection, case: Case) -> Iterator[Finding]:
    """Every total is the sum of what is held."""
    for feature, used in sorted(usage.usage(connection).items()):
        sum_ = _sum(connection, feature, case)
        of = "leases" if _is_seats(connection, feature, case) else "allocations"
        if used == sum_:
            yield Finding(subject=feature, text=f"the total of {used:,} is the sum of its {of}")
        else:
            text = f"the total is {used:,}, and its {of} add up to {sum_:,}"
            yield Finding(subject=feature, text=text, kind=Kind.TOTAL_DIFFERS, repair=_with_sum(feature))


def _with_sum(feature: str) -> Repair:
    def repair(connection: Connection, case: Case) -> Change | None:
        usage.lock(connection, [feature])
        before = usage.usage(connection)[feature]
        after = set_total(connection, feature, case)
        return None if before == after else Change(before, after)

    return repair


def referring(connection: Connection, parent: Table) -> set[str]:
    """Answer the features of all rows that refer to a table of features."""
    children = [
        table for table in metadata.sorted_tables if any(key.column.table is parent for key in table.foreign_keys)
    ]
    return {name for table in children for name in connection.execute(select(table.c.feature).distinct()).scalars()}


def set_total(connection: Connection, feature: str, case: Case) -> int:
    """Set the locked total of a feature to the sum of what is held, and answer it; it is never less than nothing."""
    sum_ = max(0, _sum(connection, feature, case))
    connection.execute(update(totals).where(totals.c.feature == feature).values(used=sum_))
    return sum_


def _sum(connection: Connection, feature: str, case: Case) -> int:
    table = leases if _is_seats(connection, feature, case) else allocations
    query = select(func.coalesce(func.sum(table.c.amount), 0)).where(table.c.feature == feature)
    return int(connection.execute(query).scalar_one())


def _is_seats(connection: Connection, feature: str, case: Case) -> bool:
    if any(seats.name == feature for seats in case.product.seats):
        return True
    is_limit = any(limit.name == feature for limit in case.product.limits)
    return (
        not is_limit and connection.execute(select(leases.c.id).where(leases.c.feature == feature)).first() is not None
    )
