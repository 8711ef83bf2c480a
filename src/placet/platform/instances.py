"""Private instances: a developer's module, run or debugged beside the published ones, at ``/personal/<id>/``.

An instance has its own files and its own database. It lives until it is stopped, nobody has used it for a while, its
time is up or the server stops, and holds a seat for so long; a license that lapses meanwhile does not stop it. It is
the developer's own: whoever else asks for it is told that there is none.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from placet.enforcement import Decision
from placet.guard import Guard
from placet.platform.activity import Activity
from placet.platform.build import Unpacked, compile_module, install_only, open_archive, wanted_of
from placet.platform.front_ends import FrontEnd
from placet.platform.instance_database import StartsFrom
from placet.platform.instance_seats import InstanceSeats
from placet.platform.layout import Layout, remove_tree
from placet.platform.module_databases import ModuleDatabases
from placet.platform.workers import DebugAddress, Worker, WorkerSpec, start_worker
from placet.store import audit
from placet.store.reach import NOT_REACHED

MOST_INSTANCES = 20
MOST_OF_ONE_DEVELOPER = 5
INSTANCES_LAST = timedelta(hours=8)
INSTANCES_IDLE = timedelta(minutes=30)
BY_THE_CLOCK = "this server"
NO_SUCH_INSTANCE = "There is no private instance of that id; it may have been stopped."


class Purpose(StrEnum):
    """Why an instance is there; the value is the licensed operation that starts it."""

    RUN = "run"
    DEBUG = "debug"


class TooManyInstances(Exception):
    """No more private instances can be started at the moment."""


class UnknownInstance(LookupError):
    """There is no private instance of that id."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A private instance of ``started_by``, stopped at ``expires_at``, or when it was not used for ``idle_lasts``.

    ``debugger``: where its DAP server listens, where it has one. ``key`` is in the link that its owner follows, and
    ``admission`` in the cookie that a browser gets for it: whoever shows one of them is let in.
    """

    id: str
    purpose: Purpose
    module: str
    version: str
    started_at: datetime
    expires_at: datetime
    idle_lasts: timedelta
    started_by: str
    starts_from: StartsFrom
    directory: Path
    key: str
    admission: str
    activity: Activity
    debugger: DebugAddress | None
    worker: Worker
    decision: Decision

    @property
    def root_path(self) -> str:
        """Where it is served."""
        return f"/personal/{self.id}"

    def is_over(self, now: datetime) -> bool:
        """Whether its time is up, or nobody has used it for too long."""
        idle_since = self.activity.idle_since()
        return self.expires_at <= now or (idle_since is not None and idle_since + self.idle_lasts <= now)


class Instances:
    """The private instances of one server, each of which may live for ``lasting``, and unused for ``idle``."""

    def __init__(
        self,
        guard: Guard,
        layout: Layout,
        front_end: FrontEnd,
        *,
        lasting: timedelta = INSTANCES_LAST,
        idle: timedelta = INSTANCES_IDLE,
        start: Callable[[WorkerSpec], Worker] = start_worker,
    ) -> None:
        self._start_worker = start
        self._guard = guard
        self._front_end = front_end
        self._layout = layout
        self._lasting = lasting
        self._idle = idle
        self._instances: dict[str, Instance] = {}
        self._seats = InstanceSeats(guard)
        self._starting: Counter[str] = Counter()
        self._databases = ModuleDatabases(guard.database, layout)
        self._lock = threading.Lock()

    def start(
        self, archive: bytes, purpose: Purpose, *, actor: str, empty: bool = False, wait: bool = False
    ) -> Instance:
        """Start an instance of a module's zip, on a snapshot of the published module's database.

        With ``empty``, or where none is published, its database is made from ``schema.sql`` alone. With ``wait`` a
        module that is debugged is imported when an editor has attached. Raises ``Refused`` (the license),
        ``ModuleProblem`` (the module) or :class:`TooManyInstances`.
        """
        self._guard.require(purpose)
        self._front_end.require()
        self._take_place(actor)
        directory = self._layout.runs / secrets.token_hex(16)
        try:
            decision = self._seats.take(directory.name, purpose, actor=actor)
            instance = self._start(archive, purpose, directory, actor=actor, decision=decision, empty=empty, wait=wait)
        except BaseException:
            self._seats.give_back(directory.name)
            self._remove(directory)
            raise
        finally:
            with self._lock:
                self._starting[actor] -= 1
        with self._lock:
            self._instances[instance.id] = instance
        self._record(audit.Event.RUN_STARTED if purpose is Purpose.RUN else audit.Event.DEBUG_STARTED, actor, instance)
        return instance

    def find(self, instance_id: str, purpose: Purpose | None = None) -> Instance:
        """Answer an instance; raises :class:`UnknownInstance`."""
        instance = self._instances.get(instance_id)
        if instance is None or (purpose is not None and instance.purpose is not purpose):
            raise UnknownInstance(NO_SUCH_INSTANCE)
        return instance

    def all(self, purpose: Purpose) -> list[Instance]:
        """Answer the instances there are for a purpose."""
        return [instance for instance in list(self._instances.values()) if instance.purpose is purpose]

    def stop(self, instance_id: str, purpose: Purpose, *, actor: str) -> None:
        """Stop an instance and remove what it left; raises :class:`UnknownInstance`."""
        instance = self.find(instance_id, purpose)
        with self._lock:
            if self._instances.pop(instance_id, None) is None:
                raise UnknownInstance("That private instance has just been stopped.")
        self._end(instance)
        self._record(audit.Event.RUN_STOPPED if purpose is Purpose.RUN else audit.Event.DEBUG_STOPPED, actor, instance)

    def stop_expired(self) -> None:
        """Stop the instances whose time is up, and those that nobody uses."""
        now = self._guard.now()
        for instance in list(self._instances.values()):
            if instance.is_over(now):
                with suppress(UnknownInstance):  # somebody else has just stopped it
                    self.stop(instance.id, instance.purpose, actor=BY_THE_CLOCK)

    def keep_seats(self) -> None:
        """Go on holding the seats of the instances there are. Meant for once a minute."""
        self._seats.keep()

    def close(self) -> None:
        """Stop every instance."""
        with self._lock:
            instances, self._instances = list(self._instances.values()), {}
        for instance in instances:
            self._end(instance)

    def recover(self) -> None:
        """After a start: remove what instances of before left, and give their seats back."""
        leftovers = list(self._layout.runs.iterdir())
        self._seats.forget({leftover.name for leftover in leftovers})
        for leftover in leftovers:
            self._remove(leftover)

    def _start(
        self,
        archive: bytes,
        purpose: Purpose,
        directory: Path,
        *,
        actor: str,
        decision: Decision,
        empty: bool,
        wait: bool,
    ) -> Instance:
        unpacked = open_archive(archive, directory)
        install_only(unpacked, self._layout.cache)
        compile_module(unpacked)
        manifest = unpacked.package.manifest
        wanted, kind = wanted_of(unpacked), manifest.database
        database, starts_from = self._databases.copy_for(directory, manifest.name, kind, wanted, empty=empty)
        worker = self._start_worker(_spec(unpacked, database.address, purpose, wait=wait))
        started_at = self._guard.now()
        return Instance(
            id=directory.name,
            purpose=purpose,
            module=manifest.name,
            version=manifest.version,
            started_at=started_at,
            expires_at=started_at + self._lasting,
            idle_lasts=self._idle,
            started_by=actor,
            starts_from=starts_from,
            directory=unpacked.module,
            key=secrets.token_urlsafe(32),
            admission=secrets.token_urlsafe(32),
            activity=Activity(self._guard.now),
            debugger=worker.debugger,
            worker=worker,
            decision=decision,
        )

    def _take_place(self, actor: str) -> None:
        with self._lock:
            held = Counter(instance.started_by for instance in self._instances.values()) + self._starting
            if held.total() >= MOST_INSTANCES:
                raise TooManyInstances(
                    f"{MOST_INSTANCES} private instances are running, the most there can be. Stop one, then try again."
                )
            if held[actor] >= MOST_OF_ONE_DEVELOPER:
                raise TooManyInstances(
                    f"{MOST_OF_ONE_DEVELOPER} private instances of yours are running, the most that one developer may "
                    "have. Stop one ('placet module runs' lists them), then try again."
                )
            self._starting[actor] += 1

    def _end(self, instance: Instance) -> None:
        instance.worker.stop()
        self._seats.give_back(instance.id)
        self._remove(self._layout.runs / instance.id)

    def _remove(self, directory: Path) -> None:
        """Remove all that is an instance's own. Where its database is not reached, the next start does."""
        with suppress(*NOT_REACHED):
            self._databases.remove_copy(directory.name)
            remove_tree(directory)

    def _record(self, event: audit.Event, actor: str, instance: Instance) -> None:
        with self._guard.database.write() as connection:
            now = self._guard.now()
            audit.record(connection, event, now=now, actor=actor, subject=instance.module, version=instance.version)


def _spec(unpacked: Unpacked, database: str, purpose: Purpose, *, wait: bool) -> WorkerSpec:
    manifest = unpacked.package.manifest
    return WorkerSpec(
        name=manifest.name,
        version=manifest.version,
        directory=unpacked.module,
        entrypoint=manifest.entrypoint,
        database=database,
        root_path=f"/personal/{unpacked.directory.name}",
        log_path=unpacked.directory / "output.log",
        site=unpacked.site,
        debug=purpose is Purpose.DEBUG,
        asked_limits=manifest.limits,
        wait=wait and purpose is Purpose.DEBUG,
    )
