"""What people want to know of seats and of metered features beside how many there are."""

import msgspec
from sqlalchemy import Connection

from placet.enforcement import Code, FeatureStatus, catalogue
from placet.store import denials, dialects, metering, seats
from placet.store.denials import Denial
from placet.web.console.limits import Holder
from placet.web.console.words import Moment, ending, moment, quantity

_CODES = frozenset(str(code) for code in Code)


class DenialRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was refused a seat: ``reason`` is the problem's code, ``title`` what it is called."""

    at: Moment
    holder: str
    reason: str
    title: str
    numbers: str


class SeatsView(msgspec.Struct, frozen=True, kw_only=True):
    """Seats beside how many are in use. ``denials`` are the newest first."""

    note: str
    waiting: tuple[Holder, ...]
    unseen_waiting: int
    denials: tuple[DenialRow, ...]


class BlockRow(msgspec.Struct, frozen=True, kw_only=True):
    """A block that is open."""

    id: int
    holder: str
    size: int
    taken: Moment


class MeterView(msgspec.Struct, frozen=True, kw_only=True):
    """A metered feature's period, where a license says one, and the blocks that are open, the oldest first."""

    starts: Moment | None
    ends: Moment | None
    note: str | None
    blocks: tuple[BlockRow, ...]
    unseen_blocks: int


def seat_holders(connection: Connection, feature: str) -> list[Holder]:
    """Answer who has seats, the largest holder first."""
    found = seats.living_leases(connection, feature, dialects.clock(connection))
    return sorted((Holder(lease.holder, lease.amount) for lease in found), key=lambda held: (-held.amount, held.holder))


def seats_view(connection: Connection, feature: str, *, most: int, denied: int, locale: str) -> SeatsView:
    """Tell of seats; at most ``most`` of those who wait and ``denied`` of those who were refused are shown."""
    now = dialects.clock(connection)
    waiting = seats.queue_of(connection, feature, now)
    borrowed = sum(lease.amount for lease in seats.living_leases(connection, feature, now) if lease.borrowed)
    reserved = sum(item.amount for item in seats.reservations_of(connection, feature))
    told = [f"{quantity(len(waiting))} waiting", f"{quantity(borrowed)} borrowed", f"{quantity(reserved)} reserved"]
    refused = denials.all_denials(connection, feature=feature, most=denied) if denied else []
    return SeatsView(
        note=", ".join(told),
        waiting=tuple(Holder(item.holder, item.amount) for item in waiting[:most]),
        unseen_waiting=max(0, len(waiting) - most),
        denials=tuple(_denial(item, locale) for item in refused),
    )


def _denial(item: Denial, locale: str) -> DenialRow:
    of = "" if item.maximum is None else f" of {quantity(item.maximum)}"
    taken = "" if item.used is None else f"; {quantity(item.used)}{of} were taken"
    known = item.reason in _CODES
    return DenialRow(
        at=moment(item.at),
        holder=item.holder,
        reason=item.reason,
        title=catalogue(locale).entries[Code(item.reason)].title if known else item.reason,
        numbers=f"{quantity(item.requested)} asked for{taken}",
    )


def meter_view(connection: Connection, feature: FeatureStatus, *, most: int) -> MeterView:
    """Tell of a metered feature; at most ``most`` blocks are shown."""
    blocks = metering.open_blocks(connection, feature.name)
    return MeterView(
        starts=None if feature.period_starts_at is None else moment(feature.period_starts_at),
        ends=None if feature.period_ends_at is None else ending(feature.period_ends_at),
        note=_open(len(blocks), sum(block.size for block in blocks)) if blocks else None,
        blocks=tuple(
            BlockRow(id=block.id, holder=block.holder, size=block.size, taken=moment(block.taken_at))
            for block in blocks[:most]
        ),
        unseen_blocks=max(0, len(blocks) - most),
    )


def _open(blocks: int, units: int) -> str:
    of = "1 open block" if blocks == 1 else f"{quantity(blocks)} open blocks"
    return f"{of} with {quantity(units)} {'unit' if units == 1 else 'units'}, all of which count as used"
