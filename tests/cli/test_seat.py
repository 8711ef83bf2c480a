"""``placet seat`` against a real server, for people and for programs, on each database."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.driver import Done, ServerProcess, VendorDirectory, on_each_database
from placet.license.lease import verify_lease

pytestmark = [pytest.mark.server, on_each_database]

FEATURE = "private_instances"


@pytest.fixture(scope="module", autouse=True)
def licensed(server: ServerProcess, vendor: VendorDirectory) -> None:
    server.installed(vendor.issue("--seats", f"{FEATURE}=2", serial=server.serial))


@pytest.fixture(autouse=True)
def empty(server: ServerProcess) -> Iterator[None]:
    yield
    for lease in server.get(f"/api/v1/features/{FEATURE}/leases"):
        assert server.cli("seat", "release", FEATURE, lease["id"]).status == 0


def acquired(server: ServerProcess, *options: object) -> dict[str, object]:
    done = server.cli("seat", "acquire", FEATURE, *options, "--json")
    assert done.status == 0, done.err
    found: dict[str, object] = done.json()
    return found


def refused(done: Done, message: str) -> None:
    assert (done.status, done.message) == (1, message)


def test_a_seat_is_acquired_renewed_listed_and_released(server: ServerProcess) -> None:
    told = server.cli("seat", "acquire", FEATURE, "--holder", "ann", "--ttl", "90s").out.splitlines()
    assert told[0].startswith(f"ann has 1 seat of {FEATURE} until 20")
    lease_id = told[1].split()[-1]
    assert told[1] == f"Give it back with: placet seat release {FEATURE} {lease_id}"
    assert "ann has 1 seat" in server.cli("seat", "renew", FEATURE, lease_id, "--ttl", "1h").out
    listed = server.cli("seat", "list", FEATURE).out.splitlines()
    assert listed[0].split() == ["HOLDER", "GROUP", "SEATS", "UNTIL", "BORROWED", "ID"]
    assert listed[1].split()[0] == "ann"
    assert server.cli("seat", "list", FEATURE, "--json").json()["leases"][0]["id"] == lease_id
    assert server.cli("seat", "release", FEATURE, lease_id).out == "Given back.\n"
    assert server.cli("seat", "list", FEATURE).out == "Nobody has a seat.\n"
    assert server.cli("seat", "release", FEATURE, lease_id).status == 1


def test_a_full_house(server: ServerProcess) -> None:
    acquired(server, "--holder", "ann", "--amount", 2)
    done = server.cli("seat", "acquire", FEATURE, "--holder", "bob")
    refused(
        done,
        "Cannot perform the operation because you reached the limit of 2 Private Instances that this "
        "server license allows",
    )
    assert "Why: Limit reached: 2 of 2 Private Instances are taken; this needs 1." in done.err
    denied = server.cli("seat", "denials", "--feature", FEATURE).out.splitlines()
    assert denied[1].split()[1:] == [FEATURE, "bob", "limit_reached", "1", "2", "2"]
    assert server.cli("seat", "denials", "--most", 1, "--json").json()[0]["holder"] == "bob"
    assert server.cli("seat", "denials", "--feature", "users").out == "Nobody was refused.\n"


def test_waiting_for_a_seat(server: ServerProcess) -> None:
    lease = acquired(server, "--holder", "ann", "--amount", 2)
    done = server.cli("seat", "acquire", FEATURE, "--holder", "bob", "--wait", "1s")
    assert (done.status, "2 of 2 Private Instances" in done.err) == (1, True)
    found: list[Done] = []
    wanted = ("seat", "acquire", FEATURE, "--holder", "bob", "--wait", "60s", "--json")
    waiting = threading.Thread(target=lambda: found.append(server.cli(*wanted)))
    waiting.start()
    deadline = time.monotonic() + 30
    while "WAITING" not in server.cli("seat", "list", FEATURE).out and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.cli("seat", "release", FEATURE, lease["id"]).status == 0
    waiting.join(60)
    assert found[0].json()["holder"] == "bob"


def test_borrowing(server: ServerProcess, tmp_path: Path) -> None:
    done = server.cli("seat", "borrow", FEATURE, "--for", "3d", "--holder", "ann", "--out", tmp_path / "seat.json")
    assert (done.status, done.out) == (0, "")
    assert done.message.startswith(f"Borrowed 1 seat of {FEATURE} until 20")
    again = server.cli("seat", "borrow", FEATURE, "--for", "3d", "--holder", "ann", "--json").json()
    for document in ((tmp_path / "seat.json").read_bytes(), again["document"].encode()):
        found = verify_lease(document, again["public_key"], datetime.now(UTC))
        assert (found.holder, found.serial_number) == ("ann", server.serial)
    assert json.loads(server.cli("seat", "borrow", FEATURE, "--for", "3d", "--holder", "ann").out)["payload"]
    refused(
        server.cli("seat", "borrow", FEATURE, "--for", "40d", "--holder", "bob"),
        "Cannot perform the operation because Private Instances can be borrowed for 30 days at most",
    )


def test_rules(server: ServerProcess) -> None:
    shown = server.cli("seat", "rules", FEATURE).out.splitlines()
    assert [line.split() for line in shown] == [
        ["Low-water", "mark", "0"],
        ["Longest", "borrow", "30", "days,", "0:00:00"],
    ]
    changed = server.cli("seat", "rules", FEATURE, "--low-water-mark", 1, "--json").json()
    assert (changed["low_water_mark"], changed["longest_borrow_seconds"]) == (1, 2_592_000)
    assert server.cli("seat", "rules", FEATURE, "--longest-borrow", "12h").status == 0
    changed = server.cli("seat", "rules", FEATURE, "--low-water-mark", 0, "--json").json()
    assert (changed["low_water_mark"], changed["longest_borrow_seconds"]) == (0, 43_200)
    again = server.cli("seat", "rules", FEATURE, "--defaults")
    assert (again.status, again.out.splitlines()) == (0, shown)
    assert server.cli("seat", "rules", FEATURE).out.splitlines() == shown


def test_reservations(server: ServerProcess) -> None:
    assert server.cli("seat", "reservations", FEATURE).out == "Nothing is reserved.\n"
    done = server.cli("seat", "reserve", FEATURE, "--user", "ann", "--amount", 2)
    assert done.out == f"2 seats of {FEATURE} reserved for the user ann.\n"
    assert server.cli("seat", "acquire", FEATURE, "--holder", "bob").status == 1
    refused(
        server.cli("seat", "reserve", FEATURE, "--group", "a team", "--amount", 1),
        "The license of this server has 2 Private Instances, and 3 would be reserved. Reserve fewer, or ask for a "
        "license with more.",
    )
    assert server.cli("seat", "reservations", FEATURE).out.splitlines()[1].split() == ["user", "ann", "2"]
    assert len(server.cli("seat", "reservations", FEATURE, "--json").json()) == 1
    done = server.cli("seat", "unreserve", FEATURE, "--user", "ann")
    assert done.out == f"Nothing of {FEATURE} is reserved for the user ann any more.\n"
    assert server.cli("seat", "unreserve", FEATURE, "--user", "ann", "--json").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("acquire", FEATURE, "--ttl", "soon"),
        ("acquire", FEATURE, "--amount", "0"),
        ("borrow", FEATURE),
        ("reserve", FEATURE, "--amount", "1"),
        ("reserve", FEATURE, "--amount", "1", "--user", "a", "--group", "b"),
        ("unreserve", FEATURE),
        ("rules", FEATURE, "--longest-borrow", "x"),
        ("rules", FEATURE, "--defaults", "--low-water-mark", "1"),
    ],
)
def test_wrong_usage(server: ServerProcess, arguments: tuple[str, ...]) -> None:
    assert server.cli("seat", *arguments).status == 2


def test_what_has_no_seats(server: ServerProcess) -> None:
    refused(
        server.cli("seat", "list", "users"), "There are no seats of a feature 'users'. There are of: private_instances."
    )
    assert server.cli("seat", "acquire", FEATURE, "--ttl", "2d").status == 3
