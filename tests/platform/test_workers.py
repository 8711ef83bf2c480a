import os
import signal
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from contract.driver import wait_for
from placet.platform.manifest import Timer
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.workers import start_worker
from platform_support.modules import STARLETTE_APP, write_module
from platform_support.processes import assert_adapter_gone, is_gone
from platform_support.workers import client, fetch, running, spec_for

SHOWING_APP = """
import json, os, sys
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def show(request):
    environment = dict(os.environ)
    scope = {key: request.scope.get(key) for key in ("path", "root_path", "scheme", "client")}
    url = str(request.url_for("show"))
    return JSONResponse({"environment": environment, "scope": scope, "url": url, "path": sys.path, "cwd": os.getcwd()})

app = Starlette(routes=[Route("/show", show, name="show")])
"""


def start_problem(module: Path, logs: Path, **options: Any) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        start_worker(spec_for(module, logs), **options)
    return caught.value


def test_a_worker_serves_as_soon_as_it_is_returned(tmp_path: Path) -> None:
    module = write_module(tmp_path / "module")
    worker = start_worker(spec_for(module, tmp_path))
    try:
        assert worker.is_alive()
        assert fetch(worker.socket_path) == "hello"
        assert len(os.fsencode(worker.socket_path)) < 108
        assert stat.S_IMODE(worker.socket_path.parent.stat().st_mode) == 0o700
        assert worker.debugger is None
    finally:
        worker.stop()
    assert not worker.is_alive()
    assert not worker.socket_path.parent.exists()
    worker.stop()


@pytest.mark.parametrize("debug", [False, True])
def test_the_list_of_processes_names_the_module_and_its_version(tmp_path: Path, *, debug: bool) -> None:
    module = write_module(tmp_path / "module")
    with running(spec_for(module, tmp_path, debug=debug)) as worker:
        arguments = Path(f"/proc/{worker.pid}/cmdline").read_bytes().split(b"\0")
    assert b"orders 1.2.0" in arguments


def test_the_environment_holds_nothing_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_TOKEN", "secret")
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    monkeypatch.setenv("TZ", "UTC")
    module = write_module(tmp_path / "module", SHOWING_APP)
    with running(spec_for(module, tmp_path)) as worker, client(worker.socket_path) as opened:
        shown = opened.get("/show").json()
    environment = shown["environment"]
    allowed = {"PATH", "LANG", "TZ", "HOME", "TMPDIR", "PLACET_MODULE", "PLACET_MODULE_DATABASE"}
    assert {name for name in environment if not name.startswith("LC_")} <= allowed
    assert environment["PLACET_MODULE"] == "orders"
    assert environment["PLACET_MODULE_DATABASE"] == str(tmp_path / "orders.db")
    assert environment["HOME"] == str(worker.socket_path.parent)
    assert environment["TZ"] == "UTC"
    assert shown["cwd"] == str(module)
    assert shown["path"][0] == str(module)


def test_links_carry_the_prefix(tmp_path: Path) -> None:
    module = write_module(tmp_path / "module", SHOWING_APP)
    with running(spec_for(module, tmp_path)) as worker, client(worker.socket_path) as opened:
        forwarded = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
        shown = opened.get("/show", headers={"host": "example.org"} | forwarded).json()
    assert shown["url"] == "https://example.org/apps/orders/show"
    assert shown["scope"]["path"] == "/apps/orders/show"
    assert shown["scope"]["root_path"] == "/apps/orders"
    assert shown["scope"]["client"][0] == "203.0.113.9"


def test_installed_requirements_come_after_the_module_and_before_the_server(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "only_here.py").write_text("VALUE = 'from the site'\n")
    (site / "orders").mkdir()
    (site / "orders" / "__init__.py").write_text("raise RuntimeError('the wrong one')")
    app = STARLETTE_APP.replace('"hello"', "only_here.VALUE")
    module = write_module(tmp_path / "module", "import only_here\n" + app)
    with running(spec_for(module, tmp_path, site=site)) as worker:
        assert fetch(worker.socket_path) == "from the site"


