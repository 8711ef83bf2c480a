"""HTTP as nobody should speak it: every error is a problem document, and none shows what is inside."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from contract.archives import archive_of, files_of, zipped
from contract.driver import ServerProcess, VendorDirectory, on_each_database, wait_for
from contract.surfaces import as_problem
from placet.license.request import verify_request
from placet.license.terms import Grant

pytestmark = [pytest.mark.server, on_each_database]

SEATS = "/api/v1/features/private_instances"
ARCHIVE_CAP = 64 * 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def licensed(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue(serial=server.serial))
    schema = {"schema.sql": "CREATE TABLE prices (id INTEGER PRIMARY KEY);"}
    assert server.publish(zipped(files_of("shop", 2, **schema))).status_code == 201


def refused(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    problem = as_problem(answer)
    assert answer.status_code in statuses, answer.text
    assert problem["detail"]
    assert "/work" not in answer.text
    assert "site-packages" not in answer.text
    return problem


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api"),
        ("GET", "/api/v1"),
        ("GET", "/api/v2/license"),
        ("GET", "/nowhere"),
        ("GET", "/api/v1/license/nowhere"),
        ("GET", "/apps/nowhere/"),
        ("GET", "/personal/nowhere/"),
        ("GET", "/api/v1/features/nowhere/usage"),
        ("GET", "/api/v1/operations/register_front_end"),
        ("GET", "/api/v1/modules/nowhere"),
        ("GET", f"/api/v1/runs/{'0' * 32}"),
        ("DELETE", f"/api/v1/debug-sessions/{'0' * 32}"),
        ("DELETE", "/api/v1/tokens/4711"),
        ("POST", "/api/v1/users/nobody/deactivate"),
    ],
)
def test_what_is_not_there_is_404(server: ServerProcess, method: str, path: str) -> None:
    refused(server.api(method, path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/license", {"GET", "PUT"}),
        ("POST", "/api/v1/license", {"GET", "PUT"}),
        ("PUT", "/api/v1/modules", {"GET", "POST"}),
        ("PATCH", "/api/v1/modules/shop", {"GET", "DELETE"}),
        ("POST", "/healthz", {"GET"}),
        ("DELETE", "/api/v1/audit", {"GET"}),
    ],
)
def test_what_cannot_be_done_to_it_is_405(server: ServerProcess, method: str, path: str, allowed: set[str]) -> None:
    answer = server.api(method, path)
    refused(answer, 405)
    assert allowed <= {word.strip() for word in answer.headers["allow"].split(",")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", f"/api/v1/{name}") for name in ("license", "license/request", "license/history", "features")),
        *(("GET", f"/api/v1/{name}") for name in ("modules", "modules/shop", "runs", "debug-sessions", "users")),
        *(("GET", f"/api/v1/{name}") for name in ("tokens", "audit", "features/users/usage")),
        *(("POST", f"/api/v1/{name}") for name in ("modules", "runs", "debug-sessions", "users", "tokens")),
        *(("POST", f"/api/v1/{name}") for name in ("license/restore", "modules/shop/queries", "users/x/activate")),
        *(("DELETE", f"/api/v1/{name}") for name in ("modules/shop", "tokens/1")),
        ("PUT", "/api/v1/license"),
        ("PUT", "/api/v1/license/status-list"),
        *(("GET", f"{SEATS}/{name}") for name in ("leases", "queue", "reservations", "seat-rules")),
        *(("POST", f"{SEATS}/leases"), ("DELETE", f"{SEATS}/leases/{'0' * 36}"), ("GET", "/api/v1/denials")),
    ],
)
def test_nobody_is_told_to_sign_in(server: ServerProcess, method: str, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Cookie": "placet_session=x"},
    ):
        answer = server.api(method, path, token=None, headers=headers)
        assert refused(answer, 401)["code"] == "sign_in_required"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "query",
    [
        *("want=teleport", "want=run%3D3", "want=software_units", "want=run&want=run", "until=tomorrow"),
        *(f"want={'x' * 101}", "&".join(["want=run"] * 101), f"wishes={'x' * 1001}", f"until={'1' * 41}", "wishes=%1b"),
    ],
)
def test_what_no_request_asks_for_is_400(server: ServerProcess, query: str) -> None:
    refused(server.api("GET", f"/api/v1/license/request?{query}"), 400)


def test_a_request_asks_for_what_is_wanted(server: ServerProcess) -> None:
    asked = server.api("GET", "/api/v1/license/request?want=run&want=software-units%3D50&until=2040-12-31&wishes=Soon.")
    request, _ = verify_request(asked.content)
    assert request.wanted == {"run": Grant(kind="switch"), "software_units": Grant(kind="limit", limit=50)}
    assert (request.wanted_until, request.wishes) == (2240611200, "Soon.")


def test_odd_credentials_are_none(server: ServerProcess) -> None:
    for value in (f"Basic {server.token}", server.token, f"Bearer {server.token}x", "Bearer " + "x" * 10_000):
        answer = server.api("GET", "/api/v1/license", token=None, headers={"Authorization": value})
        refused(answer, 401)
    for value in (f"bearer {server.token}", f"Bearer   {server.token}"):
        assert server.api("GET", "/api/v1/license", token=None, headers={"Authorization": value}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("PUT", "/api/v1/license", 1024 * 1024 + 1),
        ("PUT", "/api/v1/license/status-list", 1024 * 1024 + 1),
        ("POST", "/api/v1/license/restore", 64 * 1024 + 1),
        ("POST", "/api/v1/users", 64 * 1024 + 1),
        ("POST", "/api/v1/tokens", 64 * 1024 + 1),
        ("POST", "/api/v1/modules/shop/queries", 1024 * 1024 + 1),
        ("POST", "/api/v1/modules", ARCHIVE_CAP + 4096),
        ("POST", "/api/v1/runs", ARCHIVE_CAP + 4096),
    ],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_past_its_cap_is_413(server: ServerProcess, method: str, path: str, size: int, chunked: bool) -> None:
    if chunked and size > ARCHIVE_CAP:
        size = ARCHIVE_CAP + 2 * 1024 * 1024
    pieces = (b"x" * 65536 for _ in range(0, size + 65536, 65536))
    answer = server.api(method, path, content=pieces if chunked else b"x" * size)
    assert refused(answer, 413)["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("/api/v1/users", [b"", b"{", b"[]", b'"x"', b"null", b"{}", b'{"name": 1}', b'{"name": ""}', b"\xff\xfe"]),
        ("/api/v1/users", [b'{"name": "a/b"}', b'{"name": "a\\u0000b"}', b'{"name": "x", "role": "king"}']),
        (
            "/api/v1/users",
            [json.dumps({"name": "x" * 201}).encode(), b'{"name": ["x"]}', b"[" * 5000, b'{"name": "\xed\xa0\x80"}'],
        ),
        (
            "/api/v1/tokens",
            [b"{}", b'{"name": "x", "role": null}', b'{"name": "x", "role": "root"}', b'{"name": null}'],
        ),
        ("/api/v1/license/restore", [b"{}", b'{"id": "one"}', b'{"id": 0}', b'{"id": -1}', b'{"id": 1e400}']),
        (
            "/api/v1/license/restore",
            [b'{"id": 1.5}', b'{"id": 99999999999999999999}', b'{"id": 1, "acknowledge": "no"}'],
        ),
        ("/api/v1/modules/shop/queries", [b"{}", b'{"sql": ""}', b'{"sql": 1}', b'{"sql": "SELECT 1", "max_rows": 0}']),
        (
            "/api/v1/modules/shop/queries",
            [b'{"sql": "SELECT 1", "max_rows": "many"}', b'{"sql": "SELECT 1", "max_rows": -1}'],
        ),
        (
            "/api/v1/modules/shop/queries",
            [b'{"sql": "SELECT 1", "parameters": "x"}', b'{"sql": "SELECT 1", "parameters": {"": 1}}'],
        ),
        ("/api/v1/modules/shop/queries", [json.dumps({"sql": "x" * 102_401}).encode()]),
    ],
)
def test_a_body_of_the_wrong_shape_is_400(server: ServerProcess, path: str, bodies: list[bytes]) -> None:
    for body in bodies:
        refused(server.api("POST", path, content=body, headers={"Content-Type": "application/json"}), 400)
    assert server.get("/api/v1/users") == []


@pytest.mark.parametrize(
    "body",
    [
        {"sql": "SELECT :a", "parameters": {"a": {"b": "c"}}},
        {"sql": "SELECT ?", "parameters": [[1]]},
        {"sql": "SELECT ?", "parameters": [10**40]},
        {"sql": "SELECT :a", "parameters": {}},
        {"sql": "SELECT ?", "parameters": [1, 2]},
        {"sql": "SELECT 1; SELECT 2"},
        {"sql": "-- nothing"},
        {"sql": "SELECT '\x00'"},
        {"sql": "SELECT load_extension('x')"},
        {"sql": "SELECT zeroblob(2000000000)"},
    ],
)
def test_a_query_that_cannot_be_is_told_so(server: ServerProcess, body: dict[str, Any]) -> None:
    problem = refused(server.api("POST", "/api/v1/modules/shop/queries", json=body), 400, 422)
    assert problem["code"].startswith(("query_", "bad_request"))


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_what_a_body_is_called_does_not_matter(server: ServerProcess, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = server.api("POST", "/api/v1/modules/shop/queries", content=b'{"sql": "SELECT 1"}', headers=headers)
    assert answer.status_code == 200 or refused(answer, 400, 415)
    assert refused(server.api("PUT", "/api/v1/license", content=b"{}", headers=headers), 403)["code"] == "no_license"


@pytest.mark.parametrize(
    "query",
    [
        "dryrun",
        "dry-run=1",
        "dry_run=maybe",
        "dry_run=1&dry_run=1",
        "dry_run=0&dry_run=1",
        "DRY_RUN",
        "force=true",
        "x=" + "y" * 3000,
    ],
)
def test_a_flag_that_is_none_is_400_and_nothing_happens(
    server: ServerProcess, vendor: VendorDirectory, query: str
) -> None:
    before = server.get("/api/v1/modules")
    refused(server.api("POST", f"/api/v1/modules?{query}", content=archive_of("stock", 1)), 400)
    assert server.get("/api/v1/modules") == before
    history = server.get("/api/v1/license/history")
    refused(server.api("PUT", f"/api/v1/license?{query}", content=b"{}"), 400)
    assert server.get("/api/v1/license/history") == history


@pytest.mark.parametrize("query", ["dry_run", "dry_run=", "dry_run=1", "dry_run=true", "dry_run=TRUE", "dry_run=yes"])
def test_a_flag_can_be_set_in_the_usual_ways(server: ServerProcess, query: str) -> None:
    assert server.api("POST", f"/api/v1/modules?{query}", content=archive_of("stock", 1)).status_code == 200


@pytest.mark.parametrize("query", ["most=0", "most=1001", "most=-1", "most=x", "before=0", "before=x", "most=1&most=2"])
def test_the_audit_trail_has_its_caps(server: ServerProcess, query: str) -> None:
    answer = server.api("GET", f"/api/v1/audit?{query}")
    assert answer.status_code == 200 if query.count("most=") == 2 else refused(answer, 400)


@pytest.mark.parametrize(
    "name",
    [
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e",
        "%2e%2e%2f",
        "..",
        "a%00b",
        "SHOP",
        "shop%20",
        "x" * 4000,
        "%FF",
        "shop;rm",
        "%0d%0aX:%20y",
    ],
)
def test_names_that_are_none(server: ServerProcess, name: str) -> None:
    for method, path in (
        *(("GET", f"/api/v1/modules/{name}"), ("DELETE", f"/api/v1/modules/{name}")),
        *(("GET", f"/api/v1/features/{name}/usage"), ("GET", f"/api/v1/runs/{name}"), ("GET", f"/problems/{name}")),
        *(("POST", f"/api/v1/users/{name}/deactivate"), ("GET", f"/service-center/static/{name}")),
    ):
        answer = raw(server, f"{method} {path} HTTP/1.1", f"Authorization: Bearer {server.token}")
        assert answer[0] in {400, 404, 405}, (method, path, answer)
        assert "root:" not in answer[1]
    for area in ("apps", "personal"):
        status, text = raw(server, f"GET /{area}/{name}/module.toml HTTP/1.1")
        assert status in {400, 404}, text
    assert [module["name"] for module in server.get("/api/v1/modules")] == ["shop"]


def raw(server: ServerProcess, request_line: str, *headers: str, body: bytes = b"") -> tuple[int, str]:
    """Send a request as it is, without a client's corrections; answers status and text."""
    address = urlsplit(server.address)
    lines = [request_line, f"Host: {address.netloc}", "Connection: close", *headers, "", ""]
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        try:
            connection.sendall("\r\n".join(lines).encode() + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:  # the server has heard enough, and says no more
            return 431, ""
    head, _, text = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), text.decode(errors="replace")


