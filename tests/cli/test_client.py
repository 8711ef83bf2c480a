"""Client commands against a real server: what they print, what they print as JSON, and how they end."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contract.archives import archive_of, directory_of, files_of
from contract.driver import Done, ServerProcess, VendorDirectory, placet

pytestmark = pytest.mark.server

FILES = files_of("shop", 3, **{"schema.sql": "CREATE TABLE prices (id INTEGER PRIMARY KEY, price REAL);"})


@pytest.fixture(scope="module")
def license_file(server: ServerProcess, vendor: VendorDirectory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("license") / "example.license"
    path.write_bytes(vendor.issue(serial=server.serial))
    server.installed(path.read_bytes())
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory_of(tmp_path_factory.mktemp("module") / "shop", FILES)


def both(server: ServerProcess, *arguments: object) -> Done:
    """Run a command for people and for programs; the JSON parses. Answers what people are told."""
    people = server.cli(*arguments)
    programs = server.cli(*arguments, "--json")
    for done in (people, programs):
        assert (done.status, done.err) == (0, ""), done.err
    json.loads(programs.out)
    return people


def test_the_license_for_people_and_for_programs(
    server: ServerProcess, license_file: Path, vendor: VendorDirectory, tmp_path: Path
) -> None:
    status = both(server, "license", "status").out
    assert "Licensed to    Example Industries" in status
    assert any(line.split() == ["Software", "Units", "100", "0", "within", "limit"] for line in status.splitlines())
    both(server, "license", "install", license_file, "--dry-run")
    both(server, "license", "install", license_file)
    assert "example industries" in both(server, "license", "history").out.lower()
    both(server, "license", "restore", "1")
    both(server, "license", "show", license_file, "--trust", vendor.trust)
    both(server, "license", "request", "--out", tmp_path / "request.json")


def test_a_license_shown_without_trust_is_not_verified(server: ServerProcess, license_file: Path) -> None:
    shown = server.cli("license", "show", license_file)
    assert shown.status == 0
    assert shown.message.startswith("Not verified")
    assert server.cli("license", "show", license_file, "--json").json()["verified"] is False


def test_modules_for_people_and_for_programs(server: ServerProcess, license_file: Path, source: Path) -> None:
    assert "No module is published." in both(server, "module", "list").out
    assert "Nothing was changed." in both(server, "module", "publish", source, "--dry-run").out
    published = both(server, "module", "publish", source).out.splitlines()
    assert published[0].startswith("Published shop 1.0.0: 4 Software Units (")
    table = both(server, "module", "list").out.splitlines()
    assert table[0].split() == ["NAME", "VERSION", "UNITS", "WORKER", "PUBLISHED", "LAST", "REQUEST"]
    assert table[0].index("UNITS") + len("UNITS") == table[1].index(" 4 ") + 2  # numbers stand to the right
    assert "Why it counts".upper() in both(server, "module", "show", "shop").out
    query = server.cli("module", "query", "shop", "SELECT 1 AS one, NULL AS none, x'00ff' AS bytes")
    assert (query.status, query.out.splitlines()[0].split()) == (0, ["ONE", "NONE", "BYTES"])
    as_json = server.cli("module", "query", "shop", "SELECT 1 AS one, x'00ff' AS bytes", "--json").json()
    assert as_json["rows"] == [[1, {"base64": "AP8="}]]
    assert server.cli("module", "delete", "shop", "--json").json()["deleted"] is True


def test_private_instances_for_people_and_for_programs(server: ServerProcess, license_file: Path, source: Path) -> None:
    for command in ("run", "debug"):
        told = server.cli("module", command, source)
        assert told.status == 0, told.err
        assert f"{server.address}/personal/" in told.out
        instance = told.out.rpartition("placet module stop ")[2].split()[0]
        assert told.out.splitlines()[-1].startswith("Otherwise it is stopped at 2")
        assert server.cli("module", "stop", instance).out == "Stopped.\n"
        started = server.cli("module", command, source, "--json").json()
        assert server.cli("module", "stop", started["id"], "--json").json() == {"id": started["id"], "stopped": True}
        again = server.cli("module", "stop", started["id"])
        assert (again.status, again.out) == (1, "")


def test_users_for_people_and_for_programs(server: ServerProcess, license_file: Path) -> None:
    assert "There are no users." in both(server, "user", "list").out
    assert server.cli("user", "add", "maria").status == 0
    assert server.cli("user", "add", "joão", "--json").json()["name"] == "joão"
    for command in ("deactivate", "activate"):
        both(server, "user", command, "maria")
    assert [line.split()[0] for line in both(server, "user", "list").out.splitlines()] == ["NAME", "joão", "maria"]
    odd = server.cli("user", "add", "a b%2F?&#é")
    assert odd.status == 0
    assert server.cli("user", "deactivate", "a b%2F?&#é").status == 0


def test_the_operator_for_people_and_for_programs(server: ServerProcess, license_file: Path) -> None:
    data = ("--data", server.data)
    both(server, "admin", "doctor", *data)
    assert (
        server.cli("admin", "token", *data, "--role", "developer", "--name", "x", "--json").json()["role"]
        == "developer"
    )
    link = server.cli("admin", "sign-in", *data, "--server", server.address)
    assert link.out.startswith(f"{server.address}/service-center/sign-in?code=")
    assert server.client.get(link.out.strip()).headers["location"] == "/service-center/"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", ".", "a/b", "A", "x" * 5000, "é", "%2e%2e", " ", "-"])
def test_names_that_are_none_are_refused_and_no_more(server: ServerProcess, name: str) -> None:
    for command in (("module", "delete"), ("module", "show"), ("user", "deactivate")):
        done = server.cli(*command, "--", name)
        assert (done.status in {1, 3}, done.out) == (True, ""), (command, done)
        assert done.message
        assert "as a Placet server does" not in done.message


def test_a_broken_module_says_where_and_is_status_3(server: ServerProcess, license_file: Path, tmp_path: Path) -> None:
    wrong = FILES | {"shop/app.py": "import nonsense_that_is_not_there\n"}
    done = server.cli("module", "publish", directory_of(tmp_path / "wrong", wrong))
    assert (done.status, done.out) == (3, "")
    assert "nonsense_that_is_not_there" in done.err
    assert "Where: shop/app.py, line 1" in done.err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert server.cli("module", "publish", empty).status == 3
    text = tmp_path / "module.zip"
    text.write_text("no zip at all")
    assert server.cli("module", "publish", text).status == 3
    text.write_bytes(archive_of("shop", 1))
    assert server.cli("module", "publish", text, "--dry-run").status == 0


def test_files_that_cannot_be_read_or_written_are_status_3(
    server: ServerProcess, license_file: Path, tmp_path: Path
) -> None:
    missing = server.cli("license", "install", tmp_path / "missing.license")
    assert (missing.status, missing.message) == (3, f"{tmp_path}/missing.license: No such file or directory.")
    assert server.cli("license", "install", tmp_path).status == 3
    assert server.cli("license", "request", "--out", tmp_path / "no" / "such" / "directory").status == 3
    assert server.cli("license", "request", "--out", "-").status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        *(["license", "status"], ["license", "history"], ["license", "request"], ["license", "restore", "1"]),
        *(["module", "list"], ["module", "show", "x"], ["module", "delete", "x"], ["module", "query", "x", "SELECT 1"]),
        *(["module", "stop", "x"], ["user", "list"], ["user", "add", "x"], ["user", "activate", "x"]),
    ],
    ids=" ".join,
)
def test_a_server_that_is_not_there_is_status_3(arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    done = placet(*arguments, PLACET_SERVER=nobody, PLACET_TOKEN="plt_secret")
    assert (done.status, done.out) == (3, "")
    assert done.message.startswith(f"The server at {nobody} cannot be reached")
    assert "plt_secret" not in done.err


def test_without_a_token_it_is_refused(server: ServerProcess) -> None:
    done = placet("license", "status", PLACET_SERVER=server.address)
    assert (done.status, done.out) == (1, "")
    assert done.message.startswith("This needs a token")
    spaced = placet("license", "status", PLACET_SERVER=f"{server.address}/", PLACET_TOKEN=f" {server.token}\r\n")
    assert spaced.status == 0


@contextmanager
def another_server(body: bytes, status: int = 200, kind: str = "text/html") -> Iterator[str]:
    """A web server that is no Placet server."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<h1>It works!</h1>", 200, "text/html"),
        (b"<h1>Not found</h1>", 404, "text/html"),
        (b"{", 200, "application/json"),
        (b'"text"', 403, "application/json"),
        (b'{"error": "x"}', 500, "application/json"),
        (b"", 302, "text/html"),
    ],
)
@pytest.mark.parametrize("command", ["status", "history"])
def test_a_server_that_is_no_placet_server_is_status_3(body: bytes, status: int, kind: str, command: str) -> None:
    with another_server(body, status, kind) as address:
        done = placet("license", command, PLACET_SERVER=address, PLACET_TOKEN="x")
        assert (done.status, done.out) == (3, "")
        assert "not as a Placet server does" in done.message


def test_what_a_server_says_cannot_play_with_the_terminal() -> None:
    evil = "\x1b]0;owned\x07\u202egpj.exe"
    problem = {"detail": evil, "remedy": evil, "code": "x", "status": 403}
    with another_server(json.dumps(problem).encode(), 403, "application/problem+json") as address:
        done = placet("license", "status", PLACET_SERVER=address, PLACET_TOKEN="x")
    assert done.status == 1
    assert not {"\x1b", "\x07", "\u202e"} & set(done.err)
