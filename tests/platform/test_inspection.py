import os
import sys
import time
from pathlib import Path

import pytest

from placet.platform.inspection import count_units, inspect_module
from placet.platform.manifest import read_manifest
from placet.platform.problems import ModuleProblem, ProblemCode
from platform_support.modules import MANIFEST, STARLETTE_APP, write_module
from platform_support.processes import is_gone

EXAMPLES = Path(__file__).parents[2] / "examples"


def problem_with(directory: Path, **options: float) -> ModuleProblem:
    with pytest.raises(ModuleProblem) as caught:
        inspect_module(directory, read_manifest(directory), **options)  # type: ignore[arg-type]
    return caught.value


def test_a_module_is_counted_element_by_element(tmp_path: Path) -> None:
    files = {
        "module.toml": MANIFEST + '[[timer]]\nname = "tidy"\nevery = "5m"\ncall = "orders.app:hello"\n',
        "screens/list.html": "",
        "screens/deep/one.HTML": "",
        "screens/style.css": "",
        "screens/not-a-file.html/readme": "",
        "schema.sql": "CREATE TABLE orders (id); CREATE VIEW recent AS SELECT 1; CREATE INDEX i ON orders (id);",
    }
    module = write_module(tmp_path, files=files)
    manifest = read_manifest(module)
    units = count_units(module, manifest, inspect_module(module, manifest))
    assert units.total == 6
    assert [(element.kind.value, element.name) for element in units.elements] == [
        ("screen", "screens/deep/one.HTML"),
        ("screen", "screens/list.html"),
        ("entity", "orders"),
        ("entity", "recent"),
        ("operation", "GET /"),
        ("timer", "tidy"),
    ]
    assert all(element.why for element in units.elements)


@pytest.mark.parametrize("name", ["hello", "orders"])
def test_the_examples_can_be_inspected(name: str) -> None:
    module = EXAMPLES / name
    assert inspect_module(module, read_manifest(module)).operations


def test_what_a_module_prints_is_not_taken_for_the_result(tmp_path: Path) -> None:
    noise = (
        'import os, sys\nprint(\'{"operations": ["FAKE /"]}\')\nos.write(1, b"x" * 200_000)\nsys.stderr.write("y")\n'
    )
    module = write_module(tmp_path, noise + STARLETTE_APP)
    assert inspect_module(module, read_manifest(module)).operations == ("GET /",)


def test_module_code_sees_nothing_of_the_servers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_SECRET", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LC_TIME", "C")
    module = write_module(tmp_path, "import os\nraise RuntimeError(sorted(os.environ))")
    detail = problem_with(module).detail
    assert "hunter2" not in detail
    names = set(detail.partition("[")[2].partition("]")[0].replace("'", "").split(", "))
    assert names <= {"PATH", "LANG", "TZ", "HOME", "TMPDIR", "PLACET_MODULE", "LC_TIME", "LC_CTYPE"} | {
        name for name in os.environ if name.startswith("LC_")
    }


