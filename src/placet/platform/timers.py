"""Runs a module's timers inside its worker: each `call` once per `every`, never twice at the same time."""

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("uvicorn.error")


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A timer as a worker needs it: `call` is `package.module:function`."""

    name: str
    every_seconds: float
    call: str


async def run_timer(schedule: Schedule, function: "Callable[[], Any]") -> None:
    """Call `function` every period, for ever. A failure is logged with its traceback; the next call comes anyway."""
    while True:
        await asyncio.sleep(schedule.every_seconds)
        try:
            await _call(function)
        except Exception:  # noqa: BLE001 - whatever module code raises, the next call comes anyway
            _log.exception("Timer '%s' (%s) failed", schedule.name, schedule.call)


async def _call(function: "Callable[[], Any]") -> None:
    if inspect.iscoroutinefunction(function):
        await function()
    else:
        await asyncio.to_thread(function)
