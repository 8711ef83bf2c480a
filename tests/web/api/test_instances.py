"""Private instances are their developer's own: who sees them, who reaches them, what they begin with, when they end."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from console_server import ConsoleServer, running
from contract.archives import files_of, zipped
from contract.surfaces import as_problem
from placet.platform import instance_database, instances
from placet.platform.instance_database import make_database
from placet.platform.problems import ModuleProblem, ProblemCode
from placet.platform.schema_files import Wanted
from placet.store.credentials import Role

SCHEMA = "CREATE TABLE notes (text TEXT);\nINSERT INTO notes VALUES ('of the schema');\n"
APP = """
import json, os, sqlite3

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    database = sqlite3.connect(os.environ["PLACET_MODULE_DATABASE"])
    if scope["method"] == "POST":
        with database:
            database.execute("INSERT INTO notes VALUES ('private')")
    told = {
        "notes": [text for (text,) in database.execute("SELECT text FROM notes")],
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "query": scope["query_string"].decode(),
    }
    database.close()
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"placet_personal=evil; Path=/")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""
ARCHIVE = zipped(files_of("notes", 1) | {"notes/app.py": APP, "schema.sql": SCHEMA})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    with running(tmp_path / "data") as server:
        server.install()
        yield server


def started(client: httpx2.Client, kind: str = "runs", **options: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/{kind}", content=ARCHIVE, **options)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def browser(server: ConsoleServer) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, timeout=30, trust_env=False)


@pytest.mark.parametrize("kind", ["runs", "debug-sessions"])
def test_others_find_none(server: ConsoleServer, ann: httpx2.Client, bob: httpx2.Client, kind: str) -> None:
    own = started(ann, kind)
    where = f"/api/v1/{kind}/{own['id']}"
    assert ann.get(where).json()["link"] == own["link"]
    assert bob.get(f"/api/v1/{kind}").json() == []
    nobodys = as_problem(bob.get(f"/api/v1/{kind}/{'0' * 32}"))
    for told in (as_problem(bob.get(where)), as_problem(bob.delete(where))):
        assert told == nobodys
        assert (told["status"], told["code"]) == (404, "unknown_instance")
    assert ann.get(where).json()["alive"] is True
    assert ann.delete(where).json() == {"id": own["id"], "stopped": True}


def test_an_administrator_sees_that_it_is_there_and_may_stop_it(
    server: ConsoleServer, ann: httpx2.Client, root: httpx2.Client
) -> None:
    own = started(ann, "debug-sessions")
    where = f"/api/v1/debug-sessions/{own['id']}"
    (listed,) = root.get("/api/v1/debug-sessions").json()
    for seen in (listed, root.get(where).json()):
        assert (seen["id"], seen["started_by"]) == (own["id"], "ann")
        assert not {"link", "output", "host", "port", "remote_root"} & seen.keys()
    assert as_problem(root.get(own["url"]))["code"] == "unknown_instance"
    assert root.delete(where).status_code == 200
    assert as_problem(ann.get(where))["code"] == "unknown_instance"


def test_who_reaches_it(server: ConsoleServer, ann: httpx2.Client, bob: httpx2.Client, root: httpx2.Client) -> None:
    own, other = started(ann), started(bob)
    assert ann.get(own["url"]).status_code == 200
    with browser(server) as nobody:
        for client in (bob, root, nobody):
            told = as_problem(client.get(own["url"]))
            assert (told["status"], told["code"]) == (404, "unknown_instance")
        for stolen in ("-", "x", own["id"], other["link"].partition("=")[2]):
            assert nobody.get(f"{own['url']}?placet_key={stolen}").status_code == 404
            assert nobody.get(own["url"], headers={"Cookie": f"placet_personal={stolen}"}).status_code == 404
            assert nobody.get(own["url"], headers={"Authorization": f"Bearer {stolen}"}).status_code == 404
        assert nobody.post(own["link"]).status_code == 404, "a key is for following a link, not for a form"
        assert nobody.get(own["url"], headers={"Authorization": "Bearer " + "x" * 5000}).status_code == 404
        assert bob.get(own["link"]).status_code == 404, "a token is judged as what it is"


def test_a_token_that_was_revoked_reaches_nothing(server: ConsoleServer, ann: httpx2.Client) -> None:
    own = started(ann)
    made = server.platform.people.create_token("ann", Role.DEVELOPER, actor="test")
    headers = {"Authorization": f"Bearer {made[1]}"}
    with browser(server) as program:
        assert program.get(own["url"], headers=headers).status_code == 200
        server.platform.people.revoke_token(made[0], actor="test")
        assert program.get(own["url"], headers=headers).status_code == 404


def test_a_link_lets_a_browser_in(server: ConsoleServer, ann: httpx2.Client) -> None:
    own, other = started(ann), started(ann)
    with browser(server) as client:
        sent_on = client.get(f"{own['url']}deep?a=1&placet_key={own['link'].partition('=')[2]}&b=%20")
        assert (sent_on.status_code, sent_on.headers["location"]) == (303, f"{own['url']}deep?a=1&b=%20")
        cookie = sent_on.headers["set-cookie"]
        assert f"; Path={own['url']}; Max-Age=28800; HttpOnly; SameSite=Lax" in cookie
        assert "Secure" not in cookie
        assert own["link"].partition("=")[2] not in cookie
        assert (sent_on.headers["cache-control"], sent_on.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert client.get(sent_on.headers["location"]).status_code == 200
        assert client.post(own["url"]).status_code == 200
        assert client.get(other["url"]).status_code == 404
        assert client.get(own["link"]).status_code == 303, "a link followed again is made clean again"


def test_the_module_sees_no_key_cookie_or_token(server: ConsoleServer, ann: httpx2.Client) -> None:
    own = started(ann)
    key = own["link"].partition("=")[2]
    with browser(server) as client:
        admitted = client.get(own["link"]).headers["set-cookie"].partition(";")[0]
        by_cookie = client.post(f"{own['link']}&x=1", headers={"Cookie": f"{admitted}; theirs=kept"})
    by_token = ann.get(f"{own['link']}&x=1")
    for answer in (by_cookie, by_token):
        assert answer.json()["query"] == "x=1"
        assert key not in answer.text
        assert admitted not in answer.text
        assert "authorization" not in answer.text
        assert "set-cookie" not in answer.headers
    assert ["cookie", "theirs=kept"] in by_cookie.json()["headers"]


def test_it_begins_with_what_is_published_and_leaves_it_alone(server: ConsoleServer, ann: httpx2.Client) -> None:
    published = server.platform.layout.module_database("notes")
    with closing(sqlite3.connect(published)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('published');")
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO notes VALUES ('not committed')")
        copied, empty = started(ann), started(ann, params={"empty": True})
    assert (copied["database"], empty["database"]) == ("published", "schema")
    assert ann.post(copied["url"]).json()["notes"] == ["published", "private"]
    assert ann.post(empty["url"]).json()["notes"] == ["of the schema", "private"]
    with closing(sqlite3.connect(published)) as database:
        assert database.execute("SELECT text FROM notes").fetchall() == [("published",)]


def test_a_snapshot_gets_what_the_new_schema_adds(tmp_path: Path) -> None:
    published, own = tmp_path / "published.sqlite3", tmp_path / "own.sqlite3"
    with closing(sqlite3.connect(published)) as database:
        database.executescript("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('published');")
    wanted = Wanted(schema=SCHEMA + "CREATE TABLE more (x INT);\nINSERT INTO more VALUES (1);\n")
    make_database(own, wanted, published)
    with closing(sqlite3.connect(own)) as database:
        rows = database.execute("SELECT text, x FROM notes, more").fetchall()
    assert rows == [("published", 1)]


def test_what_cannot_be_copied_is_a_problem(tmp_path: Path) -> None:
    published, own = tmp_path / "published.sqlite3", tmp_path / "own.sqlite3"
    with closing(sqlite3.connect(published)) as database:
        database.executescript("CREATE TABLE notes (text TEXT);")
    with pytest.raises(ModuleProblem, match=r"has 8,192 bytes, and at most 8,191 are copied.*--empty") as caught:
        make_database(own, Wanted(schema=SCHEMA), published, most_bytes=8191)
    assert caught.value.code is ProblemCode.DATABASE_TOO_LARGE
    published.write_bytes(b"no database at all" * 1000)
    with pytest.raises(ModuleProblem, match=r"could not be copied: file is not a database.*--empty") as caught:
        make_database(own, Wanted(schema=SCHEMA), published)
    assert caught.value.code is ProblemCode.DATABASE_NOT_COPIED


def test_what_cannot_be_copied_starts_nothing(server: ConsoleServer, ann: httpx2.Client) -> None:
    server.platform.layout.module_database("notes").write_bytes(b"no database at all" * 1000)
    told = as_problem(ann.post("/api/v1/runs", content=ARCHIVE))
    assert (told["status"], told["code"], told["step"]) == (422, "database_not_copied", "database")
    assert list(server.platform.layout.runs.iterdir()) == []
    assert instance_database.MOST_COPIED_BYTES == 512 * 1024 * 1024


def test_one_that_nobody_uses_is_stopped(server: ConsoleServer, ann: httpx2.Client) -> None:
    used, unused = started(ann), started(ann)
    assert (used["idle_seconds"], used["last_used_at"]) == (1800, used["started_at"])
    for _ in range(2):
        server.clock.go(timedelta(minutes=20))
        assert ann.get(used["url"]).status_code == 200
    server.platform.instances.stop_expired()
    assert [item["id"] for item in ann.get("/api/v1/runs").json()] == [used["id"]]
    assert as_problem(ann.get(unused["url"]))["code"] == "unknown_instance"
    with server.platform.instances.find(used["id"]).activity.use():  # a stream, a WebSocket, a debugger
        server.clock.go(timedelta(hours=7))
        server.platform.instances.stop_expired()
        assert ann.get(f"/api/v1/runs/{used['id']}").status_code == 200
        server.clock.go(timedelta(hours=1))
        server.platform.instances.stop_expired()
    assert ann.get(f"/api/v1/runs/{used['id']}").status_code == 404


def test_a_developer_may_have_so_many(
    server: ConsoleServer, ann: httpx2.Client, bob: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "MOST_OF_ONE_DEVELOPER", 1)
    own = started(ann)
    told = as_problem(ann.post("/api/v1/debug-sessions", content=ARCHIVE))
    assert (told["status"], told["code"]) == (409, "too_many_instances")
    assert told["detail"].startswith("1 private instances of yours are running")
    started(bob)
    assert ann.delete(f"/api/v1/runs/{own['id']}").status_code == 200
    started(ann)


@pytest.mark.parametrize("query", ["full", "empty=maybe", "empty&empty"])
def test_what_is_no_parameter_is_refused(ann: httpx2.Client, query: str) -> None:
    assert as_problem(ann.post(f"/api/v1/runs?{query}", content=ARCHIVE))["code"] == "bad_request"
