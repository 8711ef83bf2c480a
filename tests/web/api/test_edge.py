"""Published modules behind the edge: what reaches them, what does not, and what comes back."""

import hashlib
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from contract.archives import files_of, zipped
from contract.driver import ServerProcess, VendorDirectory, wait_for
from contract.surfaces import as_problem

pytestmark = pytest.mark.server

LARGE = 20 * 1024 * 1024
APP = f"""
import hashlib, json

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"placet_session=stolen; Path=/"),
               (b"set-cookie", b"own=1"), (b"x-own", b"yes")]
    if scope["path"].endswith("/large"):
        await send({{"type": "http.response.start", "status": 200, "headers": headers}})
        for _ in range({LARGE} // 65536):
            await send({{"type": "http.response.body", "body": b"x" * 65536, "more_body": True}})
        await send({{"type": "http.response.body", "body": b""}})
        return
    told = {{
        "method": scope["method"], "path": scope["path"], "root_path": scope.get("root_path", ""),
        "query": scope["query_string"].decode(), "size": size, "digest": digest.hexdigest(),
        "headers": {{name.decode(): value.decode("latin-1") for name, value in scope["headers"]}},
    }}
    status = 418 if "teapot" in scope["path"] else 200
    await send({{"type": "http.response.start", "status": status, "headers": headers}})
    await send({{"type": "http.response.body", "body": json.dumps(told).encode()}})
"""
LINKS = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route

async def here(request):
    return JSONResponse({"there": request.url_for("there").path, "url": str(request.url)})

async def there(request):
    return RedirectResponse(request.url_for("here").path)

