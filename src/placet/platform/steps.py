"""The steps of a publish, told while they happen."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

import msgspec


class StepName(StrEnum):
    """What a publish does, in this order. The values are stable: clients show and compare them."""

    UNPACK = "unpack"
    REQUIREMENTS = "requirements"
    INSPECT = "inspect"
    ASK = "ask"
    BUILD = "build"
    SCHEMA = "schema"
    START = "start"
    COMMIT = "commit"
    SWITCH = "switch"
    FRONT_ENDS = "front_ends"


class StepState(StrEnum):
    """How far a step is."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step begun or ended. ``elapsed`` is in seconds since the publish began, ``took`` of the step itself."""

    step: StepName
    state: StepState
    elapsed: float
    took: float
    detail: str = ""


class Steps:
    """Tells ``listener`` of each step as it begins and ends. A listener that fails is not told again."""

    def __init__(self, listener: Callable[[Step], None] | None = None) -> None:
        self._listener = listener
        self._began = time.monotonic()
        self._detail = ""
        self.current: StepName | None = None

    @contextmanager
    def step(self, name: StepName) -> Iterator["Steps"]:
        """Do a step in the body; whatever it raises is told as its failure."""
        began, self.current, self._detail = time.monotonic(), name, ""
        self._tell(name, StepState.STARTED, began)
        try:
            yield self
        except BaseException:
            self._tell(name, StepState.FAILED, began)
            raise
        self._tell(name, StepState.DONE, began)

    def say(self, detail: str) -> None:
        """What the step that is under way has found; told when it ends."""
        self._detail = detail

    def _tell(self, name: StepName, state: StepState, began: float) -> None:
        if self._listener is None:
            return
        now = time.monotonic()
        elapsed, took = round(now - self._began, 3), round(now - began, 3)
        try:
            self._listener(Step(step=name, state=state, elapsed=elapsed, took=took, detail=self._detail))
        except Exception:  # noqa: BLE001 - whoever listens has gone; the work goes on
            self._listener = None