def test_an_import_failure_names_file_and_line(tmp_path: Path) -> None:
    problem = start_problem(write_module(tmp_path / "module", "print('so far')\n\nx = 1 / 0\n"), tmp_path)
    assert problem.code is ProblemCode.IMPORT_FAILED
    assert (problem.file, problem.line, problem.step) == ("orders/app.py", 3, "start")
    assert "so far" in (problem.output or "")
    assert "x = 1 / 0" in (problem.output or "")


def test_a_missing_entry_point(tmp_path: Path) -> None:
    assert start_problem(write_module(tmp_path / "module", "x = 1\n"), tmp_path).code is ProblemCode.ENTRYPOINT_MISSING


LIFESPAN_APP = """
import contextlib, pathlib
from starlette.applications import Starlette

@contextlib.asynccontextmanager
async def lifespan(app):
    {start}
    yield
    {stop}

app = Starlette(lifespan=lifespan)
"""


def test_a_failing_start_names_file_and_line(tmp_path: Path) -> None:
    app = LIFESPAN_APP.format(start="raise RuntimeError('no database')", stop="pass")
    problem = start_problem(write_module(tmp_path / "module", app), tmp_path)
    assert problem.code is ProblemCode.START_FAILED
    assert (problem.file, problem.line) == ("orders/app.py", 6)
    assert "RuntimeError: no database" in problem.detail


def test_a_start_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    app = LIFESPAN_APP.format(
        start=f"import asyncio, os; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); await asyncio.Future()",
        stop="pass",
    )
    problem = start_problem(write_module(tmp_path / "module", app), tmp_path, ready_timeout_seconds=2)
    assert problem.code is ProblemCode.START_FAILED
    assert "not ready after 2 seconds" in problem.detail
    assert is_gone(int(marker.read_text()))


@pytest.mark.parametrize(
    ("app", "said"),
    [("import os\nos._exit(9)", "status 9"), ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal 11")],
)
def test_a_process_that_ends_while_it_starts(tmp_path: Path, app: str, said: str) -> None:
    problem = start_problem(write_module(tmp_path / "module", app), tmp_path)
    assert problem.code is ProblemCode.START_FAILED
    assert said in problem.detail


def test_stopping_lets_a_request_end_and_runs_the_lifespan(tmp_path: Path) -> None:
    marker = tmp_path / "stopped"
    app = f"""
    import asyncio, contextlib, pathlib
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        pathlib.Path({str(marker)!r}).write_text("yes")

    async def slow(request):
        pathlib.Path({str(tmp_path / "under-way")!r}).touch()
        await asyncio.sleep(1)
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/", slow)], lifespan=lifespan)
    """
    os.mkfifo(tmp_path / "under-way")
    module = write_module(tmp_path / "module", app.replace(".touch()", ".write_text('x')"))
    worker = start_worker(spec_for(module, tmp_path))
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(fetch(worker.socket_path)))
    thread.start()
    (tmp_path / "under-way").read_text()
    worker.stop()
    thread.join()
    assert answers == ["done"]
    assert marker.read_text() == "yes"


def test_a_worker_that_ignores_the_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    app = f"""
import pathlib, signal, subprocess, sys
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
import uvicorn
uvicorn.Server.handle_exit = lambda *_: None
"""
    worker = start_worker(spec_for(write_module(tmp_path / "module", app + STARLETTE_APP), tmp_path))
    worker.stop(0.5)
    assert not worker.is_alive()
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_what_it_prints_is_in_the_log(tmp_path: Path) -> None:
    app = 'import os, sys\nprint("to stdout")\nprint("to stderr", file=sys.stderr)\nos.write(1, b"raw\\n")\n'
    module = write_module(tmp_path / "module", app + STARLETTE_APP)
    worker = start_worker(spec_for(module, tmp_path))
    worker.stop()
    texts = [line.partition(" ")[2] for line in worker.tail(500).splitlines()]
    assert texts[:3] == ["to stdout", "to stderr", "raw"]
    assert worker.tail(1).count("\n") == 1
    assert worker.tail(0) == ""


