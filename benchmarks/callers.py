"""Callers over HTTP, in a process of their own: each has a connection, and asks again as soon as it is answered.

``python callers.py PORT PATH CALLERS SECONDS HEADER...`` prints how many were answered 201, and in how many
seconds. It is as light as can be, so that it measures the server: no client library, one write and one read a request.
"""

import asyncio
import itertools
import sys
from time import perf_counter
from uuid import uuid4

BODY = b'{"amount":1}'


class Run:
    """What the callers of a run share."""

    def __init__(self, head: bytes, callers: int, seconds: float) -> None:
        self.head = head
        self.keys = itertools.count()
        self.left = callers
        self.answered = 0
        self.wrong: bytes | None = None
        self.ends_at = perf_counter() + seconds
        self.is_over = asyncio.get_running_loop().create_future()


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._answer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again, once there is a whole answer."""
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        announced = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not announced or len(body) < int(announced):
            return
        if not head.startswith(b"HTTP/1.1 201"):
            self._run.wrong = self._answer
        self._answer = b""
        self._run.answered += 1
        if perf_counter() < self._run.ends_at:
            self._ask()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The last one ends the run."""
        self._run.left -= 1
        if self._run.left == 0:
            self._run.is_over.set_result(exc)

    def _ask(self) -> None:
        assert self._transport is not None
        self._transport.write(b"%s%d\r\n\r\n%s" % (self._run.head, next(self._run.keys), BODY))


async def main(port: str, path: str, callers: str, seconds: str, *headers: str) -> None:
    """Call, and tell what came of it."""
    head = (
        *(f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "Content-Type: application/json"),
        *(f"Content-Length: {len(BODY)}", f"Idempotency-Key: {uuid4()}-"),
    )
    began = perf_counter()
    run = Run("\r\n".join(head).encode(), int(callers), float(seconds))
    for _ in range(int(callers)):
        await asyncio.get_running_loop().create_connection(lambda: Caller(run), "127.0.0.1", int(port))
    await run.is_over
    if run.wrong is not None:
        sys.exit(f"not answered as it should be: {run.wrong.decode()}")
    print(run.answered, perf_counter() - began)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
