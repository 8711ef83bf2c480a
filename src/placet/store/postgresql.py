"""Connections to PostgreSQL: none waits for ever, and one hears of changes.

A network that takes bytes and moves none keeps a TCP connection alive, and what the server's own time-outs say is not
heard across it. So an answer is waited for so long and no longer, and a connection that has none is given up.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

ANSWER_SECONDS = 7.0
"""How long an answer is waited for: longer than the server lets a statement take."""
CHANNEL = "placet"


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose answers are waited for ``answer_within`` seconds, ``None`` for as long as it takes."""

    answer_within: float | None = ANSWER_SECONDS

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Wait for what the driver is doing; raises ``OperationalError``, and is closed, where that takes too long."""
        return super().wait(self._bounded(gen, self.answer_within), *arguments, **options)

    def _bounded(self, gen: Any, seconds: float | None) -> Generator[Any, Any, Any]:
        """Do the driver's own steps; while it waits, it is woken up now and then with nothing to read."""
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.close()
                    raise psycopg.OperationalError(f"the server has not answered for {seconds:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value


class Listener:
    """A connection of its own that hears when somebody changes what bears on the license."""

    def __init__(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        connection.detach()  # it is nobody else's, and not one of the pool's
        self._driver: psycopg.Connection[Any] = driver
        driver.autocommit = True
        try:
            driver.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error as error:
            raise OperationalError(None, None, error) from error

    def hear(self, seconds: float) -> bool:
        """Wait for news, at most so long; answers whether there are any. Raises SQLAlchemy's ``OperationalError``."""
        try:
            return any(True for _ in self._driver.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error as error:
            raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()
