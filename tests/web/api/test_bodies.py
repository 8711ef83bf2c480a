"""JSON bodies are read strictly: what only looks like a number or a flag is refused, and the field is named."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from console_server import ConsoleServer, running
from contract.surfaces import as_problem

SEATS = "/api/v1/features/private_instances"
METER = "/api/v1/features/test_queries"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    with running(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", f"{METER}/consumptions", {"amount": "1"}, "amount"),
        ("POST", f"{METER}/consumptions", {"amount": True}, "amount"),
        ("POST", f"{METER}/consumptions", {"amount": 1.5}, "amount"),
        ("POST", f"{METER}/consumptions", {"amount": None}, "amount"),
        ("POST", f"{METER}/blocks", {"size": "100"}, "size"),
        ("POST", "/api/v1/blocks/1/return", {"used": "0"}, "used"),
        ("POST", "/api/v1/blocks/1/settle", {"used": "0"}, "used"),
        ("POST", f"{SEATS}/leases", {"ttl": "300"}, "ttl"),
        ("POST", f"{SEATS}/leases", {"queue": 1}, "queue"),
        ("POST", f"{SEATS}/leases", {"queue": "true"}, "queue"),
        ("POST", f"{SEATS}/leases", {"holder": 7}, "holder"),
        ("PUT", f"{SEATS}/reservations/user/maria", {"amount": "1"}, "amount"),
        ("PUT", f"{SEATS}/seat-rules", {"low_water_mark": "1"}, "low_water_mark"),
        ("POST", "/api/v1/license/restore", {"id": "1"}, "id"),
        ("POST", "/api/v1/license/restore", {"id": 1, "acknowledge": "true"}, "acknowledge"),
        ("POST", "/api/v1/license/restore", {"id": 1, "acknowledge": 1}, "acknowledge"),
        ("POST", "/api/v1/modules/shop/queries", {"sql": "SELECT 1", "max_rows": "5"}, "max_rows"),
        ("POST", "/api/v1/users", {"name": 1}, "name"),
        ("POST", "/api/v1/tokens", {"name": "x", "role": 1}, "role"),
        ("POST", "/api/v1/tokens", [], "body"),
    ],
)
def test_what_only_looks_like_it_is_refused(root: httpx2.Client, method: str, path: str, body: Any, field: str) -> None:
    problem = as_problem(root.request(method, path, json=body, headers={"Idempotency-Key": "k"}))
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert problem["detail"].startswith(f"{field}: Expected `")
