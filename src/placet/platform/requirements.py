"""Installs what a module's `requirements.txt` asks for, into a directory of that version alone."""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import Finished, bare_environment, run_bounded

REQUIREMENTS_FILE = "requirements.txt"
MAX_REQUIREMENTS_BYTES = 256 * 1024
TIMEOUT_SECONDS = 600.0
_PASSED_TO_PIP = re.compile(
    r"(https?|all|no)_proxy|PIP_\w+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|XDG_(CONFIG|CACHE)_HOME|HOME",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


def install_requirements(
    directory: Path, into: Path, *, python: str = sys.executable, timeout_seconds: float = TIMEOUT_SECONDS
) -> bool:
    """Install the requirements of the module in `directory` into `into`; False when it has none.

    `into` is made, or left as it was when there is nothing to install. Paths in requirements.txt are relative to the
    module. pip gets its own configuration, proxy and certificate settings from the environment, nothing else of it.
    Raises `ModuleProblem` (build_failed) with the last lines of pip's output, and removes what was installed then.
    """
    if not _asks_for_something(directory / REQUIREMENTS_FILE):
        return False
    existed = into.exists()
    try:
        with tempfile.TemporaryDirectory(prefix="placet-pip-", ignore_cleanup_errors=True) as home:
            finished = run_bounded(
                _pip(python, into),
                directory=directory,
                environment=_environment(Path(home)),
                timeout_seconds=timeout_seconds,
                max_result_bytes=0,
            )
        _check(finished, timeout_seconds)
    except BaseException:
        if not existed:
            shutil.rmtree(into, ignore_errors=True)
        raise
    return True


def _asks_for_something(path: Path) -> bool:
    if not path.is_file():
        return False
    if path.stat().st_size > MAX_REQUIREMENTS_BYTES:
        detail = f"{REQUIREMENTS_FILE} is larger than the {MAX_REQUIREMENTS_BYTES // 1024} KiB allowed."
        raise ModuleProblem(ProblemCode.BUILD_FAILED, detail, step="requirements", file=REQUIREMENTS_FILE)
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return any(line.strip() and not line.strip().startswith("#") for line in lines)


def _pip(python: str, into: Path) -> list[str]:
    quiet = [
        "--no-input",
        "--disable-pip-version-check",
        "--no-color",
        "--progress-bar=off",
        "--no-warn-script-location",
    ]
    # -P keeps the module's own directory from being searched for pip.
    return [python, "-P", "-m", "pip", "install", *quiet, f"--target={into.absolute()}", f"-r{REQUIREMENTS_FILE}"]


def _environment(home: Path) -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if _PASSED_TO_PIP.fullmatch(name)}
    return bare_environment(home) | passed


def _check(finished: Finished, timeout_seconds: float) -> None:
    if finished.timed_out:
        detail = f"Installing {REQUIREMENTS_FILE} took longer than {timeout_seconds:g} seconds and was stopped."
    elif finished.returncode != 0:
        said = [line for line in finished.output.splitlines() if line.startswith("ERROR: ")]
        reason = f": {_CREDENTIALS.sub('', said[-1].removeprefix('ERROR: '))[:500]}" if said else ""
        detail = f"pip could not install {REQUIREMENTS_FILE} (status {finished.returncode}){reason}."
    else:
        return
    raise ModuleProblem(
        ProblemCode.BUILD_FAILED,
        f"{detail} Correct the file, or let this server reach the package index it needs.",
        step="requirements",
        file=REQUIREMENTS_FILE,
        output=_CREDENTIALS.sub("", finished.output),
    )
