"""Two libraries that count against limits on Redis, here with each write on the disk before it is answered.

They are measured only where a ``redis-server`` is on the path and the packages can be imported; nothing else needs
them.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from installing import LIMIT, Place, a_guard
from measuring import Call, Case, alone, together

CALLERS = 16
_HOW = "apt-get install redis-server, and pip install --group bench"


def missing() -> str | None:
    """Answer what the peers lack here, and how to get it."""
    lacking = [name for name in ("limits", "escrowmint", "redis") if find_spec(name) is None]
    if shutil.which("redis-server") is None:
        lacking.insert(0, "redis-server")
    return f"the peers on Redis, for want of {', '.join(lacking)} ({_HOW})." if lacking else None


def cases(place: Place) -> Iterator[Case]:
    """Metered consumption on SQLite, beside what the peers do; theirs stands in the column of the floor."""
    if missing():
        return
    with ExitStack() as stack:
        guard = a_guard(place.sqlite("peers"), stack)
        port = stack.enter_context(_redis(place.directory))
        for name, theirs in (("limits", _limits(port)), ("escrowmint", _escrowmint(port, stack))):
            ours = partial(guard.consume, "calls")
            yield Case(f"consumption beside {name}, one caller", alone(ours), alone(theirs), name, per_second=True)
            both = (together([ours] * CALLERS), together([theirs] * CALLERS))
            yield Case(f"consumption beside {name}, {CALLERS} callers", *both, name, per_second=True)


def _limits(port: int) -> Call:
    """A fixed window, as ``limits`` counts it; it knows no idempotency keys."""
    from limits import RateLimitItemPerYear  # noqa: PLC0415
    from limits.storage import RedisStorage  # noqa: PLC0415
    from limits.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    limiter = FixedWindowRateLimiter(RedisStorage(f"redis://127.0.0.1:{port}/0"))
    item = RateLimitItemPerYear(LIMIT)

    def hit() -> None:
        assert limiter.hit(item, "calls")

    return hit


def _escrowmint(port: int, stack: ExitStack) -> Call:
    """A quota, each time under a new idempotency key, as with :meth:`Guard.consume`."""
    from escrowmint import Client  # noqa: PLC0415

    client = stack.enter_context(Client.from_url(f"redis://127.0.0.1:{port}/1"))
    client.seed_available("calls", LIMIT)

    def consume() -> None:
        assert client.try_consume("calls", 1, idempotency_key=str(uuid4())).applied

    return consume


@contextmanager
def _redis(directory: Path) -> Iterator[int]:
    """A Redis server whose every write is on the disk; answers its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    told = {"port": str(port), "bind": "127.0.0.1", "dir": str(directory), "appendonly": "yes", "save": ""}
    settings = [part for name, value in (told | {"appendfsync": "always"}).items() for part in (f"--{name}", value)]
    process = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)  # noqa: S607
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    with socket.socket() as client:
        while client.connect_ex(("127.0.0.1", port)) != 0:
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.02)
