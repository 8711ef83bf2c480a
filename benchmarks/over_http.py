"""Consumption over HTTP: many callers at one server, each answered once what it asked for is on the disk."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from installing import Place
from measuring import Case, Rate, does_at_least

HERE = Path(__file__).parent
CALLERS = 64
PATH = "/api/v1/features/test_queries/consumptions"
BY_THE_ROUTE = "Accept: text/html"
"""Makes a request one that needs Litestar's route: it may be a browser's."""


def cases(place: Place) -> Iterator[Case]:
    """Placet and a transaction for each request, on SQLite, behind the same HTTP server."""
    with ExitStack() as stack:
        ours, floor = (start(kind, place.directory / f"http-{kind}", stack) for kind in ("placet", "floor"))
        by_hand = "bare ASGI and sqlite3, a commit for each"
        name = "metered consumption under a key"
        yield Case(
            f"{name}, {CALLERS} callers", _calling(ours), _calling(floor), by_hand, does_at_least(4), per_second=True
        )
        yield Case(f"{name}, one caller", _calling(ours, 1), _calling(floor, 1), by_hand, per_second=True)
        route = _calling(ours, header=BY_THE_ROUTE)
        yield Case(f"the same by Litestar's route, {CALLERS} callers", route, _calling(floor), by_hand, per_second=True)


def start(kind: str, directory: Path, stack: ExitStack, *options: str) -> tuple[str, str]:
    """Start a server of ``serving.py``; answers its port and a token."""
    directory.mkdir()
    command = [sys.executable, str(HERE / "serving.py"), kind, str(directory), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.enter_context(process)
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.stdin.close)
    port, token = process.stdout.readline().split()
    return port, token


def _calling(server: tuple[str, str], callers: int = CALLERS, header: str = "Accept: */*") -> Rate:
    port, token = server

    def rate(seconds: float) -> float:
        asked = [port, PATH, str(callers), str(seconds), f"Authorization: Bearer {token}", header]
        command = [sys.executable, str(HERE / "callers.py"), *asked]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        answered, took = done.stdout.split()
        return float(answered) / float(took)

    return rate
