"""Plots as SVG, written by hand: each has its own ground, and colours for light and for dark."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from growth import Growth
from measuring import Figure

Place = Callable[[float, float], tuple[float, float]]
"""From values to a point of the drawing."""
WIDTH, LEFT, RIGHT = 820, 70, 270
TOP, HEIGHT, BOTTOM = 46, 240, 46

_STYLE = """
  .ground { fill: #ffffff } text { fill: #24292f; font: 13px system-ui, sans-serif } .title { font-weight: 600 }
  .rule { stroke: #d0d7de; stroke-width: 1 } .s0 { stroke: #0b5cad } .s1 { stroke: #b45309 } .s2 { stroke: #15803d }
  .s3 { stroke: #a21caf } .s4 { stroke: #57606a } .line { fill: none; stroke-width: 2 } .floor { stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #e6edf3 } .rule { stroke: #30363d } .s0 { stroke: #58a6ff }
    .s1 { stroke: #f0a35e } .s2 { stroke: #56d364 } .s3 { stroke: #e28af0 } .s4 { stroke: #9da7b3 }
  }
"""


class Line(NamedTuple):
    """One line of a plot. ``is_floor`` draws it dashed."""

    name: str
    points: Sequence[tuple[float, float]]
    is_floor: bool = False


def plot(title: str, across: str, lines: Sequence[Line]) -> str:
    """Draw lines over logarithmic axes; ``title`` says what goes up, ``across`` what goes across."""
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = [y for line in lines for _, y in line.points]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    high = max(high, low + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        part = (math.log10(x) - math.log10(xs[0])) / max(math.log10(xs[-1]) - math.log10(xs[0]), 1e-9)
        return LEFT + part * (WIDTH - LEFT - RIGHT), TOP + HEIGHT * (high - math.log10(y)) / (high - low)

    height = TOP + HEIGHT + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
        *_axes(xs, range(low, high + 1), place),
        f'<text x="{LEFT}" y="{height - 8}">{escape(across)}</text>',
        *_drawn(lines, place),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(xs: Sequence[float], powers: Sequence[int], place: Place) -> Iterator[str]:
    for power in powers:
        _, y = place(xs[0], 10.0**power)
        yield f'<path class="rule" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(10.0**power)}</text>'
    for x in xs:
        across, _ = place(x, 10.0 ** powers[0])
        yield f'<text x="{across:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{_short(x)}</text>'


def _drawn(lines: Sequence[Line], place: Place) -> Iterator[str]:
    """The lines, and their names at their ends, moved apart where they would overlap."""
    taken = float("-inf")
    names = []
    for number, line in enumerate(lines):
        points = [place(*point) for point in line.points]
        kind = f"line s{number // 2 if any(each.is_floor for each in lines) else number}"
        kind += " floor" if line.is_floor else ""
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        yield f'<path class="{kind}" d="{path}"/>'
        names.append((points[-1][1], kind, line.name))
    for wanted, kind, name in sorted(names):
        taken = max(wanted, taken + 17)
        start = WIDTH - RIGHT + 6
        yield f'<path class="{kind}" d="M{start} {taken:.1f}h18"/>'
        yield f'<text x="{start + 24}" y="{taken + 4:.1f}">{escape(name)}</text>'


def _short(value: float) -> str:
    for scale, name in ((1e6, " M"), (1e3, " k")):
        if value >= scale:
            return f"{value / scale:g}{name}"
    return f"{value:g}"


def all_plots(figures: Sequence[Figure], growths: Sequence[Growth]) -> Iterator[tuple[str, str]]:
    """The plots of a run: the names of their files, and what is in them."""
    for database in ("SQLite", "PostgreSQL"):
        lines = []
        for what, short in (("allocations", "allocations"), ("metered consumption under a key", "consumption")):
            found = [(callers, _by_name(figures, database, what, callers)) for callers in (1, 4, 16)]
            known = [(callers, figure) for callers, figure in found if figure]
            if known:
                lines.append(Line(short, [(callers, figure.ours) for callers, figure in known]))
                lines.append(Line(f"{short}, by hand", [(callers, figure.floor) for callers, figure in known], True))
        if lines:
            yield f"callers-{database.lower()}.svg", plot(f"{database}: durable a second", "callers (threads)", lines)
    for database in ("sqlite", "postgresql"):
        for of in ("holders", "rows of consumption"):
            some = [found for found in growths if (found.database, found.of) == (database, of)]
            if some:
                lines = [
                    Line(found.what, [(x, y * 1e6) for x, y in zip(found.sizes, found.seconds, strict=True)])
                    for found in some
                ]
                name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database]
                yield f"growth-{database}-{of.split()[0]}.svg", plot(f"{name}: microseconds", of, lines)


def _by_name(figures: Sequence[Figure], group: str, what: str, callers: int) -> Figure | None:
    name = f"{what}, {'one caller' if callers == 1 else f'{callers} callers'}"
    return next((each for each in figures if each.group.startswith(group) and each.name == name), None)
