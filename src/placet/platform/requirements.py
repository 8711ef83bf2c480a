"""Installs what a module's `requirements.txt` asks for, with uv, into a directory of that version alone.

Packages are copied out of the cache, not linked: a module that writes into its own cannot change another's.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import uv

from placet.platform.package_indexes import settings_for_uv
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.processes import Finished, bare_environment, passed_on, run_bounded

REQUIREMENTS_FILE = "requirements.txt"
MAX_REQUIREMENTS_BYTES = 256 * 1024
TIMEOUT_SECONDS = 600.0
_PASSED_ON = re.compile(
    r"(https?|all|no)_proxy|(PIP|UV)_\w+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|XDG_CONFIG_(HOME|DIRS)|HOME",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@|[^/\s:@]+:[^/\s:@]+@")
_PLACE = re.compile(rf"{re.escape(REQUIREMENTS_FILE)}:(\d+):(\d+)")
_OFFSET = re.compile(rf"in `{re.escape(REQUIREMENTS_FILE)}` at position (\d+)")
_REASON = re.compile(r"^(?:error:|\s*[\u00d7\u2570\u251c]\S*)\s*(.+(?:\n {6,}.+)*)", re.MULTILINE)


def install_requirements(
    directory: Path,
    into: Path,
    *,
    cache: Path | None = None,
    python: str = sys.executable,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> bool:
    """Install the requirements of the module in `directory` into `into`; False when it has none.

    `into` is made, or left as it was when there is nothing to install. `cache` keeps packages for the next time. Paths
    in requirements.txt are relative to the module. Indexes, proxies and certificates are those pip and uv are told of
    on this machine; nothing else of the environment is passed on. Raises `ModuleProblem` (build_failed) with the last
    lines of the output, and removes what was installed then.
    """
    if not _asks_for_something(directory / REQUIREMENTS_FILE):
        return False
    existed = into.exists()
    try:
        with tempfile.TemporaryDirectory(prefix="placet-uv-", ignore_cleanup_errors=True) as home:
            environment = bare_environment(Path(home)) | passed_on(_PASSED_ON)
            environment |= {"UV_CACHE_DIR": str((cache or Path(home, "cache")).absolute())}
            environment |= settings_for_uv(Path(home), environment, python=python)
            finished = run_bounded(
                _install(python, into),
                directory=directory,
                environment=environment,
                timeout_seconds=timeout_seconds,
                max_result_bytes=0,
            )
        _check(finished, directory, timeout_seconds)
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


def _install(python: str, into: Path) -> list[str]:
    quiet = ["--quiet", "--no-progress", "--color=never", "--no-python-downloads"]
    how = ["--link-mode=copy", "--compile-bytecode", f"--python={python}"]
    return [uv.find_uv_bin(), "pip", "install", *quiet, *how, f"--target={into.absolute()}", f"-r{REQUIREMENTS_FILE}"]


def _check(finished: Finished, directory: Path, timeout_seconds: float) -> None:
    said = _CREDENTIALS.sub("", finished.output.replace(f"{directory.absolute()}/", ""))
    if finished.timed_out:
        detail = f"Installing {REQUIREMENTS_FILE} took longer than {timeout_seconds:g} seconds and was stopped."
    elif finished.returncode != 0:
        reasons = [" ".join(found.split()) for found in _REASON.findall(said)]
        reason = f": {'; '.join(reasons)[:500].rstrip('.')}" if reasons else ""
        detail = f"{REQUIREMENTS_FILE} could not be installed{reason}."
    else:
        return
    line, position = _place(said, directory)
    raise ModuleProblem(
        ProblemCode.BUILD_FAILED,
        f"{detail} Correct the file, or let this server reach the package index it needs.",
        step="requirements",
        file=REQUIREMENTS_FILE,
        line=line,
        position=position,
        output=said,
    )


def _place(said: str, directory: Path) -> tuple[int | None, int | None]:
    """Answer line and position in the file, from 1, where uv tells them: by themselves, or by an offset in bytes."""
    if found := _PLACE.search(said):
        return int(found[1]), int(found[2])
    if found := _OFFSET.search(said):
        before = (directory / REQUIREMENTS_FILE).read_bytes()[: int(found[1])]
        return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return None, None