def test_nothing_is_imported_into_this_process(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    inspect_module(module, read_manifest(module))
    assert "orders" not in sys.modules
    assert not list(module.rglob("__pycache__"))


def test_an_import_failure_names_file_and_line(tmp_path: Path) -> None:
    module = write_module(tmp_path, "import orders.model\n", {"orders/model.py": "x = 1\n\ny = x / 0\n"})
    problem = problem_with(module)
    assert problem.code is ProblemCode.IMPORT_FAILED
    assert (problem.file, problem.line) == ("orders/model.py", 3)
    assert "ZeroDivisionError: division by zero" in problem.detail
    assert "y = x / 0" in (problem.output or "")


def test_a_syntax_error_has_a_position(tmp_path: Path) -> None:
    problem = problem_with(write_module(tmp_path, "x = 1\ny = = 2\n"))
    assert (problem.file, problem.line, problem.position) == ("orders/app.py", 2, 5)


def test_a_failure_outside_the_module_names_the_place_that_led_there(tmp_path: Path) -> None:
    problem = problem_with(write_module(tmp_path, "import json\njson.loads('{')\n"))
    assert (problem.file, problem.line) == ("orders/app.py", 2)


def test_a_missing_requirement_is_an_import_failure(tmp_path: Path) -> None:
    problem = problem_with(write_module(tmp_path, "import no_such_library\n"))
    assert problem.code is ProblemCode.IMPORT_FAILED
    assert "requirements.txt" in problem.detail


@pytest.mark.parametrize(
    ("entrypoint", "said"),
    [
        ("orders.nothing:app", "No module named 'orders.nothing'"),
        ("nothing.app:app", "No module named 'nothing'"),
        ("orders.app:nothing", "orders.app has no 'nothing'"),
        ("orders.app:hello.nothing", "has no 'hello.nothing'"),
        ("orders.app:__name__", "is str, not an ASGI application"),
    ],
)
def test_an_entry_point_that_is_not_there(tmp_path: Path, entrypoint: str, said: str) -> None:
    module = write_module(tmp_path, files={"module.toml": MANIFEST.replace("orders.app:app", entrypoint)})
    problem = problem_with(module)
    assert problem.code is ProblemCode.ENTRYPOINT_MISSING
    assert said in problem.detail


def test_a_hanging_import_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    app = f"""
    import pathlib, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
    print("about to hang", flush=True)
    time.sleep(600)
    """
    module = write_module(tmp_path / "module", app)
    began = time.monotonic()
    problem = problem_with(module, timeout_seconds=2)
    assert time.monotonic() - began < 20
    assert problem.code is ProblemCode.IMPORT_FAILED
    assert "longer than 2 seconds" in problem.detail
    assert "about to hang" in (problem.output or "")
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_what_a_module_leaves_running_ends_with_the_inspection(tmp_path: Path) -> None:
    start = f"""
import pathlib, subprocess, sys, threading, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
threading.Thread(target=time.sleep, args=(600,)).start()
"""
    module = write_module(tmp_path / "module", start + STARLETTE_APP)
    assert inspect_module(module, read_manifest(module)).operations == ("GET /",)
    assert is_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("import os\nos._exit(7)", "status 7"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
        ("x = bytearray(8 * 1024**3)", "MemoryError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "(no message)"),
    ],
)
def test_a_module_that_ends_the_process_is_reported(tmp_path: Path, app: str, said: str) -> None:
    problem = problem_with(write_module(tmp_path, app))
    assert problem.code is ProblemCode.IMPORT_FAILED
    assert said in problem.detail


def test_endless_output_is_cut(tmp_path: Path) -> None:
    app = "import sys\nfor n in range(200_000):\n    print('line', n)\nraise RuntimeError('the end')"
    problem = problem_with(write_module(tmp_path, app))
    assert len((problem.output or "").encode()) <= 8 * 1024
    assert "RuntimeError: the end" in (problem.output or "")


def test_an_enormous_route_table_is_refused(tmp_path: Path) -> None:
    app = "class App:\n    routes = [type('R', (), {'path': '/' + 'x' * 10**6, 'methods': {str(n)}, 'endpoint': len})"
    app += " for n in range(6)]\n    def __call__(self, *_): ...\nApp.routes = [r for r in App.routes]\napp = App()"
    assert "larger than 4,194,304 bytes" in problem_with(write_module(tmp_path, app)).detail


def test_a_schema_that_does_not_work_is_located(tmp_path: Path) -> None:
    module = write_module(tmp_path, files={"schema.sql": "CREATE TABLE a (b);\nCREATE TABEL c (d);\n"})
    problem = problem_with(module)
    assert problem.code is ProblemCode.SCHEMA_INVALID
    assert (problem.file, problem.line, problem.position) == ("schema.sql", 2, 8)


def test_installed_requirements_are_found(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "only_here.py").write_text("VALUE = 1\n")
    module = write_module(tmp_path / "module", "import only_here\n" + STARLETTE_APP)
    assert inspect_module(module, read_manifest(module), site=site).operations == ("GET /",)