app = Starlette(routes=[Route("/", here, name="here"), Route("/there", there, name="there")])
"""


@pytest.fixture(scope="module", autouse=True)
def published(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))
    for name, source in (("echo", APP), ("links", LINKS)):
        files = files_of(name, 1) | {f"{name}/app.py": source}
        assert server.publish(zipped(files)).status_code == 201
        wait_for(lambda path=f"/apps/{name}/": server.client.get(path).status_code == 200)  # type: ignore[misc]


def told(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def raw(server: ServerProcess, target: str) -> tuple[int, dict[bytes, bytes]]:
    """Ask for a target as it is written; answers the status and the headers exactly as they came."""
    address = urlsplit(server.address)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    status, *lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return int(status.split()[1]), {line.partition(b": ")[0].lower(): line.partition(b": ")[2] for line in lines}


def test_without_its_slash_it_is_sent_on(server: ServerProcess) -> None:
    answer = server.client.get("/apps/echo?a=1&b=%20")
    assert (answer.status_code, answer.headers["location"]) == (308, "/apps/echo/?a=1&b=%20")


@pytest.mark.parametrize(
    ("name", "sent_to"),
    [
        ("%0d%0aX-Evil:%20y", b"/apps/%0D%0AX-Evil%3A%20y/"),
        ("%3Fa=1", b"/apps/%3Fa%3D1/"),
        ("%23x", b"/apps/%23x/"),
        ("%5Cevil.example", b"/apps/%5Cevil.example/"),
        ("%C3%A9", b"/apps/%C3%A9/"),
    ],
)
def test_a_name_stays_in_its_place_when_it_is_sent_on(server: ServerProcess, name: str, sent_to: bytes) -> None:
    status, headers = raw(server, f"/apps/{name}")
    assert (status, headers[b"location"]) == (308, sent_to)
    assert b"x-evil" not in headers


@pytest.mark.parametrize("target", ["/apps//evil.example", "//evil.example", "/apps/..//evil.example", "/apps/%2Fx"])
def test_nobody_is_sent_to_another_site(server: ServerProcess, target: str) -> None:
    status, headers = raw(server, target)
    location = headers.get(b"location", b"/")
    assert status in {308, 400, 404}
    assert location.startswith(b"/")
    assert not location.startswith(b"//")


def test_a_module_nobody_published_is_a_problem(server: ServerProcess) -> None:
    for path, code in (("/apps/nowhere/x", "unknown_module"), ("/personal/nowhere/x", "unknown_instance")):
        answer = server.client.get(path)
        assert (answer.status_code, as_problem(answer)["code"]) == (404, code)
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("area", ["apps", "personal"])
def test_a_browser_gets_a_page_that_says_nothing_of_licenses(server: ServerProcess, area: str) -> None:
    accepted = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = server.client.get(f"/{area}/<b>nowhere/x", headers={"Accept": accepted})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Accept" in answer.headers["vary"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    text = answer.text
    assert "<h1>There is nothing at this address</h1>" in text
    assert "theme.css?v=" in text
    for word in ("licens", "service center", "placet module", "nowhere", "sign in"):
        assert word not in text.lower()


def test_a_module_that_is_not_running_is_told_to_browsers_in_plain_words(server: ServerProcess) -> None:
    ends = "import os\nasync def app(scope, receive, send):\n    if scope['type'] == 'http':\n        os._exit(1)\n"
    run = server.api("POST", "/api/v1/runs", content=zipped(files_of("ends", 1) | {"ends/app.py": ends})).json()
    broken = server.api("GET", run["url"], headers={"Accept": "text/html"})
    assert (broken.status_code, "<h1>Something went wrong</h1>" in broken.text) == (502, True)
    wait_for(lambda: not server.get(f"/api/v1/runs/{run['id']}")["alive"])
    page = server.api("GET", run["url"], headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "<h1>Not available at the moment</h1>" in page.text
    assert as_problem(server.api("GET", run["url"]))["code"] == "module_unavailable"


def test_credentials_of_the_server_are_not_passed_on(server: ServerProcess) -> None:
    cookies = "placet_session=secret; theirs=kept; __Host-placet_session=secret"
    claimed = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil", "Forwarded": "host=evil", "X-Real-IP": "evil"}
    headers = {"Authorization": f"Bearer {server.token}", "Cookie": cookies, "X-Theirs": "kept"} | claimed
    answer = server.client.get("/apps/echo/", headers=headers)
    seen = told(answer)["headers"]
    assert "authorization" not in seen
    assert seen["cookie"] == "theirs=kept"
    assert seen["x-theirs"] == "kept"
    assert "evil" not in str(seen)
    assert seen["x-forwarded-prefix"] == "/apps/echo"
    assert server.token not in answer.text
    assert answer.headers.get_list("set-cookie") == ["own=1"]
    assert answer.headers["x-own"] == "yes"
    basic = told(server.client.get("/apps/echo/", headers={"Authorization": "Basic dGhlaXI6b3du"}))
    assert basic["headers"]["authorization"] == "Basic dGhlaXI6b3du"


@pytest.mark.parametrize(
    ("path", "query"), [("/", ""), ("/a/b", "x=1&x=2&y=%20+"), ("/%2e%2e/x", ""), ("/a%2Fb", "q=%00"), ("//a", "")]
)
def test_path_and_query_arrive_as_they_were_sent(server: ServerProcess, path: str, query: str) -> None:
    status, _ = raw(server, f"/apps/echo{path}?{query}")
    assert status == 200
    if "%2e" not in path:  # a client resolves dots itself, the server does not
        seen = told(server.client.get(f"/apps/echo{path}?{query}"))
        assert (seen["query"], seen["root_path"]) == (query, "/apps/echo")
        assert seen["path"].endswith(path.replace("%2F", "/"))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_and_its_body_arrive(server: ServerProcess, method: str) -> None:
    body = bytes(range(256)) * 4096
    seen = told(server.client.request(method, "/apps/echo/x", content=body))
    assert (seen["method"], seen["size"], seen["digest"]) == (method, len(body), hashlib.sha256(body).hexdigest())


def test_a_body_in_chunks_arrives(server: ServerProcess) -> None:
    seen = told(server.client.post("/apps/echo/x", content=(b"y" * 65536 for _ in range(64))))
    assert seen["size"] == 64 * 65536


def test_a_body_past_the_cap_is_413(server: ServerProcess) -> None:
    answer = server.client.post("/apps/echo/x", content=b"x" * (64 * 1024 * 1024 + 1))
    assert (answer.status_code, as_problem(answer)["code"]) == (413, "request_too_large")


def test_a_large_answer_streams(server: ServerProcess) -> None:
    with server.client.stream("GET", "/apps/echo/large") as answer:
        assert "content-length" not in answer.headers
        assert sum(len(chunk) for chunk in answer.iter_bytes()) == LARGE
    with server.client.stream("GET", "/apps/echo/large") as answer:  # a client that has seen enough
        next(answer.iter_bytes())
    assert told(server.client.get("/apps/echo/"))["size"] == 0


def test_a_modules_own_status_is_its_own(server: ServerProcess) -> None:
    assert server.client.get("/apps/echo/teapot").status_code == 418


def test_the_links_of_a_module_lead_to_it(server: ServerProcess) -> None:
    there = told(server.client.get("/apps/links/"))["there"]
    assert there == "/apps/links/there"
    sent = server.client.get(there)
    assert (sent.status_code, sent.headers["location"]) == (307, "/apps/links/")


def test_a_deleted_module_is_gone(server: ServerProcess) -> None:
    files = files_of("gone", 1)
    assert server.publish(zipped(files)).status_code == 201
    wait_for(lambda: server.client.get("/apps/gone/").status_code == 200)
    assert server.api("DELETE", "/api/v1/modules/gone").status_code == 200
    assert server.client.get("/apps/gone/").status_code == 404


def test_when_a_module_was_last_asked_for_something_is_known(server: ServerProcess) -> None:
    server.client.get("/apps/echo/teapot")
    rehearsed = server.api("POST", "/api/v1/clean-up/modules", json={"unused_days": 1}, params={"dry_run": True})
    assert rehearsed.json() == {"dry_run": True, "units": 0, "modules": [], "more": 0}
    before = told(server.api("GET", "/api/v1/modules/echo"))["last_served_at"]
    assert before is not None
    server.client.get("/apps/echo/teapot")  # whatever it answers
    server.api("POST", "/api/v1/clean-up/modules", json={"unused_days": 1})
    (after,) = [item["last_served_at"] for item in server.get("/api/v1/modules") if item["name"] == "echo"]
    assert after > before
