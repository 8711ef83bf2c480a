import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from placet.platform.timers import Schedule, TimerOrder, serve_timers


def run_through(function: Callable[[], Any], *runs: str) -> set[str]:
    """Have a timer run so often, and answer which runs it says have ended."""

    async def observe() -> set[str]:
        ours, theirs = socket.socketpair()
        serving = asyncio.create_task(serve_timers(theirs, {Schedule(name="tick", call="orders:tick"): function}))
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        writer.writelines(msgspec.json.encode(TimerOrder("tick", run)) + b"\n" for run in runs)
        ended = {(await asyncio.wait_for(reader.readline(), 10)).decode().strip() for _ in runs}
        writer.close()
        await writer.wait_closed()
        await asyncio.wait_for(serving, 10)
        return ended

    return asyncio.run(observe())


def test_a_timer_runs_when_it_is_told_to_and_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    count = 0

    async def tick() -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise ValueError("the first fails")

    with caplog.at_level(logging.ERROR, logger="uvicorn.error"):
        assert run_through(tick, "one", "two") == {"one", "two"}
    assert count == 2
    assert "Timer 'tick' (orders:tick) failed" in caplog.text
    assert "ValueError: the first fails" in caplog.text


def test_a_plain_function_runs_beside_the_event_loop() -> None:
    met: list[bool] = []

    def tick() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            met.append(True)

    assert run_through(tick, "one") == {"one"}
    assert met == [True]
