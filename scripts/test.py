"""Run every test in two processes, with branch coverage, and hold the rules packages to all of theirs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

RULES = "src/placet/license/*,src/placet/enforcement/*"
WHOLE_AT_LEAST = "90"


def main() -> int:
    """Answer the exit status: that of the tests, or of the coverage they have to reach."""
    for old in Path.cwd().glob(".coverage*"):
        old.unlink()
    python = [sys.executable, "-m"]
    environment = os.environ | {"COVERAGE_PROCESS_START": str(Path("pyproject.toml").resolve())}
    tests = subprocess.run(
        [*python, "coverage", "run", "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *sys.argv[1:]],
        env=environment,
        check=False,
    )
    if tests.returncode != 0 or len(sys.argv) > 1:
        return tests.returncode
    subprocess.run([*python, "coverage", "combine", "--quiet"], check=False)
    whole = subprocess.run([*python, "coverage", "report", f"--fail-under={WHOLE_AT_LEAST}"], check=False)
    rules = subprocess.run([*python, "coverage", "report", f"--include={RULES}", "--fail-under=100"], check=False)
    shutil.rmtree("build/coverage", ignore_errors=True)
    return whole.returncode or rules.returncode


if __name__ == "__main__":
    sys.exit(main())
