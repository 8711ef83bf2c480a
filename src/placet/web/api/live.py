"""Long work told while it happens: server-sent events (WHATWG HTML, section 9.2) for those who ask for them.

``step`` events come as the work goes on; the last event is ``done``, whose data is what the call answers otherwise, or
``problem``, whose data is the problem document. The status is 200 in both cases, because it is sent before the work.
Whoever goes away while it happens does not stop it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.response import Stream

from placet.platform.steps import Step, StepState
from placet.web.problems import to_problem

EVENT_STREAM = "text/event-stream"
PING_SECONDS = 15.0

Work = Callable[[Callable[[Step], None] | None], dict[str, Any]]


def answer(request: Request[Any, Any, Any], work: Work, *, status: int) -> Response[Any]:
    """Do ``work`` and answer its document; to those who accept events, with its steps as they happen."""
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return Response(work(None), status_code=status)
    headers = {"X-Accel-Buffering": "no"}
    return Stream(_events(work), status_code=200, media_type=EVENT_STREAM, headers=headers)


async def _events(work: Work) -> AsyncIterator[str]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None]()
    stopped: dict[str, Any] = {}

    def tell(event: str, document: object) -> None:
        message = f"event: {event}\ndata: {msgspec.json.encode(document).decode()}\n\n"  # JSON has no line ends
        loop.call_soon_threadsafe(queue.put_nowait, message)

    def tell_step(step: Step) -> None:
        stopped.update({"step": step.step, "elapsed": step.elapsed} if step.state is StepState.FAILED else {})
        tell("step", step)

    def run() -> None:
        try:
            tell("done", work(tell_step))
        except Exception as error:  # noqa: BLE001 - to_problem knows what to tell of it
            tell("problem", stopped | to_problem(error).document())
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)

    working = loop.run_in_executor(None, run)
    while True:
        try:
            message = await asyncio.wait_for(queue.get(), PING_SECONDS)
        except TimeoutError:
            yield ": working\n\n"  # a comment: connections that say nothing are cut off on the way
            continue
        if message is None:
            break
        yield message
    await working
