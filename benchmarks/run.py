"""Measure Placet beside its floors: each figure and its floor in the same run, in turns, medians quoted.

``make bench`` runs this and prints tables. A figure is only worth quoting with the machine and the day it was measured
on. Callers are threads of one process, unless a case says otherwise.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import counting
import deciding
import growth
import machine
import memory
import over_http
import pages
import peers
import plots
import report
from installing import Place, a_place
from measuring import QUICK, SMOKE, USUAL, Case, Effort, Figure, measure

GROUPS: dict[str, Callable[[Place], Iterator[Case]]] = {
    "Decisions": deciding.cases,
    "SQLite, every commit on the disk": counting.cases_on_sqlite,
    "PostgreSQL, every commit on the disk": counting.cases_on_postgresql,
    "HTTP, SQLite, every commit on the disk": over_http.cases,
    "Pages of the Service Center, SQLite, a million rows of usage": pages.cases,
    "Peers on Redis, appendfsync always": peers.cases,
}


def main() -> None:
    """Measure what is asked for, print it, and write it where it is wanted."""
    arguments = _arguments()
    effort = SMOKE if arguments.smoke else QUICK if arguments.quick else USUAL
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as directory, a_place(Path(directory)) as place:
        result = _measured(place._replace(small=arguments.smoke), effort, arguments)
    for line in report.terminal(result):
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(result), indent=1) + "\n")
    if arguments.publish:
        arguments.publish.mkdir(exist_ok=True)
        (arguments.publish / "figures.md").write_text("\n".join(report.markdown(result)) + "\n")
        for name, drawn in plots.all_plots(result.figures, result.growths):
            (arguments.publish / name).write_text(drawn)


def _measured(place: Place, effort: Effort, arguments: argparse.Namespace) -> report.Result:
    found = machine.describe(place)
    figures = list(_figures(place, effort, arguments.only))
    growths, memories = [], []
    if not arguments.only or arguments.only.lower() == "growth":
        print("measuring: growth", file=sys.stderr)
        growths = list(growth.growths(place, effort, smoke=arguments.smoke, full=arguments.full))
    if not arguments.only or arguments.only.lower() == "memory":
        print("measuring: memory", file=sys.stderr)
        memories = memory.steps(place.sqlite("memory"), calls=100 if arguments.smoke else 100_000)
    return report.Result(found, figures, growths, memories, peers.missing())


def _figures(place: Place, effort: Effort, only: str) -> Iterator[Figure]:
    for group, cases in GROUPS.items():
        if only.lower() not in group.lower():
            continue
        for case in cases(place):
            print(f"measuring: {group}: {case.name}", file=sys.stderr)
            yield measure(case, group, effort)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="in a minute, less exactly")
    parser.add_argument("--smoke", action="store_true", help="each case once: does it run at all?")
    parser.add_argument(
        "--only", default="", metavar="GROUP", help="what has this in the name of its group; or growth, or memory"
    )
    parser.add_argument("--full", action="store_true", help="with ten million rows of consumption: minutes more")
    parser.add_argument("--publish", type=Path, metavar="DIR", help="write the manual's table and plots there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
