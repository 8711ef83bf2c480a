"""The usage of one feature: over time, who holds what page by page, one holder, and clean-up with a preview."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import insert, update

from builders import DAY, EVERYTHING, NOW, limit
from console_server import USAGE, ConsoleServer, Document, read
from placet.license import Grant
from placet.store.credentials import Role
from placet.store.history import day_of
from placet.store.modules import ModuleVersion, activate, active_ids
from placet.store.schema import modules, usage_days, users

UNITS, PEOPLE = f"{USAGE}/software_units", f"{USAGE}/users"
HOSTILE = "<script>alert(1)</script>\"'&\u202e"
FEATURES = {
    **EVERYTHING,
    "software_units": limit(1000),
    "private_instances": Grant(kind="seats", limit=5),
    "test_queries": Grant(kind="metered", limit=1000),
}


@pytest.fixture
def server(server: ConsoleServer) -> ConsoleServer:
    server.install(features=FEATURES)
    return server


def page(client: httpx2.Client, path: str, **query: Any) -> Document:
    answer = client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return read(answer)


def holders(found: Document) -> list[str]:
    return [" ".join(cell.text.split()) for cell in found.all("th", data_label="Holder")]


def publish(server: ConsoleServer, name: str, *kinds: str) -> None:
    elements = [{"kind": kind, "name": f"{kind} {HOSTILE}", "weight": 1, "why": f"why {kind}"} for kind in kinds]
    version = ModuleVersion(
        id=name,
        module=name,
        version="1.0",
        entrypoint="app:app",
        units=len(kinds),
        elements=elements,
        digest="0" * 64,
        published_at=server.guard.now(),
        published_by="maria",
    )
    with server.guard.allocation("publish", name, software_units=len(kinds)) as grant:
        activate(grant.connection, version, b"zip")


def test_a_feature_over_time_within_a_range(server: ConsoleServer, developer: httpx2.Client) -> None:
    today = day_of(server.guard.now())
    with server.guard.database.write() as connection:
        for ago, peak in ((2, 70), (20, 20), (300, 30)):
            row = {"feature": "software_units", "day": today - ago * DAY, "peak": peak, "total": peak}
            connection.execute(insert(usage_days).values(samples=1, maximum=100, **row))
    for within, peaks in (("7d", {"70"}), ("30d", {"70", "20"}), ("1y", {"70", "20", "30"})):
        found = page(developer, UNITS, range=within)
        rows = found.one("div", class_="numbers").text
        assert {peak for peak in ("70", "20", "30") if f" {peak} " in rows} == peaks
        assert found.one("a", aria_current="true").text == {"7d": "7 days", "30d": "30 days", "1y": "1 year"}[within]
        assert found.one("title", id="usage-title").text.startswith("Software Units, the last")
    assert page(developer, UNITS, range="<x>").one("a", aria_current="true").text == "30 days"
    assert found.one("nav").text.count("Usage") == 1


def test_who_holds_units_module_by_module_and_element_by_element(
    server: ConsoleServer, developer: httpx2.Client
) -> None:
    publish(server, "orders", "screen", "timer", "operation")
    publish(server, "hello", "screen")
    server.platform.obsolete.see("hello")
    server.platform.obsolete.write()
    found = page(developer, UNITS)
    assert holders(found) == ["orders", "hello"]
    assert "orders 3 1.0 2026-06-01 12:00:00 UTC never 2026-06-01 12:00:00 UTC" in found.text
    assert "hello 1 1.0 2026-06-01 12:00:00 UTC 2026-06-01 12:00:00 UTC 2026-06-01 12:00:00 UTC" in found.text
    assert "Clean up" not in found.text
    link = f"{UNITS}?range=30d&page=1&holder=orders#holder"
    one = page(developer, found.one("a", href=link).attributes["href"])
    elements = [" ".join(cell.text.split()) for cell in one.all("th", data_label="Element")]
    assert elements == [f"{kind} {HOSTILE}" for kind in ("screen", "timer", "operation")]
    assert "why timer" in one.text
    assert "at most 3 and on average 3; lately 3" in one.one("desc", id="held-words").text
    nobody = page(developer, UNITS, holder=HOSTILE)
    assert "Nothing is known of usage in this time" in nobody.text


def test_holders_are_told_page_by_page_and_found_by_name(server: ConsoleServer, developer: httpx2.Client) -> None:
    for number in range(120):
        with server.guard.allocation("publish", f"m{number:03}%", software_units=1):
            pass
    first = page(developer, UNITS)
    assert holders(first) == [f"m{number:03}%" for number in range(50)]
    assert "1 to 50 of 120" in first.text
    assert not first.all("a", rel="prev")
    second = page(developer, first.one("a", rel="next").attributes["href"])
    assert holders(second)[0] == "m050%"
    last = page(developer, UNITS, page=3)
    assert (holders(last)[-1], last.all("a", rel="next")) == ("m119%", [])
    assert holders(page(developer, UNITS, page=99)) == holders(last)
    for number in ("0", "-1", "x", "٣"):
        assert holders(page(developer, UNITS, page=number)) == holders(first)
    assert holders(page(developer, UNITS, find="M11")) == [f"m11{number}%" for number in range(10)]
    assert len(holders(page(developer, UNITS, find="%"))) == 50
    assert holders(page(developer, UNITS, find="_")) == []
    found = page(developer, UNITS, find=HOSTILE)
    assert f"Nobody whose name contains {HOSTILE} holds any." in found.text


def test_seats_blocks_and_switches(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.guard.lease("private_instances", "ann/1", timedelta(minutes=5))
    server.guard.borrow("private_instances", "bob", timedelta(days=1))
    number = server.guard.take_block("test_queries", 100, holder=HOSTILE).id
    found = page(developer, f"{USAGE}/private_instances")
    assert holders(found) == ["ann/1", "bob"]
    assert "borrowed" in found.text
    assert holders(page(developer, f"{USAGE}/private_instances", find="BO")) == ["bob"]
    found = page(developer, f"{USAGE}/test_queries", holder=HOSTILE)
    assert holders(found) == [HOSTILE]
    assert f"{number} 2026-06-01 12:00:00 UTC" in found.text
    assert "What it consumed on each day" in found.text
    assert "it is on" in page(developer, f"{USAGE}/run").text
    answer = developer.get(f"{USAGE}/nothing")
    assert answer.status_code == 404
    assert "There is no feature 'nothing'" in read(answer).text


def test_front_ends_are_told_by_name(server: ConsoleServer, developer: httpx2.Client) -> None:
    server.platform.front_end.beat()
    assert server.platform.front_end.name in page(developer, f"{USAGE}/front_end_servers").text


# Clean-up


def long_ago(server: ConsoleServer, days: int) -> None:
    """Let all modules have been published so many days ago."""
    with server.guard.database.write() as connection:
        connection.execute(update(modules).values(changed_at=NOW - days * DAY))


def there(server: ConsoleServer) -> set[str]:
    with server.guard.database.read() as connection:
        return set(active_ids(connection))


def told(found: Document) -> str:
    (element,) = [item for item in found.all("p") if "told" in item.attributes.get("class", "").split()]
    return " ".join(element.text.split())


def chosen(found: Document) -> list[str]:
    return [item.attributes["value"] for item in found.all("input", name="names")]


def test_obsolete_modules_are_previewed_and_those_chosen_deleted(
    server: ConsoleServer, administrator: httpx2.Client
) -> None:
    for name in ("idle", "kept", "used"):
        publish(server, name, "screen", "entity")
    publish(server, "nightly", "timer")
    long_ago(server, 100)
    server.platform.obsolete.see("used")
    before = page(administrator, UNITS)
    assert before.one("input", id="unused").attributes["value"] == "90"
    assert chosen(before) == []
    found = page(administrator, UNITS, unused=90)
    assert chosen(found) == ["idle", "kept"]
    assert "Nothing has been changed yet" in found.text
    assert chosen(page(administrator, UNITS, unused=90, also="yes")) == ["idle", "kept", "nightly"]
    assert "Every module was used within 101 days, or is spared." in page(administrator, UNITS, unused=101).text
    action = found.one("form", method="post", action=f"{UNITS}/modules-clean-up").attributes["action"]
    answer = administrator.post(action, data={"days": "90", "names": ["idle", "used", "nobody"]})
    assert (answer.status_code, answer.headers["location"]) == (303, UNITS)
    assert told(page(administrator, UNITS)) == (
        "1 module deleted; 2 Software Units given back. 2 left as they are: used or worked on again."
    )
    assert there(server) == {"kept", "used", "nightly"}
    administrator.post(action, data={"days": "90"})
    assert told(page(administrator, UNITS)) == "No module was chosen. Nothing was changed."
    assert there(server) == {"kept", "used", "nightly"}


def test_users_who_were_not_seen_are_previewed_and_those_chosen_deactivated(
    server: ConsoleServer, administrator: httpx2.Client, developer: httpx2.Client
) -> None:
    for name, role in (("away", Role.DEVELOPER), ("gone", Role.DEVELOPER), ("ada", Role.ADMINISTRATOR)):
        server.platform.people.add(name, role, actor="test")
    server.platform.people.add("root", Role.ADMINISTRATOR, actor="test")
    with server.guard.database.write() as connection:
        long_ago = NOW - 200 * DAY
        connection.execute(update(users).values(changed_at=long_ago, last_seen_at=long_ago))
    server.clock.go(timedelta(hours=1))
    found = page(administrator, PEOPLE, unused=90)
    assert chosen(found) == ["away", "gone"]
    assert chosen(page(administrator, PEOPLE, unused=90, also="1")) == ["away", "gone", "root"]
    assert "away 1 developer 2025-11-13 12:00:00 UTC" in found.text
    others = page(developer, PEOPLE, unused=90)
    assert ("away" in others.text, chosen(others), "Last seen" in others.text) == (True, [], False)
    answer = developer.post(f"{PEOPLE}/users-clean-up", data={"days": "90", "names": ["gone"]})
    assert answer.status_code == 403
    administrator.post(f"{PEOPLE}/users-clean-up", data={"days": "90", "names": ["gone", "ada"]})
    assert told(page(administrator, PEOPLE)).startswith("1 user deactivated, and as many seats freed. 1 left as it is")
    assert {user.name for user in server.platform.people.users() if user.active} == {"away", "ada", "root"}


@pytest.mark.parametrize("days", ["0", "3661", "x", "9" * 300, ""])
def test_days_that_are_none_change_nothing(server: ConsoleServer, administrator: httpx2.Client, days: str) -> None:
    publish(server, "idle", "screen")
    long_ago(server, 9000)
    answer = administrator.post(f"{UNITS}/modules-clean-up", data={"days": days, "names": ["idle"]})
    assert (answer.status_code, "Days has to be a whole number from 1 to 3,660." in answer.text) == (400, True)
    assert there(server) == {"idle"}


def test_a_preview_shows_the_first_of_many(server: ConsoleServer, administrator: httpx2.Client) -> None:
    long_before = NOW - 200 * DAY
    rows = [
        {"name": f"u{number:03}", "role": "developer", "active": True}
        | {"created_at": long_before, "changed_at": long_before}
        for number in range(201)
    ]
    with server.guard.database.write() as connection:
        connection.execute(insert(users), rows)
    found = page(administrator, PEOPLE, unused=90)
    assert chosen(found) == [f"u{number:03}" for number in range(200)]
    assert "These are the first 200." in found.text
    answer = administrator.post(f"{PEOPLE}/users-clean-up", data={"days": "90", "names": chosen(found)})
    assert answer.status_code == 303
    assert told(page(administrator, PEOPLE)).startswith("200 users deactivated")
    found = page(administrator, PEOPLE, unused=90)
    assert (chosen(found), "These are the first" in found.text) == (["u200"], False)
