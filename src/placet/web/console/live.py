"""Changes told while a page is open: server-sent events (WHATWG HTML, section 9.2), for pages that then ask again.

An event says only that the license, usage or the modules have changed, not what: whoever reads it asks for the page,
which judges anew what its reader may see. A stream ends after a while; the browser asks for it again, and has to show
anew who it is.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable

import anyio.to_thread
from litestar import get
from litestar.response import Stream

from placet.platform.server import PlatformServer
from placet.store import changes
from placet.store.reach import NOT_REACHED
from placet.web.access import Access, requires
from placet.web.api.live import EVENT_STREAM
from placet.web.console.asking import AnyRequest
from placet.web.console.errors import answer_page

LOOK_SECONDS = 1.0
LASTS_SECONDS = 300.0
_AGAIN_MILLISECONDS = 3000


class Watch:
    """Looks at the facts for everybody who waits, once in ``LOOK_SECONDS`` however many they are."""

    def __init__(self, look: Callable[[], Hashable]) -> None:
        self._look = look
        self._turn = asyncio.Lock()
        self._looked_at = float("-inf")
        self._seen: Hashable = None

    async def seen(self) -> Hashable:
        """Answer a value that differs from an earlier one where something has changed since."""
        async with self._turn:
            if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                self._seen = await anyio.to_thread.run_sync(self._look)
                self._looked_at = time.monotonic()
            return self._seen


@get(
    "/service-center/live",
    opt=requires(Access.SIGNED_IN),
    include_in_schema=False,
    exception_handlers={Exception: answer_page},
)
async def live(request: AnyRequest) -> Stream:
    """Tell ``changed`` whenever something has."""
    server: PlatformServer = request.app.state.server
    watch: Watch = request.app.state.setdefault("watch", Watch(lambda: _look(server)))
    return Stream(_events(server, watch), media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


async def _events(server: PlatformServer, watch: Watch) -> AsyncIterator[str]:
    yield f"retry: {_AGAIN_MILLISECONDS}\n\n"
    ends_at = time.monotonic() + LASTS_SECONDS
    seen = await watch.seen()
    while not server.stopping.is_set() and time.monotonic() < ends_at:
        await asyncio.sleep(LOOK_SECONDS)
        now = await watch.seen()
        yield ": here\n\n" if now == seen else "event: changed\ndata:\n\n"
        seen = now


def _look(server: PlatformServer) -> Hashable:
    try:
        with server.guard.database.read() as connection:
            return changes.mark(connection)
    except NOT_REACHED:
        return None
