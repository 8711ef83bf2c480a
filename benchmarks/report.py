"""What is printed and published: tables, and all of it as JSON."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from machine import Machine
from measuring import Figure


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


def terminal(machine: Machine, figures: Sequence[Figure]) -> Iterator[str]:
    """The lines of the table for a terminal."""
    yield machine.text
    for group, some in groupby(figures, key=lambda figure: figure.group):
        yield ""
        yield f"{group:68} {'Placet':>14} {'floor':>14}  {'ratio (quartiles)':20} aim"
        for figure in some:
            sides = [amount(rate, per_second=figure.per_second) for rate in (figure.ours, figure.floor)]
            yield f"  {figure.name:66} {sides[0]:>14} {sides[1]:>14}  {ratio(figure):20} {verdict(figure)}"


def markdown(machine: Machine, figures: Sequence[Figure]) -> Iterator[str]:
    """The same for the manual."""
    yield machine.text
    for group, some in groupby(figures, key=lambda figure: figure.group):
        yield ""
        yield f"## {group}"
        yield ""
        yield "| what | Placet | floor | ratio (quartiles) | aim |"
        yield "|---|---:|---:|---:|---|"
        for figure in some:
            sides = [amount(rate, per_second=figure.per_second) for rate in (figure.ours, figure.floor)]
            missed = "" if figure.is_met is not False else "**"
            told = f"{missed}{verdict(figure).replace('MISSED', 'missed')}{missed}"
            yield f"| {figure.name} | {sides[0]} | {sides[1]}: {figure.floor_name} | {ratio(figure)} | {told} |"