def test_timers_run_when_they_are_told_to_and_their_failures_are_logged(tmp_path: Path) -> None:
    jobs = """
    import asyncio
    async def quiet():
        await asyncio.Future()
    def fail():
        raise ValueError("this one fails")
    """
    module = write_module(tmp_path / "module", files={"orders/jobs.py": jobs})
    day = timedelta(days=1)
    timers = tuple(Timer(name=name, every=day, call=f"orders.jobs:{name}") for name in ("quiet", "fail"))
    with running(spec_for(module, tmp_path, timers=timers)) as worker:
        worker.run_timer("quiet", "run-1")
        for run in ("run-2", "run-3"):
            worker.run_timer("fail", run)
            wait_for(lambda run=run: worker.timer_ended(run))  # type: ignore[misc]
        assert not worker.timer_ended("run-1")
        assert fetch(worker.socket_path) == "hello"
    assert worker.tail(500).count("ValueError: this one fails") == 2


def test_a_module_cannot_hold_its_server_up_by_the_line_of_its_timers(tmp_path: Path) -> None:
    app = (
        STARLETTE_APP
        + """
import os, socket, threading
def flood(number):
    try:
        while True:
            os.write(number, b"nonsense" * 8192)
    except OSError:
        pass
for name in os.listdir("/proc/self/fd"):
    if os.path.exists(f"/proc/self/fd/{name}") and os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
        threading.Thread(target=flood, args=(int(name),), daemon=True).start()
"""
    )
    timers = (Timer(name="tick", every=timedelta(seconds=1), call="orders.app:hello"),)
    with running(spec_for(write_module(tmp_path / "module", app), tmp_path, timers=timers)) as worker:
        for number in range(100):
            worker.run_timer("tick", str(number))
            assert not worker.timer_ended("never")


def test_a_timer_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    timers = (Timer(name="tick", every=timedelta(seconds=1), call="orders.jobs:tick"),)
    with pytest.raises(ModuleProblem, match=r"No module named 'orders\.jobs'"):
        start_worker(spec_for(write_module(tmp_path / "module"), tmp_path, timers=timers))


PARENT = """
import sys, time
from pathlib import Path
sys.path[:0] = {path!r}
from platform_support.workers import spec_for
from placet.platform.workers import start_worker
worker = start_worker(spec_for(Path({module!r}), Path({logs!r}), debug={debug!r}))
group = worker.guardian or 0
print(worker.pid, group, worker.debugger.port if worker.debugger else 0, worker.socket_path, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("debug", [False, True])
def test_a_worker_goes_when_the_server_is_killed(tmp_path: Path, debug: bool) -> None:
    child = "import subprocess, sys, pathlib\n"
    child += "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    child += f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(c.pid))\n"
    module = write_module(tmp_path / "module", child + STARLETTE_APP)
    path = [str(Path(__file__).parents[1])]
    script = dedent(PARENT).format(path=path, module=str(module), logs=str(tmp_path), debug=debug)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        pid, group, port, socket_path = parent.stdout.readline().split()
        assert fetch(Path(socket_path)) == "hello"
        parent.send_signal(signal.SIGKILL)
    assert is_gone(int(pid))
    assert not Path(socket_path).parent.exists()
    assert is_gone(int((tmp_path / "pid").read_text()))
    if debug:
        assert_adapter_gone(int(group), int(port))


def test_an_interpreter_that_is_not_there_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(FileNotFoundError):
        start_worker(spec_for(write_module(tmp_path / "module"), tmp_path), python="/nowhere/python")
    assert list(temporary.iterdir()) == []


def test_a_long_temporary_directory_is_not_used_for_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with running(spec_for(write_module(tmp_path / "module"), tmp_path)) as worker:
        assert fetch(worker.socket_path) == "hello"
        assert len(os.fsencode(worker.socket_path)) < 108
    assert list(long.iterdir()) == []