def test_what_is_no_http_is_refused(server: ServerProcess) -> None:
    assert raw(server, "NONSENSE")[0] == 400
    assert raw(server, f"GET /{'x' * 100_000} HTTP/1.1")[0] in {400, 404, 414, 431}
    assert raw(server, "GET /healthz HTTP/1.1", "X: " + "y" * 200_000)[0] in {400, 431}
    twice = ("Content-Length: 5", "Content-Length: 6")
    assert raw(server, "POST /api/v1/users HTTP/1.1", *twice, body=b"hello")[0] == 400
    assert raw(server, "GET http://elsewhere/healthz HTTP/1.1")[0] in {200, 400, 404}
    assert server.api("GET", "/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/apps/shop/", "/apps/nowhere/", "/apps/shop", "/api/v1/license", "/nowhere"])
def test_a_web_socket_is_refused_without_harm(server: ServerProcess, path: str) -> None:
    upgrade = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    address = urlsplit(server.address)
    lines = [f"GET {path} HTTP/1.1", f"Host: {address.netloc}", "Connection: Upgrade", *upgrade, "", ""]
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(12).startswith(b"HTTP/1.1 ")
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    "files",
    [
        {"../outside.txt": "x", **files_of("stock", 1)},
        {"/etc/outside.txt": "x", **files_of("stock", 1)},
        files_of("../stock", 1),
        files_of("Stock", 1),
        files_of("x" * 80, 1),
        {**files_of("stock", 1), "module.toml": "nonsense"},
        {
            **files_of("stock", 1),
            "module.toml": '[module]\nname = "stock"\nversion = "1"\nentrypoint = "stock.app:no"\n',
        },
        {**files_of("stock", 1), "schema.sql": "DROP TABLE x;"},
        {**files_of("stock", 1), "stock/app.py": "def app(:"},
        {**files_of("stock", 1), "stock/app.py": "raise SystemExit(3)"},
        {},
    ],
    ids=[
        "up",
        "absolute",
        "name up",
        "name upper",
        "name long",
        "manifest",
        "entrypoint",
        "schema",
        "syntax",
        "exit",
        "empty",
    ],
)
def test_a_module_that_is_none_leaves_nothing(server: ServerProcess, files: dict[str, str]) -> None:
    answer = server.publish(zipped(files))
    problem = refused_module(answer)
    assert problem["code"].startswith(
        ("package_", "manifest_", "entrypoint_", "schema_", "import_", "build_", "start_")
    )
    assert [module["name"] for module in server.get("/api/v1/modules")] == ["shop"]
    assert {path.name for path in (server.data / "versions").iterdir()} == {"shop"}
    for name in ("staging", "journals", "runs"):
        assert list((server.data / name).iterdir()) == []
    assert not (server.data.parent / "outside.txt").exists()


