"""One at a time works on a module, on whatever server of the farm; the second is told who, what and since when."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from placet.guard import Guard
from placet.platform.front_ends import FrontEnd
from placet.store import module_work
from placet.store.module_work import Work
from placet.store.reach import NOT_REACHED

DOING = {"publish": "publishing", "rollback": "rolling back", "delete": "deleting"}


class ModuleBusy(Exception):
    """Somebody else is publishing, rolling back or deleting the same module."""


class ModuleWork:
    """The claims of one server. While one is held, ``is_mine`` says so to whoever else works on this server."""

    def __init__(self, guard: Guard, front_end: FrontEnd) -> None:
        self._guard = guard
        self._front_end = front_end
        self._mine: set[str] = set()
        self._ended: list[Work] = []

    @contextmanager
    def on(self, module: str, kind: str, *, actor: str, version: str | None = None) -> Iterator[Work]:
        """Hold a module while the body works on it; raises :class:`ModuleBusy`."""
        work = self._claim(module, kind, actor=actor, version=version)
        self._mine.add(module)
        try:
            yield work
        finally:
            self._mine.discard(module)
            self._ended.append(work)
            with suppress(*NOT_REACHED):  # else as soon as the database is reached again
                self.give_back()

    def is_mine(self, module: str) -> bool:
        """Whether this server works on a module."""
        return module in self._mine

    def give_back(self) -> None:
        """Give back what has ended, and could not be given back while the database was not reached."""
        while self._ended:
            work = self._ended[-1]
            with self._guard.database.write() as connection:
                module_work.end(connection, work)
            with suppress(ValueError):  # another thread has done the same
                self._ended.remove(work)

    def recover(self) -> None:
        """After a start: give back what the process before has held."""
        with self._guard.database.write() as connection:
            module_work.forget(connection, self._front_end.id)

    def _claim(self, module: str, kind: str, *, actor: str, version: str | None) -> Work:
        self.give_back()
        for _ in range(3):  # who lost a race sees who has won it, unless that one has ended as well
            with suppress(IntegrityError), self._guard.database.write() as connection:
                work, mine = module_work.begin(
                    connection, module, kind=kind, version=version, actor=actor, front_end=self._front_end.id
                )
                if not mine:
                    raise _busy(work)
                return work
        raise ModuleBusy(f"Several people are working on {module!r} at this moment. Try again shortly.")


def require_held(connection: Connection, work: Work) -> None:
    """Raise :class:`ModuleBusy` where a claim was taken over, as of a server that was not heard of for too long."""
    if not module_work.is_held(connection, work):
        raise ModuleBusy(
            f"This server was not heard of by the others for a while, and another took over the work on "
            f"{work.module!r}. Nothing of this was done; try again."
        )


def _busy(work: Work) -> ModuleBusy:
    what = f"{work.module!r}" if work.version is None else f"version {work.version} of {work.module!r}"
    return ModuleBusy(
        f"{work.actor} has been {DOING.get(work.kind, work.kind)} {what} since {work.since:%H:%M:%S} UTC. "
        "Try again shortly."
    )
