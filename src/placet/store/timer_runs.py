"""When each timer of each module is due, and who runs it now. By the database's clock, for all servers of a farm.

A run is held for a short time and held again while it lasts: where its server dies, the timer is anybody's to run.
"""

from datetime import timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, insert, literal, or_, select, update

from placet.store.dialects import now_microseconds
from placet.store.rows import all_of
from placet.store.schema import modules, timer_runs

HELD = timedelta(seconds=30)
_MICROSECOND = timedelta(microseconds=1)


class Due(msgspec.Struct, frozen=True):
    """A timer of a module that is due, and that nobody runs."""

    module: str
    timer: str


def enter(connection: Connection, module: str, timer: str, every: timedelta) -> None:
    """Enter a timer, due after its period; where it is entered already, it is due no later than that.

    Raises ``IntegrityError`` where another server enters it at the same time.
    """
    due, key = _from_now(every), _key(module, timer)
    connection.execute(update(timer_runs).where(key, timer_runs.c.due_at > due).values(due_at=due))
    wanted = select(literal(module), literal(timer), due).where(
        exists().where(modules.c.name == module), ~exists().where(key)
    )
    connection.execute(insert(timer_runs).from_select(["module", "timer", "due_at"], wanted))


def due(connection: Connection) -> list[Due]:
    """Answer the timers that are due, the longest first."""
    query = select(timer_runs.c.module, timer_runs.c.timer).where(_is_due()).order_by(timer_runs.c.due_at)
    return all_of(Due, connection.execute(query))


def claim(connection: Connection, module: str, timer: str, run: str, every: timedelta) -> bool:
    """Claim a run of a timer; answers whether the caller is the one who has it."""
    values = {"run": run, "held_until": _from_now(HELD), "due_at": _from_now(every)}
    claimed = update(timer_runs).where(_key(module, timer), _is_due()).values(values)
    return connection.execute(claimed).rowcount == 1


def hold(connection: Connection, runs: list[str]) -> None:
    """Go on holding runs that last."""
    connection.execute(update(timer_runs).where(timer_runs.c.run.in_(runs)).values(held_until=_from_now(HELD)))


def release(connection: Connection, run: str, every: timedelta) -> None:
    """End a run: the next is due after another period."""
    values = {"run": None, "held_until": None, "due_at": _from_now(every)}
    connection.execute(update(timer_runs).where(timer_runs.c.run == run).values(values))


def _key(module: str, timer: str) -> ColumnElement[bool]:
    return and_(timer_runs.c.module == module, timer_runs.c.timer == timer)


def _is_due() -> ColumnElement[bool]:
    now = now_microseconds()
    return and_(timer_runs.c.due_at <= now, or_(timer_runs.c.held_until.is_(None), timer_runs.c.held_until <= now))


def _from_now(lasting: timedelta) -> ColumnElement[int]:
    return now_microseconds() + lasting // _MICROSECOND
