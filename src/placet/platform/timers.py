"""Runs a module's timers inside its worker, each when the server says so, and tells the server when it has ended."""

import asyncio
import contextlib
import inspect
import logging
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

_log = logging.getLogger("uvicorn.error")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A timer as a worker needs it: `call` is `package.module:function`."""

    name: str
    call: str


class TimerOrder(msgspec.Struct, frozen=True):
    """Sent to the worker: run a timer. The worker answers with the `run` alone, once it has ended."""

    timer: str
    run: str


async def serve_timers(channel: "socket.socket", timers: "Mapping[Schedule, Callable[[], Any]]") -> None:
    """Do what arrives at `channel`, one order a line, until the server closes it."""
    by_name = {schedule.name: (schedule, function) for schedule, function in timers.items()}
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    with contextlib.closing(writer):
        async with asyncio.TaskGroup() as runs:
            while line := await reader.readline():
                order = msgspec.json.decode(line, type=TimerOrder)
                runs.create_task(_run(*by_name[order.timer], order.run, writer))


async def _run(schedule: Schedule, function: "Callable[[], Any]", run: str, writer: asyncio.StreamWriter) -> None:
    """Run once. A failure is logged with its traceback; the next run comes anyway."""
    try:
        if inspect.iscoroutinefunction(function):
            await function()
        else:
            await asyncio.to_thread(function)
    except Exception:  # noqa: BLE001 - whatever module code raises, the next run comes anyway
        _log.exception("Timer '%s' (%s) failed", schedule.name, schedule.call)
    finally:
        writer.write(run.encode() + b"\n")
