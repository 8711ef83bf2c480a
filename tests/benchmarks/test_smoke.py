"""The benchmarks run: each case once, with tiny numbers, so that they do not rot between the times they are wanted."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


def test_every_case_runs_and_each_figure_has_its_floor(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, RUN, "--smoke", "--json", tmp_path / "figures.json", "--publish", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "figures.json").read_text())
    assert told["machine"]["sync_us"]
    assert {found["law"] for found in told["growth"]}
    assert told["memory"]
    names = {figure["name"] for figure in told["figures"]}
    assert {"a decision for a switch", "verifying a license", "allocations, 16 callers"} <= names
    assert all(figure["ours"] > 0 and figure["floor"] > 0 for figure in told["figures"])
    assert "| a decision for a switch |" in (tmp_path / "figures.md").read_text()
    plots = sorted(tmp_path.glob("*.svg"))
    assert len(plots) == 6
    for plot in plots:
        assert ET.parse(plot).getroot().tag.endswith("svg")  # noqa: S314 (it is our own)
