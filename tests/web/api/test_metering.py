"""Metered features over HTTP: a key counts once, blocks are given back or settled; on each database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from builders import EVERYTHING
from console_server import ConsoleServer, running
from contract.surfaces import as_problem
from placet.license import Grant
from store_support.fixtures import on_sqlite_alone

FEATURE = "/api/v1/features/test_queries"
CONSUMPTIONS = f"{FEATURE}/consumptions"


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[ConsoleServer]:
    """A server with ten test queries a month."""
    with running(tmp_path / "data", database_url=database_url) as server:
        server.install(features={**EVERYTHING, "test_queries": Grant(kind="metered", limit=10)})
        yield server


def consume(client: httpx2.Client, key: str, amount: int = 1) -> httpx2.Response:
    return client.post(CONSUMPTIONS, json={"amount": amount}, headers={"Idempotency-Key": key})


def used(client: httpx2.Client) -> int:
    feature: dict[str, Any] = client.get(f"{FEATURE}/usage").json()
    return int(feature["used"])


def test_a_key_counts_once(ann: httpx2.Client) -> None:
    first, again = consume(ann, "k1", 3), consume(ann, "k1", 3)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {"feature": "test_queries", "key": "k1", "amount": 3, "replayed": False, "warnings": []}
    assert again.json()["replayed"] is True
    assert used(ann) == 3


def test_a_key_used_for_another_amount_is_told(ann: httpx2.Client) -> None:
    consume(ann, "k1", 3)
    problem = as_problem(consume(ann, "k1", 4))
    assert (problem["status"], problem["code"]) == (422, "idempotency_key_reused")
    assert used(ann) == 3


def test_what_is_not_left_is_refused_with_the_numbers(ann: httpx2.Client) -> None:
    consume(ann, "k1", 8)
    problem = as_problem(consume(ann, "k2", 3))
    assert (problem["status"], problem["code"]) == (403, "limit_reached")
    assert (problem["used"], problem["limit"], problem["requested"]) == (8, 10, 3)
    assert consume(ann, "k3", 2).status_code == 201
    assert used(ann) == 10


@on_sqlite_alone
@pytest.mark.parametrize("key", [None, "", "k" * 201, "a\tb", "schlüssel"])
def test_a_key_is_needed(ann: httpx2.Client, key: str | None) -> None:
    headers: dict[str, bytes] = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
    problem = as_problem(ann.post(CONSUMPTIONS, json={"amount": 1}, headers=headers))
    assert (problem["status"], problem["code"]) == (400, "idempotency_key_required")
    assert used(ann) == 0


@on_sqlite_alone
@pytest.mark.parametrize(
    "body", [{"amount": 0}, {"amount": -1}, {"amount": 10**13}, {"amount": "many"}, {"units": 1}, []]
)
def test_what_is_no_consumption(ann: httpx2.Client, body: Any) -> None:
    answer = ann.post(CONSUMPTIONS, json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 400
    assert used(ann) == 0


@on_sqlite_alone
@pytest.mark.parametrize("name", ["software_units", "run", "unheard_of"])
def test_what_is_no_metered_feature(ann: httpx2.Client, name: str) -> None:
    url = f"/api/v1/features/{name}"
    answer = ann.post(f"{url}/consumptions", json={"amount": 1}, headers={"Idempotency-Key": "k"})
    assert as_problem(answer)["code"] == "unknown_feature"
    assert as_problem(ann.post(f"{url}/blocks", json={"size": 1}))["code"] == "unknown_feature"


def test_the_limit_holds_for_many_at_once(server: ConsoleServer, ann: httpx2.Client) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: consume(ann, f"k{number}").status_code, range(40)))
    assert (answers.count(201), answers.count(403)) == (10, 30)
    assert used(ann) == 10


def test_a_block_is_counted_until_it_is_given_back(ann: httpx2.Client, root: httpx2.Client) -> None:
    block = ann.post(f"{FEATURE}/blocks", json={"size": 6}).json()
    assert (block["size"], block["holder"], block["used"]) == (6, "ann", None)
    assert used(ann) == 6
    assert [item["id"] for item in root.get("/api/v1/blocks").json()] == [block["id"]]
    returned = ann.post(f"/api/v1/blocks/{block['id']}/return", json={"used": 2})
    assert (returned.status_code, returned.json()["used"], returned.json()["closed_by"]) == (200, 2, "ann")
    assert used(ann) == 2
    assert root.get("/api/v1/blocks").json() == []
    again = ann.post(f"/api/v1/blocks/{block['id']}/return", json={"used": 2})
    assert (again.status_code, again.json()) == (200, returned.json())
    other = as_problem(ann.post(f"/api/v1/blocks/{block['id']}/return", json={"used": 3}))
    assert (other["status"], other["code"], used(ann)) == (404, "unknown_block", 2)


def test_a_block_left_behind_is_settled_by_an_administrator_and_audited(
    server: ConsoleServer, ann: httpx2.Client, root: httpx2.Client
) -> None:
    block_id = ann.post(f"{FEATURE}/blocks", json={"size": 6}).json()["id"]
    assert as_problem(ann.post(f"/api/v1/blocks/{block_id}/settle", json={"used": 1}))["code"] == "role_required"
    too_many = as_problem(root.post(f"/api/v1/blocks/{block_id}/settle", json={"used": 7}))
    assert too_many["status"] == 400
    assert "0 to 6 units" in too_many["detail"]
    assert root.post(f"/api/v1/blocks/{block_id}/settle", json={"used": 1}).status_code == 200
    assert used(ann) == 1
    assert root.get("/api/v1/audit").json()[0]["event"] == "usage.block_settled"
    gone = as_problem(root.post(f"/api/v1/blocks/{block_id}/settle", json={"used": 2}))
    assert (gone["status"], gone["code"]) == (404, "unknown_block")


def test_somebody_elses_block_is_not_given_back(server: ConsoleServer, ann: httpx2.Client) -> None:
    block_id = ann.post(f"{FEATURE}/blocks", json={"size": 6}).json()["id"]
    with server.caller("bob") as bob:
        assert as_problem(bob.post(f"/api/v1/blocks/{block_id}/return", json={"used": 0}))["code"] == "unknown_block"
        assert as_problem(bob.get("/api/v1/blocks"))["code"] == "role_required"
    assert used(ann) == 6


def test_the_open_blocks_of_one_feature(root: httpx2.Client, ann: httpx2.Client) -> None:
    block_id = ann.post(f"{FEATURE}/blocks", json={"size": 6}).json()["id"]
    answer = root.get("/api/v1/blocks", params={"feature": "test_queries"})
    assert [block["id"] for block in answer.json()] == [block_id]
    assert as_problem(ann.get("/api/v1/blocks", params={"feature": "test_queries"}))["code"] == "role_required"


@on_sqlite_alone
@pytest.mark.parametrize(
    ("feature", "status"),
    [
        ("users", 404),
        ("unheard_of", 404),
        ("test_queries'--", 400),
        ("Test_Queries", 400),
        ("t" * 64, 400),
        ("test_queries\0", 400),
        ("test_queries\n", 404),
        ("", 400),
    ],
)
def test_blocks_of_what_is_no_metered_feature(
    root: httpx2.Client, ann: httpx2.Client, feature: str, status: int
) -> None:
    ann.post(f"{FEATURE}/blocks", json={"size": 6})
    assert as_problem(root.get("/api/v1/blocks", params={"feature": feature}))["status"] == status
