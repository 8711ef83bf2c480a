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
import machine
import report
from installing import Place, a_place
from measuring import QUICK, SMOKE, USUAL, Case, Effort, Figure, measure

GROUPS: dict[str, Callable[[Place], Iterator[Case]]] = {
    "Decisions": deciding.cases,
    "SQLite, every commit on the disk": counting.cases_on_sqlite,
    "PostgreSQL, every commit on the disk": counting.cases_on_postgresql,
}


def main() -> None:
    """Measure what is asked for, and print it."""
    arguments = _arguments()
    effort = SMOKE if arguments.smoke else QUICK if arguments.quick else USUAL
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as directory, a_place(Path(directory)) as place:
        found = machine.describe(place)
        figures = list(_figures(place, effort, arguments.only))
    for line in report.terminal(found, figures):
        print(line)
    if arguments.json:
        told = {"machine": found._asdict(), "figures": [figure._asdict() for figure in figures]}
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")


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
    parser.add_argument("--only", default="", metavar="GROUP", help="what has this in the name of its group")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
