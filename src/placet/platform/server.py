"""The Platform Server: one installation's guard, modules and instances, wired together in one place."""

import functools
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import structlog

from placet.enforcement import Policy
from placet.guard import Guard
from placet.license.keys import TrustStore
from placet.platform import timer_runs
from placet.platform.front_ends import BEAT, FrontEnd
from placet.platform.instances import INSTANCES_IDLE, INSTANCES_LAST, Instances
from placet.platform.layout import Layout
from placet.platform.limits import DEFAULT_LIMITS, Limits
from placet.platform.module_databases import ModuleDatabases
from placet.platform.notifications import notifier
from placet.platform.notifications.notifier import Notifier, note_refusal
from placet.platform.notifications.settings import NotificationSettings
from placet.platform.obsolete_modules import ObsoleteModules
from placet.platform.openid import OpenId
from placet.platform.people import People
from placet.platform.product import FRONT_END_SERVERS, PLATFORM_SERVER
from placet.platform.publish import KEPT_VERSIONS, Publisher
from placet.platform.sessions import Lifetimes
from placet.platform.supervisor import Supervisor
from placet.platform.timer_runs import TimerRuns
from placet.platform.worker_watch import LOOK_SECONDS, WorkerWatch
from placet.platform.workers import start_worker
from placet.store import front_ends
from placet.store.database import Database
from placet.store.history import Retention
from placet.store.reach import NOT_REACHED

if TYPE_CHECKING:
    from placet.store.postgresql import Listener

REFRESH_SECONDS = 0.25
TICK_SECONDS = 60.0
EXPIRY_SECONDS = 1.0
FOLLOW_SECONDS = 1.0
LISTEN_SECONDS = 1.0
LISTEN_AGAIN_SECONDS = 1.0

log = structlog.get_logger()


def open_guard(
    layout: Layout,
    trust: TrustStore,
    *,
    database_url: str | None,
    policy: Policy | None = None,
    retention: Retention | None = None,
) -> Guard:
    """Open the guard of the installation in a data directory."""
    layout.make()
    database = Database.open(database_url) if database_url else Database.open_file(layout.database)
    return Guard(database, PLATFORM_SERVER, trust, policy=policy, retention=retention, refused=note_refusal)


