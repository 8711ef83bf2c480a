"""Run every test in two processes, with branch coverage, and hold the rules packages to all of theirs.

With arguments, they go to pytest, and coverage is not judged.
"""

import subprocess
import sys
from pathlib import Path

RULES = "src/placet/license/*,src/placet/enforcement/*"
WHOLE_AT_LEAST = 85
_AS_FOUND = "--no-loadscope-reorder"
"""By the number of tests, those that start servers came last: few to a file, and long, so that one process waits."""


def main() -> int:
    """Answer the exit status: that of the tests, or of the coverage they have to reach."""
    for old in Path.cwd().glob(".coverage*"):
        old.unlink()
    tests = _coverage("run", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", _AS_FOUND, *sys.argv[1:])
    if tests != 0 or len(sys.argv) > 1:
        return tests
    _coverage("combine", "--quiet")
    whole = _coverage("report", f"--fail-under={WHOLE_AT_LEAST}")
    return whole or _coverage("report", f"--include={RULES}", "--fail-under=100")


def _coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
