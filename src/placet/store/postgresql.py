"""Connections to PostgreSQL: none waits for ever, and one hears of changes.

A network that takes bytes and moves none keeps a TCP connection alive, and what the server's own time-outs say is not
heard across it. So an answer is waited for so long and no longer, and a connection that has none is given up.

Statements that go together are given to libpq as one packet: the driver's own pipeline sends and wakes the server for
each, and the work it does for each costs more than the statement.
"""

import time
from collections.abc import Generator, Sequence
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.waiting import Ready, Wait
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from placet.store.failures import failure_of

ANSWER_SECONDS = 7.0
"""How long an answer is waited for: longer than the server lets a statement take."""
CHANNEL = "placet"
_Sent = tuple[bytes, bytes] | bytes | None
"""What a result is of: a statement that is prepared (its text and name), one that is executed, the begin."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose answers are waited for ``answer_within`` seconds, ``None`` for as long as it takes."""

    answer_within: float | None = ANSWER_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._hot: dict[bytes, bytes] = {}  # the names of the prepared statements, by their text
        self._hot_made = 0

    def together(self, calls: Sequence[tuple[bytes, Sequence[object]]]) -> list["Answer"]:
        """Execute statements (parameters are ``$1``, ...) in one packet, and prepare them on the way; their answers.

        Begins the transaction where there is none. Where one fails its error is raised, and those after it have not
        happened.
        """
        asked = [(text, [_as_sent(value) for value in parameters]) for text, parameters in calls]
        server = self.pgconn
        begins = server.transaction_status == TransactionStatus.IDLE and not self.autocommit
        server.enter_pipeline_mode()
        try:
            if begins:
                server.send_query_params(self._get_tx_start_command(), None)
            made = self._send(asked)
            server.pipeline_sync()
            found = self.wait(self._receiving())
        finally:
            try:
                server.exit_pipeline_mode()
            except psycopg.Error:  # there are answers that nobody has read
                self.close()
        return self._answers(found, [None, *made] if begins else made)

    def _send(self, asked: Sequence[tuple[bytes, list[bytes | None]]]) -> list[_Sent]:
        """Queue the statements; answers what each result to come is of."""
        made: list[_Sent] = []
        new: dict[bytes, bytes] = {}
        for text, parameters in asked:
            name = self._hot.get(text) or new.get(text)
            if name is None:
                self._hot_made += 1
                name = new[text] = b"placet_%d" % self._hot_made
                self.pgconn.send_prepare(name, text)
                made.append((text, name))
            self.pgconn.send_query_prepared(name, parameters)
            made.append(text)
        return made

    def _receiving(self) -> Generator[Wait, Ready, list[Any]]:
        """Send what is queued, and collect the results up to the end of the packet."""
        found: list[Any] = []
        server, ended = self.pgconn, False
        while server.flush():
            if (yield Wait.RW) & Ready.R:
                server.consume_input()
        while True:
            while server.is_busy():
                if (yield Wait.R):
                    server.consume_input()
            result = server.get_result()
            if result is None:
                if ended:
                    raise psycopg.OperationalError("the server has ended the connection")
                ended = True
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return found
            else:
                ended = False
                found.append(result)

    def _answers(self, found: Sequence[Any], made: Sequence[_Sent]) -> list["Answer"]:
        answers = []
        for result, what in zip(found, made, strict=True):
            if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
                raise psycopg.errors.error_from_result(result, self.info.encoding)
            if isinstance(what, tuple):
                self._hot[what[0]] = what[1]
            elif what is not None:
                answers.append(Answer(result))
        return answers

    def _deallocate(self, name: bytes | None) -> Any:
        """Forget one prepared statement of the driver, or all there are, with those that were prepared here."""
        if name is None:
            self._hot.clear()
        return super()._deallocate(name)

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


class Answer:
    """What came of one statement: whole numbers and texts."""

    __slots__ = ("_result", "rowcount")

    def __init__(self, result: Any) -> None:
        self._result = result
        self.rowcount: int = result.command_tuples or 0

    def fetchone(self) -> tuple[Any, ...] | None:
        """Answer the first row, if there is one."""
        rows = self.fetchall()
        return rows[0] if rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Answer all rows."""
        result = self._result
        columns = [(number, _AS_READ[result.ftype(number)]) for number in range(result.nfields)]
        return [
            tuple(None if (value := result.get_value(row, number)) is None else read(value) for number, read in columns)
            for row in range(result.ntuples)
        ]


_AS_READ: dict[int, Any] = dict.fromkeys((20, 21, 23), int) | dict.fromkeys((25, 1043), bytes.decode)
"""How values of a type are read: ``bigint``, ``smallint``, ``integer``; ``text``, ``varchar``."""


def _as_sent(value: object) -> bytes | None:
    if isinstance(value, str):
        if "\0" in value:
            raise psycopg.DataError("a text with a null character cannot be stored")
        return value.encode()
    if isinstance(value, int):
        return b"%d" % value
    if value is None:
        return None
    if isinstance(value, list):
        return b"{%s}" % b",".join(map(_in_array, value))
    raise TypeError(f"{type(value).__name__} cannot be sent here")


def _in_array(value: object) -> bytes:
    sent = _as_sent(value)
    if sent is None:
        return b"NULL"
    return b'"%s"' % sent.replace(b"\\", b"\\\\").replace(b'"', b'\\"') if isinstance(value, str) else sent


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
        """Wait for news, at most so long; answers whether there are any. Raises :class:`DatabaseFailed`."""
        try:
            return any(True for _ in self._driver.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error as error:
            lost = OperationalError(None, None, error, connection_invalidated=True)
            raise failure_of(lost, commits=False) or lost from error

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()
