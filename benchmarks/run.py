"""Measure Placet beside its floors: each figure and its floor in the same run, in turns, medians quoted.

``make bench`` runs this and prints a table; ``--json FILE`` writes the figures. A figure is only worth quoting with
the machine and the day it was measured on.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent))

from cases import Pair, allocation_pair, decision_pair, startup_pairs, verification_pair

ROUNDS = 15


def measure(pair: Pair) -> dict[str, float | str]:
    """Time both sides of a pair in turns; answers medians in microseconds, and the median of the rounds' ratios."""
    ours, floors = [], []
    for _ in range(ROUNDS):
        floors.append(_seconds(pair.floor, pair.repeat))
        ours.append(_seconds(pair.ours, pair.repeat))
    return {
        "name": pair.name,
        "floor_name": pair.floor_name,
        "ours_us": statistics.median(ours) * 1e6,
        "floor_us": statistics.median(floors) * 1e6,
        "ratio": statistics.median(mine / floor for mine, floor in zip(ours, floors, strict=True)),
        "aim": pair.aim,
    }


def _seconds(call: Callable[[], object], repeat: int) -> float:
    began = perf_counter()
    for _ in range(repeat):
        call()
    return (perf_counter() - began) / repeat


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        pairs = [
            decision_pair(Path(directory)),
            verification_pair(),
            allocation_pair(Path(directory)),
            *startup_pairs(),
        ]
        figures = [measure(pair) for pair in pairs]
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    print(machine)
    print(f"{'what':44} {'Placet':>12} {'floor':>12} {'ratio':>7}  aim            floor is")
    for item in figures:
        print(
            f"{item['name']:44} {item['ours_us']:>9,.2f} us {item['floor_us']:>9,.2f} us {item['ratio']:>7.2f}  "
            f"{item['aim']:14} {item['floor_name']}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
