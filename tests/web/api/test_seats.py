"""Seats over HTTP: leases, the queue, borrowing, reservations, denials, what is no such request; on each database."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from builders import EVERYTHING
from console_server import ConsoleServer, running
from contract.surfaces import as_problem
from placet.license import Grant
from placet.license.lease import verify_lease
from placet.store import usage
from store_support.fixtures import on_sqlite_alone

FEATURE = "/api/v1/features/private_instances"
LEASES = f"{FEATURE}/leases"
NOBODYS = "0" * 36


def seats(units: int) -> dict[str, Grant]:
    return {**EVERYTHING, "private_instances": Grant(kind="seats", limit=units)}


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[ConsoleServer]:
    """A server with two seats."""
    with running(tmp_path / "data", database_url=database_url) as server:
        server.install(features=seats(2))
        yield server


def acquire(client: httpx2.Client, **members: Any) -> httpx2.Response:
    return client.post(LEASES, json=members)


def taken(server: ConsoleServer) -> int:
    with server.guard.database.read() as connection:
        assert usage.drifts(connection) == []
        return usage.usage(connection)["private_instances"]


def test_a_seat_is_acquired_renewed_and_released(server: ConsoleServer, ann: httpx2.Client) -> None:
    answer = acquire(ann, ttl=60)
    lease = answer.json()
    assert (answer.status_code, lease["holder"], lease["amount"], lease["borrowed"]) == (201, "ann", 1, False)
    assert lease["warnings"] == []
    assert ann.get(LEASES).json() == [{name: value for name, value in lease.items() if name != "warnings"}]
    renewed = ann.put(f"{LEASES}/{lease['id']}", json={"ttl": 600})
    assert (renewed.status_code, renewed.json()["id"]) == (200, lease["id"])
    assert renewed.json()["expires_at"] > lease["expires_at"]
    assert acquire(ann).json()["id"] == lease["id"]
    found = ann.get(f"{FEATURE}/usage").json()
    assert (found["kind"], found["limit"], found["used"]) == ("seats", 2, 1)
    assert [(item["holder"], item["amount"]) for item in found["allocations"]] == [("ann", 1)]
    assert ann.delete(f"{LEASES}/{lease['id']}").json() == {"id": lease["id"], "released": True}
    assert as_problem(ann.delete(f"{LEASES}/{lease['id']}"))["code"] == "unknown_lease"
    assert taken(server) == 0


def test_all_seats_taken(ann: httpx2.Client, root: httpx2.Client) -> None:
    assert acquire(root, amount=2).status_code == 201
    told = as_problem(acquire(ann))
    assert (told["status"], told["code"], told["used"], told["limit"]) == (403, "limit_reached", 2, 2)
    assert told["diagnosis"] == "Limit reached: 2 of 2 Private Instances are taken; this needs 1."
    (denial,) = root.get("/api/v1/denials").json()
    assert (denial["holder"], denial["reason"], denial["feature"]) == ("ann", "limit_reached", "private_instances")
    assert root.get("/api/v1/denials?feature=users").json() == []
    assert root.get(f"/api/v1/denials?before={denial['id']}").json() == []


def test_a_place_in_the_queue(ann: httpx2.Client, bob: httpx2.Client, root: httpx2.Client) -> None:
    lease = acquire(root, amount=2).json()
    answers = [acquire(client, queue=True) for client in (ann, bob, ann)]
    assert [(answer.status_code, answer.json()["place"]) for answer in answers] == [(202, 1), (202, 2), (202, 1)]
    told = answers[0].json()
    assert (told["queued"], told["ask_again_seconds"], told["code"]) == (True, 10, "limit_reached")
    assert [(item["place"], item["holder"]) for item in ann.get(f"{FEATURE}/queue").json()] == [(1, "ann"), (2, "bob")]
    assert acquire(root, holder="urgent", priority=5, queue=True).json()["place"] == 1
    acquire(root, amount=1)
    assert acquire(bob, queue=True).json()["code"] == "queued_behind_others"
    root.delete(f"{LEASES}/{lease['id']}")
    assert acquire(bob, queue=True).json()["code"] == "queued_behind_others"
    assert [acquire(root, holder="urgent", priority=5).status_code, acquire(ann).status_code] == [201, 201]


def test_developers_lease_for_themselves(ann: httpx2.Client, bob: httpx2.Client, root: httpx2.Client) -> None:
    for members in ({"holder": "bob"}, {"group": "design"}, {"priority": 1}, {"holder": "bob", "borrow": 60}):
        told = as_problem(acquire(ann, **members))
        assert (told["status"], told["code"]) == (403, "role_required")
    assert acquire(ann, holder="ann", priority=-1).status_code == 201
    lease = acquire(root, holder="bob", group="design").json()
    assert lease["group"] == "design"
    for method in ("PUT", "DELETE"):
        told = as_problem(ann.request(method, f"{LEASES}/{lease['id']}", json={"ttl": 5}))
        assert told["code"] == "role_required"
    assert bob.put(f"{LEASES}/{lease['id']}", json={}).status_code == 200
    assert root.delete(f"{LEASES}/{lease['id']}").status_code == 200


def test_a_seat_is_borrowed(server: ConsoleServer, ann: httpx2.Client, root: httpx2.Client) -> None:
    answer = acquire(ann, borrow=3 * 86_400)
    lease = answer.json()
    assert (answer.status_code, lease["borrowed"], lease["holder"]) == (201, True, "ann")
    found = verify_lease(lease["document"].encode(), lease["public_key"], datetime.now(UTC))
    assert (found.holder, found.feature, found.serial_number) == ("ann", "private_instances", server.serial_number)
    rules = {"low_water_mark": 1, "longest_borrow_seconds": 86_400}
    assert root.put(f"{FEATURE}/seat-rules", json=rules).json() == {"feature": "private_instances", **rules}
    assert root.get(f"{FEATURE}/seat-rules").json()["low_water_mark"] == 1
    assert as_problem(acquire(root, borrow=3600))["code"] == "low_water_mark"
    assert as_problem(acquire(root, borrow=86_401))["code"] == "borrow_too_long"
    assert ann.delete(f"{LEASES}/{lease['id']}").status_code == 200
    assert acquire(root, borrow=3600).status_code == 201
    events = [event["event"] for event in root.get("/api/v1/audit").json()]
    mine = [event for event in events if event.startswith(("lease.", "seats."))]
    assert mine == ["lease.borrowed", "lease.returned", "seats.rules_changed", "lease.borrowed"]


def test_the_rules_go_back_to_the_defaults(ann: httpx2.Client, root: httpx2.Client) -> None:
    defaults = {"feature": "private_instances", "low_water_mark": 0, "longest_borrow_seconds": 2_592_000}
    root.put(f"{FEATURE}/seat-rules", json={"low_water_mark": 2, "longest_borrow_seconds": 60})
    assert as_problem(ann.delete(f"{FEATURE}/seat-rules"))["code"] == "role_required"
    assert as_problem(acquire(root, borrow=30))["code"] == "low_water_mark"
    for _ in range(2):
        answer = root.delete(f"{FEATURE}/seat-rules")
        assert (answer.status_code, answer.json()) == (200, defaults)
    assert root.get(f"{FEATURE}/seat-rules").json() == defaults
    assert acquire(root, borrow=3600).status_code == 201
    events = [event["event"] for event in root.get("/api/v1/audit").json()]
    assert events.count("seats.rules_reset") == 1


def test_reservations(ann: httpx2.Client, bob: httpx2.Client, root: httpx2.Client) -> None:
    reserved = {"feature": "private_instances", "kind": "user", "subject": "bob", "amount": 2}
    assert root.put(f"{FEATURE}/reservations/user/bob", json={"amount": 2}).json() == reserved
    assert root.get(f"{FEATURE}/reservations").json() == [reserved]
    assert as_problem(acquire(ann))["code"] == "reserved_for_others"
    assert acquire(bob).status_code == 201
    told = as_problem(root.put(f"{FEATURE}/reservations/group/a%20team", json={"amount": 1}))
    assert (told["status"], told["code"]) == (409, "too_many_reserved")
    assert root.delete(f"{FEATURE}/reservations/user/bob").json()["amount"] == 0
    assert as_problem(root.delete(f"{FEATURE}/reservations/user/bob"))["code"] == "unknown_reservation"
    assert root.put(f"{FEATURE}/reservations/group/a%20team", json={"amount": 1}).json()["subject"] == "a team"
    assert as_problem(acquire(ann))["code"] == "reserved_for_others"


def test_a_lease_that_ends_counts_no_more(server: ConsoleServer, ann: httpx2.Client) -> None:
    acquire(ann, ttl=1, amount=2)
    deadline = time.monotonic() + 20
    while ann.get(f"{FEATURE}/usage").json()["used"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (ann.get(LEASES).json(), taken(server)) == ([], 0)


def test_what_has_no_seats(ann: httpx2.Client, root: httpx2.Client) -> None:
    for feature in ("users", "nowhere"):
        path = f"/api/v1/features/{feature}"
        for method, tail in (("GET", "leases"), ("GET", "queue"), ("DELETE", f"leases/{NOBODYS}")):
            assert as_problem(ann.request(method, f"{path}/{tail}"))["code"] == "unknown_feature"
        assert as_problem(ann.post(f"{path}/leases", json={}))["status"] == 404
        for tail in ("reservations", "seat-rules"):
            assert as_problem(root.get(f"{path}/{tail}"))["code"] == "unknown_feature"
        assert as_problem(root.delete(f"{path}/seat-rules"))["code"] == "unknown_feature"


@on_sqlite_alone
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{", b'"x"', b"\xff", b"[" * 5000),
        *(json.dumps({"ttl": value}).encode() for value in (0, -1, 86_401, 1.5, "x", None, True, 10**30)),
        *(json.dumps({"amount": value}).encode() for value in (0, -1, 10**12 + 1, 1.5, [1], True)),
        *(json.dumps({"holder": value}).encode() for value in ("", "x" * 201, "a\0b", "a\nb", "a\u2028b", 1, [])),
        *(json.dumps({"borrow": value}).encode() for value in (0, 366 * 86_400 + 1, "3d")),
        *(json.dumps({"priority": value}).encode() for value in (1001, -1001, 0.5, "high")),
        *(b'{"holder": "\\ud800"}', b'{"holder": "\xed\xa0\x80"}', b'{"borrow": 60, "holder": "a\\u2028b"}'),
        *(b'{"queue": "yes"}', b'{"group": ""}', b'{"quue": true}'),
    ],
)
def test_what_is_no_wish(server: ConsoleServer, root: httpx2.Client, body: bytes) -> None:
    told = as_problem(root.post(LEASES, content=body, headers={"Content-Type": "application/json"}))
    assert told["status"] == 400, told
    assert taken(server) == 0
    assert root.get("/api/v1/denials").json() == []


def test_what_is_no_lease_rule_or_reservation(ann: httpx2.Client, root: httpx2.Client) -> None:
    for lease_id in ("x", "%00", "0" * 37, "..%2f" * 3, "0" * 4000):
        answer = ann.delete(f"{LEASES}/{lease_id}")
        assert answer.status_code in {400, 404}, lease_id
    assert as_problem(ann.put(f"{LEASES}/{NOBODYS}", json={}))["code"] == "unknown_lease"
    for kind, subject in (("role", "x"), ("user", "x" * 201), ("user", "a%00b"), ("user", "a%0Ab")):
        answer = root.put(f"{FEATURE}/reservations/{kind}/{subject}", json={"amount": 1})
        assert as_problem(answer)["status"] in {400, 404}, (kind, subject)
    for amount in (0, -1, 10**13, "x", None):
        assert as_problem(root.put(f"{FEATURE}/reservations/user/x", json={"amount": amount}))["status"] == 400
    for rules in ({"low_water_mark": -1}, {"longest_borrow_seconds": 10**9}, {"low": 1}):
        assert as_problem(root.put(f"{FEATURE}/seat-rules", json=rules))["status"] == 400
    for query in ("most=0", "most=1001", "before=0", "before=x", "feature=X", "feature=" + "x" * 100):
        assert as_problem(root.get(f"/api/v1/denials?{query}"))["status"] == 400, query
    large = json.dumps({"holder": "x" * 70_000})
    answer = root.post(LEASES, content=large, headers={"Content-Type": "application/json"})
    assert as_problem(answer)["status"] == 413
