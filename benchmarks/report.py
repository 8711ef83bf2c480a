"""What is printed and published: tables, and all of it as JSON."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from growth import Growth
from machine import Machine
from measuring import Figure
from memory import Memory


class Result(NamedTuple):
    """All that a run has found. ``missing`` says why peers were left out, if they were."""

    machine: Machine
    figures: Sequence[Figure]
    growths: Sequence[Growth]
    memories: Sequence[Memory]
    missing: str | None


def as_json(result: Result) -> dict[str, Any]:
    """All of it, for programs. Rates are units a second."""
    return {
        "machine": result.machine._asdict(),
        "figures": [figure._asdict() for figure in result.figures],
        "growth": [{**found._asdict(), "law": found.law} for found in result.growths],
        "memory": [found._asdict() for found in result.memories],
        "left_out": result.missing,
    }


def amount(rate: float, *, per_second: bool) -> str:
    """A rate as a person reads it: units a second, or the time of one."""
    if per_second:
        return f"{rate:,.0f} /s"
    seconds = 1 / rate
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.2f} µs"


def ratio(figure: Figure) -> str:
    """Ours beside the floor, with the quartiles: as a multiple of its rate, or of its time."""
    ends = (figure.lowest, figure.highest) if figure.per_second else (1 / figure.highest, 1 / figure.lowest)
    middle = figure.times if figure.per_second else figure.cost
    return f"{middle:.2f} ({ends[0]:.2f}-{ends[1]:.2f})"


def verdict(figure: Figure) -> str:
    """The aim, and whether it is met."""
    if figure.aim is None:
        return ""
    return f"{figure.aim}: {'met' if figure.is_met else 'MISSED'}"


def terminal(result: Result) -> Iterator[str]:
    """The lines of the tables for a terminal."""
    yield result.machine.text
    for group, some in groupby(result.figures, key=lambda figure: figure.group):
        yield ""
        yield f"{group:68} {'Placet':>14} {'floor':>14}  {'ratio (quartiles)':20} aim"
        for figure in some:
            sides = _sides(figure)
            yield f"  {figure.name:66} {sides[0]:>14} {sides[1]:>14}  {ratio(figure):20} {verdict(figure)}"
    for found in result.growths:
        yield f"growth: {found.what} ({found.database}, {found.of}): {_growing(found)}: {found.law}"
    for memory in result.memories:
        yield f"memory: {memory.what}: {memory.mebibytes:.1f} MiB"
    if result.missing:
        yield f"left out: {result.missing}"


def markdown(result: Result) -> Iterator[str]:
    """The same for the manual."""
    yield result.machine.text
    for group, some in groupby(result.figures, key=lambda figure: figure.group):
        yield from (
            "",
            f"## {group}",
            "",
            "| what | Placet | floor | ratio (quartiles) | aim |",
            "|---|---:|---:|---:|---|",
        )
        for figure in some:
            sides = _sides(figure)
            told = verdict(figure).replace("MISSED", "**missed**")
            yield f"| {figure.name} | {sides[0]} | {sides[1]}: {figure.floor_name} | {ratio(figure)} | {told} |"
    if result.growths:
        yield from ("", "## Growth", "", "| what | stored | time | law |", "|---|---|---|---|")
    for found in result.growths:
        sizes = ", ".join(f"{size:,}" for size in found.sizes)
        yield f"| {found.what} ({found.database}) | {sizes} {found.of} | {_growing(found)} | {found.law} |"
    if result.memories:
        yield from ("", "## Memory", "", "| what is added | MiB |", "|---|---:|")
    for memory in result.memories:
        yield f"| {memory.what} | {memory.mebibytes:.1f} |"
    if result.missing:
        yield from ("", f"Left out: {result.missing}")


def _sides(figure: Figure) -> tuple[str, str]:
    return amount(figure.ours, per_second=figure.per_second), amount(figure.floor, per_second=figure.per_second)


def _growing(found: Growth) -> str:
    return ", ".join(amount(1 / seconds, per_second=False) for seconds in found.seconds)
