import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from placet.platform.processes import Finished, bare_environment, run_bounded


def run(code: str, tmp_path: Path, **options: float) -> Finished:
    values = {"timeout_seconds": 10.0} | options
    return run_bounded(
        [sys.executable, "-I", "-c", code],
        directory=tmp_path,
        environment=bare_environment(tmp_path),
        given=b"given",
        **values,  # type: ignore[arg-type]
    )


def test_input_output_and_result_are_apart(tmp_path: Path) -> None:
    code = "import os, sys; print('out'); os.write(2, b'err'); os.write(int(sys.argv[-1]), sys.stdin.buffer.read())"
    finished = run(code, tmp_path)
    assert (finished.returncode, finished.result, finished.timed_out) == (0, b"given", False)
    assert "out" in finished.output
    assert "err" in finished.output


def test_without_a_result_there_is_no_argument(tmp_path: Path) -> None:
    assert run("import sys; sys.exit(len(sys.argv))", tmp_path, max_result_bytes=0).returncode == 1


def test_time_is_bounded_even_when_all_pipes_are_closed(tmp_path: Path) -> None:
    began = time.monotonic()
    finished = run("import os, time; os.closerange(1, 100); time.sleep(600)", tmp_path, timeout_seconds=0.5)
    assert (finished.timed_out, finished.returncode) == (True, -9)
    assert time.monotonic() - began < 10


def test_a_result_past_its_bound_is_none(tmp_path: Path) -> None:
    code = "import os, sys\nwhile True: os.write(int(sys.argv[-1]), b'x' * 10000)"
    finished = run(code, tmp_path, max_result_bytes=1000)
    assert (finished.overflowed, finished.result, finished.timed_out) == (True, b"", False)


def test_output_without_end_is_kept_short(tmp_path: Path) -> None:
    finished = run("while True: print('x' * 1000)", tmp_path, timeout_seconds=0.5)
    assert finished.timed_out
    assert len(finished.output) <= 64 * 1024


def test_a_process_that_left_the_group_does_not_hold_the_server_up(tmp_path: Path) -> None:
    code = "import subprocess, sys\n"
    code += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'], start_new_session=True)"
    began = time.monotonic()
    finished = run(code, tmp_path, timeout_seconds=30)
    assert finished.returncode == 0
    assert time.monotonic() - began < 4


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_bounded(["/nowhere/python"], directory=tmp_path, environment={}, timeout_seconds=1)


def test_the_environment_is_bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLACET_TOKEN", "PYTHONPATH", "LD_PRELOAD", "DATABASE_URL", "HTTP_PROXY"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in bare_environment(tmp_path).values()


def test_what_is_started_does_not_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    child = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    parent = (
        "import sys, pathlib; from placet.platform.processes import bare_environment, run_bounded\n"
        "home = pathlib.Path(sys.argv[1])\n"
        f"run_bounded([sys.executable, '-c', {child!r}, str(home / 'pid')], directory=home,"
        " environment=bare_environment(home), timeout_seconds=600)"
    )
    server = subprocess.Popen([sys.executable, "-c", parent, str(tmp_path)])
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid = int((tmp_path / "pid").read_text())
    server.kill()
    server.wait()
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_nothing_is_lost_of_a_child_that_answers_and_ends_at_any_moment(tmp_path: Path) -> None:
    """Children that answer just as the parent looks away: at each look's end, many at once."""

    def answer(number: int) -> bytes:
        pause = 0.05 + number % 40 / 200
        code = f"import os, sys, time; time.sleep({pause}); os.write(int(sys.argv[-1]), b'answer'); os._exit(0)"
        return run(code, tmp_path, timeout_seconds=60.0).result

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(answer, range(240))) == {b"answer"}
