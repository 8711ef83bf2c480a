"""Modules that use too much or crash: each is ended or answered for, and told; the others and the server go on."""

from typing import Any

import pytest

from contract.archives import files_of, zipped
from contract.conftest import MakeServer
from contract.driver import ServerProcess, VendorDirectory, wait_for

pytestmark = pytest.mark.server

GREEDY = """
import os, subprocess, sys

kept = []

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    what = scope["path"].rpartition("/")[2]
    if what == "memory":
        while True:
            kept.append(b"x" * 4_000_000)
    elif what == "mapped":
        import mmap
        kept.append(mmap.mmap(-1, 1024 * 1024 * 1024))  # mapped, and not used
    elif what == "files":
        try:
            while True:
                kept.append(open("/dev/null"))
        except OSError as error:
            what = str(error)
    elif what == "fork":
        while len(kept) < 200:
            kept.append(subprocess.Popen(["sleep", "600"]))
    elif what == "children":
        eats = "import time; kept = 'x' * 60_000_000; time.sleep(600)"
        kept.extend(subprocess.Popen([sys.executable, "-c", eats]) for _ in range(3))
    elif what == "hang":
        import time
        time.sleep(600)
    elif what == "crash":
        os._exit(7)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": what.encode()})
"""


@pytest.fixture(scope="module")
def server(new_server: MakeServer, vendor: VendorDirectory) -> ServerProcess:
    server = new_server("--module-memory", "512MiB", "--module-files", "256")
    server.installed(vendor.issue(serial=server.serial))
    assert server.publish(zipped(files_of("quiet", 1))).status_code == 201
    return server


@pytest.fixture
def greedy(server: ServerProcess) -> ServerProcess:
    files = files_of("greedy", 1) | {"greedy/app.py": GREEDY}
    files["module.toml"] = str(files["module.toml"]) + '\n[limits]\nmemory = "150 MiB"\nfiles = 4096\n'
    assert server.publish(zipped(files)).status_code == 201
    return server


def worker(server: ServerProcess) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/api/v1/modules/greedy")["worker"]
    return found


def ended(server: ServerProcess, how: str) -> str:
    """Have the module do something that ends it; answers what is told of that, once it serves again."""
    assert server.client.get(f"/apps/greedy/{how}").status_code in {200, 502, 503}
    told = wait_for(lambda: worker(server)["last_error"])
    assert server.client.get("/apps/quiet/").status_code == 200
    wait_for(lambda: server.client.get("/apps/greedy/").status_code == 200)
    return str(told)


def test_a_module_that_eats_memory_is_ended_and_told_so(greedy: ServerProcess) -> None:
    told = ended(greedy, "memory")
    assert told.startswith("It used ")
    assert told.endswith(" of the 150 MiB of memory it may use, and was ended.")
    log = (greedy.data / "logs" / "greedy.log").read_text()
    assert told in log


def test_its_processes_count_together(greedy: ServerProcess) -> None:
    assert "of the 150 MiB of memory it may use" in ended(greedy, "children")


def test_memory_that_is_only_mapped_does_not_count(greedy: ServerProcess) -> None:
    before = wait_for(lambda: worker(greedy)["memory"] and worker(greedy))
    assert greedy.client.get("/apps/greedy/mapped").text == "mapped"
    assert worker(greedy)["pid"] == before["pid"]
    assert 10_000_000 < before["memory"] < 150 * 1024 * 1024


def test_a_module_that_leaks_files_is_started_again(greedy: ServerProcess) -> None:
    answer = greedy.client.get("/apps/greedy/files")
    assert "Too many open files" in answer.text or answer.status_code in {502, 503}
    assert (
        wait_for(lambda: worker(greedy)["last_error"]) == "It had 256 of the 256 open files it may have, and was ended."
    )
    wait_for(lambda: greedy.client.get("/apps/greedy/").status_code == 200)


def test_a_module_that_forks_is_ended_with_what_it_started(greedy: ServerProcess) -> None:
    assert " of the 64 it may have, and was ended." in ended(greedy, "fork")


def test_a_module_that_crashes_again_and_again_is_told_from_one_that_starts(server: ServerProcess) -> None:
    files = files_of("crashes", 1)
    app = "import asyncio, os\nasync def app(scope, receive, send):\n    if scope['type'] == 'lifespan':\n"
    app += "        await receive()\n        await send({'type': 'lifespan.startup.complete'})\n"
    app += "        if os.path.exists(os.environ['PLACET_MODULE_DATABASE'] + '.ends'):\n            os._exit(9)\n"
    app += "        await receive()\n    else:\n        open(os.environ['PLACET_MODULE_DATABASE'] + '.ends', 'w')\n"
    app += "        os._exit(9)\n"
    assert server.publish(zipped(files | {"crashes/app.py": app})).status_code == 201
    server.client.get("/apps/crashes/")
    found = wait_for(lambda: _crash_loop(server), within_seconds=60)
    assert found["failures"] >= 5
    assert "status 9" in found["last_error"]
    answer = server.client.get("/apps/crashes/")
    assert (answer.status_code, answer.json()["code"]) == (503, "module_crashing")
    assert "status 9" not in answer.text
    page = server.client.get("/apps/crashes/", headers={"Accept": "text/html"})
    assert (page.status_code, "status 9" in page.text) == (503, False)
    assert server.client.get("/readyz").status_code == 200
    assert server.client.get("/apps/quiet/").status_code == 200


def _crash_loop(server: ServerProcess) -> dict[str, Any] | None:
    found: dict[str, Any] = server.get("/api/v1/modules/crashes")["worker"]
    return found if found["state"] == "crash_loop" else None
