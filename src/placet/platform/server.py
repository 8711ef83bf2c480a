"""The Platform Server: one installation's guard, modules and instances, wired together in one place."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy.exc import OperationalError

from placet.enforcement import Policy
from placet.guard import Guard
from placet.license.keys import TrustStore
from placet.platform.instances import INSTANCES_LAST, Instances
from placet.platform.layout import Layout
from placet.platform.people import People
from placet.platform.product import FRONT_END_SERVERS, PLATFORM_SERVER
from placet.platform.publish import Publisher
from placet.platform.supervisor import Supervisor
from placet.store import usage
from placet.store.database import Database
from placet.store.history import Retention

REFRESH_SECONDS = 0.25
TICK_SECONDS = 60.0
EXPIRY_SECONDS = 1.0
THIS_SERVER = "this server"

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
    return Guard(database, PLATFORM_SERVER, trust, policy=policy, retention=retention)


class PlatformServer:
    """Everything the edges need of one server. Start it, serve, close it."""

    def __init__(self, guard: Guard, layout: Layout, *, instances_last: timedelta = INSTANCES_LAST) -> None:
        self.guard = guard
        self.layout = layout
        self.supervisor = Supervisor()
        self.publisher = Publisher(guard, layout, self.supervisor)
        self.instances = Instances(guard, layout, lasting=instances_last)
        self.people = People(guard)
        self._closing = threading.Event()
        # Apart, because an instance takes seconds to stop, and what others install is to be seen at once.
        self._threads = [
            threading.Thread(target=self._keep_up, name="keep-up", daemon=True),
            threading.Thread(target=self._stop_expired, name="stop-expired", daemon=True),
        ]

    @classmethod
    def open(
        cls,
        data: Path,
        trust: TrustStore,
        *,
        database_url: str | None = None,
        policy: Policy | None = None,
        retention: Retention | None = None,
        instances_last: timedelta = INSTANCES_LAST,
    ) -> Self:
        """Open the server in a data directory; it serves nothing yet."""
        layout = Layout(data.resolve())
        guard = open_guard(layout, trust, database_url=database_url, policy=policy, retention=retention)
        return cls(guard, layout, instances_last=instances_last)

    def start(self) -> None:
        """Put right what a crash left, bring the published modules up, and keep up with time and other processes."""
        self.publisher.recover()
        self.instances.recover()
        with self.guard.database.write() as connection:
            usage.lock(connection, [FRONT_END_SERVERS])
            now = self.guard.now()
            usage.set_amount(connection, FRONT_END_SERVERS, THIS_SERVER, 1, limit=None, now=now)
        self.guard.tick()
        self.publisher.serve()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop every worker and close the database."""
        self._closing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self.instances.close()
        self.supervisor.close()
        self.guard.close()

    def _keep_up(self) -> None:
        rounds = round(TICK_SECONDS / REFRESH_SECONDS)
        count = 0

        def keep_up() -> None:
            nonlocal count
            count += 1
            self.guard.refresh()
            if count % rounds == 0:
                self.guard.tick()

        self._every(REFRESH_SECONDS, keep_up, failed="keep_up_failed")

    def _stop_expired(self) -> None:
        self._every(EXPIRY_SECONDS, self.instances.stop_expired, failed="stop_expired_failed")

    def _every(self, seconds: float, work: Callable[[], None], *, failed: str) -> None:
        away = False
        while not self._closing.wait(seconds):
            try:
                work()
            except OperationalError as error:  # told once, and once more when it is over
                if not away:
                    log.warning("database_unavailable", during=failed, error=str(error.orig))
                away = True
            except Exception:  # whatever it is, the next round tries again; the snapshot stays in force
                log.exception(failed)
            else:
                if away:
                    log.info("database_available", after=failed)
                away = False
