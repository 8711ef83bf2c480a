"""Modules that nobody has used for long: which they are, and deleting them, which gives their Software Units back.

A module is used when a request for it is served, whatever it answers, and when it is published or rolled back. A module
with timers works without being asked: it is obsolete only for who says so.
"""

from datetime import datetime, timedelta

import msgspec

from placet.guard import Guard
from placet.platform.module_work import ModuleBusy
from placet.platform.noted_moments import NotedMoments
from placet.platform.publish import Publisher
from placet.platform.published import ModuleInUse, UnknownModule
from placet.store import module_use
from placet.store.module_use import ModuleUse

SHORTEST = timedelta(days=1)
MOST_AT_ONCE = 100


class Disuse(msgspec.Struct, frozen=True, kw_only=True):
    """Which modules to take for obsolete: unused for ``lasting``, none of ``excluded``, with timers only if said so.

    Where there is ``only``, no others than those.
    """

    lasting: timedelta
    excluded: frozenset[str] = frozenset()
    timers: bool = False
    only: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.lasting < SHORTEST:
            raise ValueError("A module is obsolete after a day without use at least. Name a longer period.")


class ObsoleteModules:
    """Which modules are used, and which were not."""

    def __init__(self, guard: Guard, publisher: Publisher) -> None:
        self._guard = guard
        self._publisher = publisher
        self._served = NotedMoments(guard, module_use.note_served)

    def see(self, module: str) -> None:
        """Note that a request for a module is served; cheap."""
        self._served.note(module)

    def write(self) -> None:
        """Write down which modules were used. Meant for once a minute."""
        self._served.write()

    def find(self, disuse: Disuse) -> list[ModuleUse]:
        """Answer the modules that have been of no use for so long, longest first."""
        self.write()
        with self._guard.database.read() as connection:
            found = module_use.unused_since(connection, self._guard.now() - disuse.lasting)
        return [use for use in found if _is_meant(use, disuse)]

    def clean_up(self, disuse: Disuse, *, actor: str) -> list[ModuleUse]:
        """Delete the first :data:`MOST_AT_ONCE` of them; answers those that are deleted.

        Each is a transaction of its own: what is used or worked on meanwhile stays.
        """
        since = self._guard.now() - disuse.lasting
        return [use for use in self.find(disuse)[:MOST_AT_ONCE] if self._delete(use, since, actor)]

    def _delete(self, use: ModuleUse, since: datetime, actor: str) -> bool:
        try:
            self._publisher.delete(use.module, actor=actor, unused_since=since)
        except (ModuleBusy, ModuleInUse, UnknownModule):
            return False
        return True


def _is_meant(use: ModuleUse, disuse: Disuse) -> bool:
    if use.module in disuse.excluded or (disuse.only is not None and use.module not in disuse.only):
        return False
    return disuse.timers or not use.has_timers