class PlatformServer:
    """Everything the edges need of one server. Start it, serve, close it.

    What would go on for ever ends once ``stopping`` is set.
    ``front_end_beat``: how often it tells the other servers on its database that it lives. ``listens``: whether it lets
    the database tell it of changes, beside looking for them itself. ``kept_versions``: how many of a
    module's versions stay beside the one that serves. ``limits``: what each module's worker may use at most.
    ``lifetimes``: how long sessions last. ``public_url``: where people reach it, without a path, if that is elsewhere
    than at ``address``. ``openid``: the provider that people may sign in with.
    """

    def __init__(
        self,
        guard: Guard,
        layout: Layout,
        *,
        instances_last: timedelta = INSTANCES_LAST,
        instances_idle: timedelta = INSTANCES_IDLE,
        address: str = "",
        front_end_beat: timedelta = BEAT,
        listens: bool = True,
        kept_versions: int = KEPT_VERSIONS,
        limits: Limits = DEFAULT_LIMITS,
        lifetimes: Lifetimes | None = None,
        public_url: str | None = None,
        openid: OpenId | None = None,
    ) -> None:
        self.guard = guard
        self.layout = layout
        self.address = address
        self.public_url = public_url
        self.openid = openid
        self.front_end = FrontEnd(guard, layout, address=address, beat=front_end_beat)
        self._watch = WorkerWatch()
        start = functools.partial(start_worker, limits=limits, watch=self._watch)
        self.supervisor = Supervisor(start=start)
        self.databases = ModuleDatabases(guard.database, layout)
        self.publisher = Publisher(guard, layout, self.supervisor, self.front_end, kept=kept_versions, limits=limits)
        self.follower = self.publisher.follower
        self.obsolete = ObsoleteModules(guard, self.publisher)
        self.instances = Instances(
            guard, layout, self.front_end, lasting=instances_last, idle=instances_idle, start=start
        )
        self._timers = TimerRuns(guard, self.supervisor)
        self.people = People(guard, self.front_end, lifetimes=lifetimes)
        self.stopping = threading.Event()
        self.notifier = Notifier(guard, self.stopping, public_url=public_url)
        self.notification_settings = NotificationSettings(guard)
        self._closing = threading.Event()
        self._changed = threading.Event()
        self._moved = threading.Event()
        # Apart, because an instance takes seconds to stop, and what others install is to be seen at once.
        work = [("keep-up", self._keep_up), ("beat", self._beat), ("stop-expired", self._stop_expired)]
        work += [("follow", self._follow), ("watch", self._watch_workers), ("timers", self._run_timers)]
        work += [("notify", self._notify)]
        work += [("listen", self._listen)] if listens else []
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in work]

    @classmethod
    def open(
        cls,
        data: Path,
        trust: TrustStore,
        *,
        database_url: str | None = None,
        policy: Policy | None = None,
        retention: Retention | None = None,
        **options: Any,
    ) -> Self:
        """Open the server in a data directory; it serves nothing yet. ``options`` are the constructor's."""
        layout = Layout(data.resolve())
        guard = open_guard(layout, trust, database_url=database_url, policy=policy, retention=retention)
        return cls(guard, layout, **options)

    def start(self) -> None:
        """Put right what a crash left, bring the published modules up, and keep up with time and other processes."""
        self.publisher.recover()
        self.instances.recover()
        self.front_end.beat()
        self.guard.tick()
        self.follower.start()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop every worker and close the database."""
        self.stopping.set()
        self._closing.set()
        self._changed.set()
        self._moved.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self.instances.close()
        self.follower.close()
        self.supervisor.close()
        try:
            self._timers.close()
            self.people.inactive.write()
            self.obsolete.write()
            self.front_end.leave()
        except NOT_REACHED as error:  # the others find out that it does not beat any more
            log.warning("front_end_not_taken_out", error=str(getattr(error, "orig", error)))
        self.guard.close()

    def notice(self) -> None:
        """See at once what others have changed; where the database cannot be reached, what is known stays in force."""
        with suppress(*NOT_REACHED):
            if self.guard.refresh():
                self.front_end.notice()

    def is_serving(self, module: str) -> bool:
        """Tell whether this server serves a module, or is about to."""
        return self.supervisor.state(module) is not None or self.follower.is_expected(module)

    def front_ends(self) -> list[front_ends.FrontEnd]:
        """Answer the servers that share this one's database."""
        with self.guard.database.read() as connection:
            return front_ends.all_front_ends(connection, FRONT_END_SERVERS)

    def license_changed(self) -> None:
        """After this server itself has changed the license: what follows from it is done at once."""
        with suppress(*NOT_REACHED):  # else at the next beat
            self.front_end.notice()

    def _keep_up(self) -> None:
        ticks_at = time.monotonic() + TICK_SECONDS

        def keep_up() -> None:
            nonlocal ticks_at
            self._changed.clear()
            if self.guard.refresh():
                self.front_end.notice()
            if time.monotonic() >= ticks_at:
                ticks_at = time.monotonic() + TICK_SECONDS
                self.guard.tick()
                self.people.inactive.write()
                self.obsolete.write()
                self.people.sessions.keep_up()
                self.instances.keep_seats()

        self._every(REFRESH_SECONDS, keep_up, failed="keep_up_failed", wakes=self._changed)

    def _beat(self) -> None:
        self._every(self.front_end.every.total_seconds(), self.front_end.beat, failed="beat_failed")

    def _follow(self) -> None:
        """Keep what is served here in line with what is published, whoever publishes it."""

        def follow() -> None:
            self._moved.clear()
            self.follower.sync()

        self._every(FOLLOW_SECONDS, follow, failed="follow_failed", wakes=self._moved)

    def _run_timers(self) -> None:
        self._every(timer_runs.LOOK_SECONDS, self._timers.look, failed="timers_failed")

    def _notify(self) -> None:
        self._every(notifier.LOOK_SECONDS, self.notifier.look, failed="notify_failed")

    def _watch_workers(self) -> None:
        self._every(LOOK_SECONDS, self._watch.look, failed="watch_failed")

    def _stop_expired(self) -> None:
        def end_what_is_over() -> None:
            self.instances.stop_expired()
            self.guard.expire_leases()

        self._every(EXPIRY_SECONDS, end_what_is_over, failed="stop_expired_failed")

    def _listen(self) -> None:
        """Hear of changes at once, where the database tells of them; looking for them goes on beside it."""
        opened: list[Listener] = []  # in a round of its own, so that it is told when the database is there again

        def listen() -> None:
            if not opened:
                listener = self.guard.database.listener()
                if listener is None:
                    self._closing.wait()
                else:
                    opened.append(listener)
                return
            with closing(opened.pop()) as listener:
                while not self._closing.is_set():
                    if listener.hear(LISTEN_SECONDS):
                        self._changed.set()
                        self._moved.set()

        self._every(LISTEN_AGAIN_SECONDS, listen, failed="listen_failed")
        for unheard in opened:
            unheard.close()

    def _every(
        self, seconds: float, work: Callable[[], None], *, failed: str, wakes: threading.Event | None = None
    ) -> None:
        """Do a piece of work again and again until the server closes. It fails for itself alone, and that is told."""
        away = False
        while True:
            (wakes or self._closing).wait(seconds)
            if self._closing.is_set():
                return
            try:
                work()
            except NOT_REACHED as error:  # told once, and once more when it is over
                if not away:
                    log.warning("database_unavailable", during=failed, error=str(getattr(error, "orig", error)))
                away = True
            except Exception:  # whatever it is, the next round tries again; the snapshot stays in force
                log.exception(failed)
            else:
                if away:
                    log.info("database_available", after=failed)
                away = False
