"""The pages of the Service Center on a server with much of everything: how long the slowest in twenty takes.

The server runs in a process of its own; one caller asks over one connection. The floor is an empty page of the same
framework, behind the same HTTP server.
"""

import http.client
import math
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from time import perf_counter

from installing import Place
from measuring import Case, Rate, takes_at_most
from over_http import start

from placet.web.console.views import VIEWS

_USAGE = "/service-center/usage"
EXAMPLES = {
    f"{_USAGE}/{{name:str}}": [
        f"{_USAGE}/users?range=1y&unused=1",
        f"{_USAGE}/software_units?range=1y&unused=1",
        f"{_USAGE}/software_units?range=1y&holder=module-7",
        f"{_USAGE}/test_queries",
    ],
}
"""Addresses of the views that have a part in their path: the hardest there are."""
SLOWEST = 0.95
AIM_SECONDS = 0.05


def cases(place: Place) -> Iterator[Case]:
    """Each page, beside an empty one."""
    with ExitStack() as stack:
        amount = "few" if place.small else "many"
        port, token = start("pages", place.directory / "pages", stack, amount)
        floor_port, _ = start("page-floor", place.directory / "page-floor", stack)
        floor = _slowest(floor_port, "/", "none")
        for view, path in ((each, path) for each in VIEWS for path in EXAMPLES.get(each.path, [each.path])):
            name = f"{view.title} ({path}), the slowest in twenty"
            ours = _slowest(port, path, token)
            yield Case(name, ours, floor, "an empty page of Litestar", takes_at_most(AIM_SECONDS))


def _slowest(port: str, path: str, token: str) -> Rate:
    """The rate at which pages would come if each took as long as the slowest in twenty."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
    ask = partial(_ask, connection, path, headers)
    ask()

    def rate(seconds: float) -> float:
        took, ends_at = [], perf_counter() + seconds
        while len(took) < 3 or perf_counter() < ends_at:
            began = perf_counter()
            ask()
            took.append(perf_counter() - began)
        return 1 / sorted(took)[math.ceil(SLOWEST * len(took)) - 1]

    return rate


def _ask(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> None:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or b"</html>" not in body:
        raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")