def refused_module(answer: httpx2.Response) -> dict[str, Any]:
    """A refused module; what its own code printed, its traceback too, is quoted as ``output``."""
    problem: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in {400, 413, 422}, answer.text
    assert (problem["status"], problem["type"]) == (answer.status_code, f"/problems/{problem['code']}")
    return problem


def test_pages_are_for_browsers_and_problems_for_programs(server: ServerProcess) -> None:
    page = server.api("GET", "/api/v1/modules/nowhere", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (404, "text/html")
    for accept in ("application/json", "*/*", "application/problem+json"):
        refused(server.api("GET", "/api/v1/modules/nowhere", headers={"Accept": accept}), 404)


def test_a_code_of_every_problem_has_its_page(server: ServerProcess) -> None:
    known = {entry["code"] for entry in server.api("GET", "/problems/", headers={"Accept": "application/json"}).json()}
    for answer in (
        *(server.api("GET", "/nowhere"), server.api("POST", "/healthz"), server.api("GET", "/api/v1/modules/A")),
        *(server.api("GET", "/api/v1/license", token=None), server.install(b"x" * 2_000_000), server.install(b"")),
        *(server.publish(b"no zip"), server.api("POST", "/api/v1/users", content=b"{")),
    ):
        code = as_problem(answer)["code"]
        assert code in known
        assert server.api("GET", f"/problems/{code}", token=None).status_code == 200


def test_many_at_once_get_an_answer_each(server: ServerProcess) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.api("GET", "/api/v1/license").status_code, range(200)))
    assert answers == [200] * 200


def test_the_server_is_as_well_as_before(server: ServerProcess) -> None:
    wait_for(lambda: server.api("GET", "/apps/shop/").text == "1.0.0")
    assert server.api("GET", "/readyz").status_code == 200
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "internal_error" not in log
    assert "unexpected_error" not in log
    assert server.token not in log
    assert server.cli("admin", "doctor", *server.place).status == 0
