"""What this server serves follows what the database says is published, whichever server published it.

1. Each round compares the active versions with what runs here. A version that is to come is built from its archive and
   started beside the one before, which serves until the new one is ready. A module that is gone is taken down.
2. One that cannot be brought up is tried again, after a second at first and a minute at most; meanwhile the version
   before it serves, and the farm is told why.
3. Before a worker is switched to, the database is asked once more: what was published since is never replaced.
"""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
import structlog

from placet.guard import Guard
from placet.platform.front_ends import FrontEnd
from placet.platform.module_work import ModuleWork
from placet.platform.problems import ModuleProblem
from placet.platform.supervisor import Supervisor
from placet.platform.versions import Versions
from placet.platform.workers import Worker
from placet.store import modules, serving
from placet.store.modules import ModuleVersion
from placet.store.reach import NOT_REACHED
from placet.store.serving import Serving, ServingState

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
AT_ONCE = 4
LOOK_SECONDS = 0.1

log = structlog.get_logger()


class _Attempt(msgspec.Struct, kw_only=True):
    """Bringing one version up: how often it has failed, and from when on it may be tried again (monotonic)."""

    version_id: str
    failures: int = 0
    not_before: float = 0.0
    under_way: bool = False


class Follower:
    """Brings up and takes down modules on this server."""

    def __init__(
        self, guard: Guard, supervisor: Supervisor, versions: Versions, front_end: FrontEnd, work: ModuleWork
    ) -> None:
        self._guard = guard
        self._supervisor = supervisor
        self._versions = versions
        self._front_end = front_end
        self._work = work
        self._lock = threading.RLock()
        self._telling = threading.RLock()
        self._served: dict[str, str] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._told: dict[str, tuple[object, str, ServingState]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bring-up")
        self._closed = False

    # What happens by itself

    def start(self) -> None:
        """Start what is published and here already, without waiting for it; the rest comes with :meth:`sync`."""
        with self._guard.database.read() as connection:
            active = modules.active_ids(connection)
        for name, version_id in active.items():
            if self._versions.has_files(name, version_id):
                try:
                    spec = self._versions.spec(name, version_id)
                except (ModuleProblem, OSError) as error:
                    log.warning("module_not_served", module=name, version=version_id, error=str(error))
                else:
                    self._supervisor.put(name, spec)
                    self._served[name] = version_id
        self.sync()

    def sync(self) -> None:
        """Do one round."""
        self._work.give_back()
        with self._guard.database.read() as connection:
            active = modules.active_ids(connection)
        for name in [name for name in self._served if name not in active]:
            self._take_down(name)
        for name in [name for name in self._attempts if name not in active]:
            self._attempts.pop(name, None)
        for name, version_id in active.items():
            if self._served.get(name) != version_id and not self._work.is_mine(name):
                self._bring_up_soon(name, version_id)
        self._tell_all()

    def close(self) -> None:
        """Stop bringing up. What is under way ends by itself."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    # What is asked and said

    def is_expected(self, name: str) -> bool:
        """Whether a module is published and on its way here."""
        return name in self._attempts and name not in self._served

    @property
    def coming(self) -> list[str]:
        """The modules that are on their way here for the first time, and have not failed yet."""
        return [
            name for name, attempt in list(self._attempts.items()) if name not in self._served and not attempt.failures
        ]

    def switch(self, name: str, version_id: str, worker: Worker | None = None) -> None:
        """Let a version that was committed here serve; where the server is stopping, from its next start on."""
        spec = self._versions.spec(name, version_id) if worker is None else worker.spec
        with self._lock:
            try:
                self._supervisor.put(name, spec, worker)
            except RuntimeError:
                if worker is not None:
                    worker.stop()
                return
            self._served[name] = version_id
            self._attempts.pop(name, None)
        self._tell_all()

    def stop(self, name: str) -> None:
        """Stop serving a module that was deleted here."""
        with self._lock:
            self._served.pop(name, None)
            self._attempts.pop(name, None)
            self._supervisor.remove(name)
        self._tell_all()

    def others(self, name: str, version_id: str, *, within_seconds: float) -> list[Serving]:
        """Wait until every other living server serves a version or has failed to; answers how far each is.

        While the database cannot be reached, what was last known of them is.
        """
        deadline, others, is_known = time.monotonic() + within_seconds, list[Serving](), False
        while time.monotonic() < deadline:
            with suppress(*NOT_REACHED), self._guard.database.read() as connection:
                found = serving.of_version(connection, name, version_id)
                others, is_known = [item for item in found if item.front_end != self._front_end.id], True
            if is_known and all(item.state is not ServingState.COMING for item in others):
                break
            time.sleep(LOOK_SECONDS)
        return others

    # For itself

    def _take_down(self, name: str) -> None:
        with self._lock:
            if self._work.is_mine(name) or self._active(name) is not None:
                return
            self._served.pop(name, None)
            self._supervisor.remove(name)
            self._versions.remove_all(name)
        log.info("module_taken_down", module=name)

    def _bring_up_soon(self, name: str, version_id: str) -> None:
        with self._lock:
            attempt = self._attempts.get(name)
            if attempt is None or (attempt.version_id != version_id and not attempt.under_way):
                attempt = self._attempts[name] = _Attempt(version_id=version_id)
            if attempt.under_way or time.monotonic() < attempt.not_before or self._closed:
                return
            attempt.under_way = True
        self._pool.submit(self._bring_up, name, attempt)

    def _bring_up(self, name: str, attempt: _Attempt) -> None:
        try:
            version = self._active(name)
            if version is not None and version.id == attempt.version_id:
                self._start(version)
        except (ModuleProblem, OSError, sqlite3.Error, *NOT_REACHED) as error:
            attempt.failures += 1
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempt.failures - 1))
            attempt.not_before = time.monotonic() + pause
            log.warning("module_not_brought_up", module=name, version=attempt.version_id, error=str(error))
            why = (
                error.detail if isinstance(error, ModuleProblem) else "Its files or its database could not be written."
            )
            self._tell(name, attempt.version_id, ServingState.FAILED, why)
        except Exception:
            attempt.failures += 1
            attempt.not_before = time.monotonic() + LONGEST_PAUSE_SECONDS
            log.exception("module_not_brought_up", module=name)
        finally:
            attempt.under_way = False

    def _start(self, version: ModuleVersion) -> None:
        self._tell(version.module, version.id, ServingState.COMING)
        self._versions.fetch(version)
        worker = self._supervisor.start(self._versions.spec(version.module, version.id))
        try:
            with self._lock:
                now = self._active(version.module)
                if now is None or now.id != version.id or self._served.get(version.module) == version.id:
                    worker.stop()
                    return
                self.switch(version.module, version.id, worker)
        except BaseException:
            worker.stop()
            raise
        self._versions.remove_forgotten(version.module)
        log.info("module_brought_up", module=version.module, version=version.version)

    def _active(self, name: str) -> ModuleVersion | None:
        with self._guard.database.read() as connection:
            return modules.active_version(connection, name)

    def _tell_all(self) -> None:
        """Tell the farm what is served here, where that has changed."""
        with self._telling:
            self._tell_changes()

    def _tell_changes(self) -> None:
        for name, version_id in list(self._served.items()):
            up = self._supervisor.socket_for(name) is not None
            self._tell(name, version_id, ServingState.SERVING if up else ServingState.COMING)
        for name in [name for name in list(self._told) if name not in self._served and name not in self._attempts]:
            with suppress(*NOT_REACHED), self._guard.database.write() as connection:
                serving.forget(connection, self._front_end.id, name)
                self._told.pop(name, None)

    def _tell(self, name: str, version_id: str, state: ServingState, detail: str | None = None) -> None:
        said = (self._front_end.entry, version_id, state)
        with self._telling, suppress(*NOT_REACHED):  # else with the next round
            if self._told.get(name) == said and detail is None:
                return
            with self._guard.database.write() as connection:
                serving.note(connection, self._front_end.id, name, version_id, state, detail=detail)
            self._told[name] = said
