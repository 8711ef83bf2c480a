"""JSON bodies are read strictly: what only looks like a number or a flag is refused, and the field is named."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from console_server import ConsoleServer, running
from contract.surfaces import as_problem
from placet.web import words

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
    sent = "[]" if body == [] else json.dumps(body[field])
    assert problem["detail"].startswith(f"{field}: {sent} was sent, which is not allowed. It is ")


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("POST", f"{METER}/blocks", "size: it is missing. It is a whole number from 1 to 1,000,000,000,000."),
        (
            "GET",
            "/api/v1/denials?most=0",
            'most: "0" was sent, which is not allowed. It is a whole number from 1 to 1,000.',
        ),
        (
            "GET",
            "/api/v1/features/A-B/usage",
            "It is a name of 1 to 63 small letters (a to z), digits and _, with a letter",
        ),
    ],
)
def test_what_is_allowed_is_said_in_words(root: httpx2.Client, method: str, path: str, detail: str) -> None:
    told = as_problem(root.request(method, path, json={} if method == "POST" else None))
    assert told["status"] == 400
    assert detail in told["detail"]


def test_what_was_sent_is_told_cut(root: httpx2.Client) -> None:
    told = as_problem(root.post(f"{SEATS}/leases", json={"holder": "a" * 900}))
    assert "… (902 characters) was sent" in told["detail"]
    assert len(told["detail"]) < 250


def test_every_regular_expression_of_a_route_has_words() -> None:
    api = Path(words.__file__).parent / "api"
    written = re.compile(r'pattern=(r?"[^"]+")')
    found = {ast.literal_eval(text) for file in api.glob("*.py") for text in written.findall(file.read_text())}
    assert len(found) > 5
    assert found <= words.PATTERNS.keys()


@pytest.mark.parametrize("body", [b'{"amount": 1, "amount": 2}', b'{"amount": 1, "\\u0061mount": 1}'])
def test_a_member_that_is_given_twice_is_refused_by_its_name(root: httpx2.Client, body: bytes) -> None:
    headers = {"Idempotency-Key": "twice", "Content-Type": "application/json"}
    told = as_problem(root.post(f"{METER}/consumptions", content=body, headers=headers))
    assert told["status"] == 400
    assert told["detail"].startswith("amount: the JSON body has this member more than once")


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a")])
def test_two_keys_are_refused_alike_or_not(root: httpx2.Client, keys: tuple[str, str]) -> None:
    headers = [("Idempotency-Key", key) for key in keys]
    told = as_problem(root.post(f"{METER}/consumptions", json={"amount": 1}, headers=headers))
    assert told["status"] == 400
    assert "has 2 headers Idempotency-Key" in told["detail"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("lease", ["nope", "0" * 36])
def test_a_lease_nobody_has_is_unknown_whatever_its_form(root: httpx2.Client, method: str, lease: str) -> None:
    told = as_problem(root.request(method, f"{SEATS}/leases/{lease}", json={} if method == "PUT" else None))
    assert (told["status"], told["code"]) == (404, "unknown_lease")
