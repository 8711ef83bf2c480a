import asyncio
import logging

import pytest

from placet.platform.timers import Schedule, run_timer


def test_a_timer_goes_on_after_a_failure_and_never_runs_twice_at_once(caplog: pytest.LogCaptureFixture) -> None:
    running = most = count = 0

    async def observe() -> None:
        done = asyncio.Event()

        async def tick() -> None:
            nonlocal running, most, count
            running, count = running + 1, count + 1
            most = max(most, running)
            await asyncio.sleep(0.02)
            running -= 1
            if count == 1:
                raise ValueError("the first fails")
            if count == 3:
                done.set()

        task = asyncio.create_task(run_timer(Schedule(name="tick", every_seconds=0.001, call="orders:tick"), tick))
        await asyncio.wait_for(done.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.ERROR, logger="uvicorn.error"):
        asyncio.run(observe())
    assert (most, count) == (1, 3)
    assert "Timer 'tick' (orders:tick) failed" in caplog.text
    assert "ValueError: the first fails" in caplog.text


def test_a_plain_function_runs_beside_the_event_loop() -> None:
    async def observe() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tick() -> None:
            # Waits for the loop to answer: it would never, if the loop were busy with this call.
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
            loop.call_soon_threadsafe(done.set)

        task = asyncio.create_task(run_timer(Schedule(name="tick", every_seconds=0.001, call="orders:tick"), tick))
        await asyncio.wait_for(done.wait(), 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(observe())
