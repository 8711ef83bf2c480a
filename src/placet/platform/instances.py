"""Private instances: a developer's module, run or debugged beside the published ones, at ``/personal/<id>/``.

An instance has its own files and its own database, made from its ``schema.sql``. It lives until it is stopped, its time
is up or the server stops, and holds a seat for so long; a license that lapses meanwhile does not stop it. Its id is 128
random bits: who does not know it cannot reach it.
"""

import secrets
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from placet.enforcement import Decision
from placet.guard import Guard
from placet.platform.build import MODULE, compile_module, install_only, open_archive, schema_of
from placet.platform.front_ends import FrontEnd
from placet.platform.instance_seats import InstanceSeats
from placet.platform.layout import Layout, remove_tree
from placet.platform.schema import apply_schema
from placet.platform.workers import DebugAddress, Worker, WorkerSpec, start_worker
from placet.store import audit

MOST_INSTANCES = 20
INSTANCES_LAST = timedelta(hours=8)
BY_THE_CLOCK = "this server"


class Purpose(StrEnum):
    """Why an instance is there; the value is the licensed operation that starts it."""

    RUN = "run"
    DEBUG = "debug"


class TooManyInstances(Exception):
    """No more private instances can be started at the moment."""


class UnknownInstance(LookupError):
    """There is no private instance of that id."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A private instance, stopped at ``expires_at``. ``debugger``: where its DAP server listens, where it has one."""

    id: str
    purpose: Purpose
    module: str
    version: str
    started_at: datetime
    expires_at: datetime
    started_by: str
    debugger: DebugAddress | None
    worker: Worker
    decision: Decision

    @property
    def root_path(self) -> str:
        """Where it is served."""
        return f"/personal/{self.id}"


class Instances:
    """The private instances of one server, each of which may live for ``lasting``."""

    def __init__(
        self, guard: Guard, layout: Layout, front_end: FrontEnd, *, lasting: timedelta = INSTANCES_LAST
    ) -> None:
        self._guard = guard
        self._front_end = front_end
        self._layout = layout
        self._lasting = lasting
        self._instances: dict[str, Instance] = {}
        self._seats = InstanceSeats(guard)
        self._starting = 0
        self._lock = threading.Lock()

    def start(self, archive: bytes, purpose: Purpose, *, actor: str) -> Instance:
        """Start an instance of a module's zip.

        Raises ``Refused`` (the license), ``ModuleProblem`` (the module) or :class:`TooManyInstances`.
        """
        self._guard.require(purpose)
        self._front_end.require()
        self._take_place()
        directory = self._layout.runs / secrets.token_hex(16)
        try:
            decision = self._seats.take(directory.name, purpose, actor=actor)
            instance = self._start(archive, purpose, directory, actor=actor, decision=decision)
        except BaseException:
            self._seats.give_back(directory.name)
            remove_tree(directory)
            raise
        finally:
            with self._lock:
                self._starting -= 1
        with self._lock:
            self._instances[instance.id] = instance
        self._record(audit.Event.RUN_STARTED if purpose is Purpose.RUN else audit.Event.DEBUG_STARTED, actor, instance)
        return instance

    def find(self, instance_id: str, purpose: Purpose | None = None) -> Instance:
        """Answer an instance; raises :class:`UnknownInstance`."""
        instance = self._instances.get(instance_id)
        if instance is None or (purpose is not None and instance.purpose is not purpose):
            raise UnknownInstance("There is no private instance of that id; it may have been stopped.")
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
        """Stop the instances whose time is up."""
        now = self._guard.now()
        for instance in list(self._instances.values()):
            if instance.expires_at <= now:
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
            remove_tree(leftover)

    def _start(self, archive: bytes, purpose: Purpose, directory: Path, *, actor: str, decision: Decision) -> Instance:
        instance_id = directory.name
        unpacked = open_archive(archive, directory)
        install_only(unpacked, self._layout.cache)
        compile_module(unpacked)
        database = directory / "database.sqlite3"
        apply_schema(database, schema_of(unpacked) or "")
        manifest = unpacked.package.manifest
        worker = start_worker(
            WorkerSpec(
                name=manifest.name,
                version=manifest.version,
                directory=directory / MODULE,
                entrypoint=manifest.entrypoint,
                database=database,
                root_path=f"/personal/{instance_id}",
                log_path=directory / "output.log",
                site=unpacked.site,
                debug=purpose is Purpose.DEBUG,
            )
        )
        started_at = self._guard.now()
        return Instance(
            id=instance_id,
            purpose=purpose,
            module=manifest.name,
            version=manifest.version,
            started_at=started_at,
            expires_at=started_at + self._lasting,
            started_by=actor,
            debugger=worker.debugger,
            worker=worker,
            decision=decision,
        )

    def _take_place(self) -> None:
        with self._lock:
            if len(self._instances) + self._starting >= MOST_INSTANCES:
                raise TooManyInstances(
                    f"{MOST_INSTANCES} private instances are running, the most there can be. Stop one, then try again."
                )
            self._starting += 1

    def _end(self, instance: Instance) -> None:
        instance.worker.stop()
        self._seats.give_back(instance.id)
        remove_tree(self._layout.runs / instance.id)

    def _record(self, event: audit.Event, actor: str, instance: Instance) -> None:
        with self._guard.database.write() as connection:
            now = self._guard.now()
            audit.record(connection, event, now=now, actor=actor, subject=instance.module, version=instance.version)
