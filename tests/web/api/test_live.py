"""Long work told while it happens: what is not an event is none, and a silence is filled."""

import asyncio
import time
from typing import Any

import pytest

from placet.cli.events import events_of
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.steps import StepName, Steps
from placet.web.api import live
from placet.web.api.live import Work


def told(work: Work) -> str:
    async def read() -> str:
        return "".join([part async for part in live._events(work)])

    return asyncio.run(read())


def test_a_long_step_is_filled_with_comments_that_are_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PING_SECONDS", 0.01)

    def work(listener: Any) -> dict[str, Any]:
        with Steps(listener).step(StepName.INSPECT):
            time.sleep(0.1)
        return {"name": "shop"}

    text = told(work)
    assert ": working\n\n" in text
    assert [event for event, _ in events_of(text.splitlines())] == ["step", "step", "done"]


def test_a_problem_says_at_which_step_and_when() -> None:
    def work(listener: Any) -> dict[str, Any]:
        with Steps(listener).step(StepName.INSPECT):
            raise ModuleProblem(ProblemCode.IMPORT_FAILED, "No.")

    *_, (event, data) = events_of(told(work).splitlines())
    assert event == "problem"
    assert '"step":"inspect"' in data
    assert '"elapsed":' in data


def test_events_without_data_are_passed_over() -> None:
    assert list(events_of(["event: x", "", ": comment", "data: ", "", "data: {}", ""])) == [("message", "{}")]
