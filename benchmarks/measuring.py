"""How it is measured: what is ours and its floor in turns, in several rounds; medians are quoted, with their spread."""

import statistics
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

Call = Callable[[], object]
Rate = Callable[[float], float]
"""Does something for about so many seconds; answers how many units a second that came to."""


class Aim(NamedTuple):
    """What is to be reached. ``text`` says it to the reader."""

    text: str
    is_met: Callable[["Figure"], bool]


class Case(NamedTuple):
    """Something of Placet's and its floor: the least that anybody would write by hand for the same effect."""

    name: str
    ours: Rate
    floor: Rate
    floor_name: str
    aim: Aim | None = None
    per_second: bool = False
    """Whether units a second are shown, rather than the time that one takes."""


class Figure(NamedTuple):
    """What came of a case. Rates are units a second; ``times`` is ours as a multiple of the floor's rate."""

    name: str
    group: str
    floor_name: str
    ours: float
    floor: float
    times: float
    lowest: float
    highest: float
    aim: str | None
    is_met: bool | None
    per_second: bool

    @property
    def cost(self) -> float:
        """The time ours takes as a multiple of the time the floor takes."""
        return 1 / self.times


class Effort(NamedTuple):
    """How much is done: rounds of so many seconds for each side."""

    rounds: int
    seconds: float


SMOKE = Effort(rounds=1, seconds=0.002)
QUICK = Effort(rounds=5, seconds=0.1)
USUAL = Effort(rounds=9, seconds=0.3)


def costs_at_most(multiple: float) -> Aim:
    """At most so many times what the floor takes."""
    return Aim(f"at most {multiple:g} times the floor", lambda figure: figure.cost <= multiple)


def does_at_least(multiple: float) -> Aim:
    """At least so many times as much a second as the floor."""
    return Aim(f"at least {multiple:g} times the floor", lambda figure: figure.times >= multiple)


def reaches(rate: float) -> Aim:
    """At least so much a second."""
    return Aim(f"at least {rate:,.0f} a second", lambda figure: figure.ours >= rate)


def takes_at_most(seconds: float) -> Aim:
    """At most so long."""
    return Aim(f"at most {seconds * 1000:g} ms", lambda figure: 1 / figure.ours <= seconds)


def measure(case: Case, group: str, effort: Effort) -> Figure:
    """Measure both sides of a case in turns. Each round's ratio is of two neighbours in time."""
    ours, floors = [], []
    for number in range(effort.rounds):
        sides = [(case.floor, floors), (case.ours, ours)]
        for rate, found in sides if number % 2 else reversed(sides):
            found.append(rate(effort.seconds))
    times = sorted(mine / floor for mine, floor in zip(ours, floors, strict=True))
    figure = Figure(
        name=case.name,
        group=group,
        floor_name=case.floor_name,
        ours=statistics.median(ours),
        floor=statistics.median(floors),
        times=statistics.median(times),
        lowest=times[len(times) // 4],
        highest=times[-1 - len(times) // 4],
        aim=case.aim and case.aim.text,
        is_met=None,
        per_second=case.per_second,
    )
    return figure._replace(is_met=case.aim.is_met(figure)) if case.aim else figure


def alone(call: Call, *, units: int = 1) -> Rate:
    """One caller. ``call`` is for ``units`` units."""
    known: list[int] = []

    def rate(seconds: float) -> float:
        if not known:
            known.append(_repeat(call, seconds))
        return known[0] * units / _seconds(call, known[0])

    return rate


def _seconds(call: Call, repeat: int) -> float:
    began = perf_counter()
    for _ in range(repeat):
        call()
    return perf_counter() - began


def _repeat(call: Call, seconds: float) -> int:
    """How many calls take about so long."""
    repeat = 1
    while (taken := _seconds(call, repeat)) < seconds / 8:
        repeat *= 4
    return max(1, round(repeat * seconds / taken))


def together(calls: Sequence[Call], *, units: int = 1) -> Rate:
    """As many callers as there are calls, each a thread of this process that calls again and again."""

    def rate(seconds: float) -> float:
        done, took = _together(calls, seconds)
        return done * units / took

    return rate


def _together(calls: Sequence[Call], seconds: float) -> tuple[int, float]:
    ready, counts = threading.Barrier(len(calls) + 1), [0] * len(calls)
    errors: list[BaseException] = []

    def work(place: int, call: Call) -> None:
        count = 0
        ready.wait()
        ends_at = perf_counter() + seconds
        try:
            while not count or perf_counter() < ends_at:
                call()
                count += 1
        except BaseException as error:  # noqa: BLE001 (it is raised where it was measured)
            errors.append(error)
        counts[place] = count

    threads = [threading.Thread(target=work, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(counts), perf_counter() - began
