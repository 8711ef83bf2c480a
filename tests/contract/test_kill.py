"""Scenario: the server is killed in the middle of a first publish, or while private instances run."""

import pytest

from contract.driver import on_each_database, wait_for
from contract.killed import Killed, spread_over, until, version
from contract.remains import leftovers, processes_of

pytestmark = [pytest.mark.server, on_each_database]


def test_killed_at_any_time_of_a_first_publish(killed: Killed) -> None:
    took = killed.publish()
    for moment in spread_over(took):
        killed.delete()
        killed.publish_and_kill(moment)


def test_killed_at_each_step_of_a_first_publish(killed: Killed) -> None:
    data = killed.server.data
    for moment in (
        until(data / "staging", "*/module/module.toml"),
        until(data / "journals", "*"),
        until(data / "databases", "shop.sqlite3"),
        until(data / "versions", "shop/*"),
    ):
        killed.delete()
        killed.publish_and_kill(moment)


def test_private_instances_end_with_the_server(killed: Killed) -> None:
    server = killed.server
    for path in ("runs", "debug-sessions"):
        assert server.api("POST", f"/api/v1/{path}", content=version("shop", 1)).status_code == 201
    server.kill9()
    wait_for(lambda: not processes_of(server.data))
    server.start()
    assert (server.get("/api/v1/runs"), server.get("/api/v1/debug-sessions")) == ([], [])
    assert leftovers(server.data) == []


def test_stopping_politely_leaves_nothing_either(killed: Killed) -> None:
    server = killed.server
    killed.publish()
    assert server.api("POST", "/api/v1/debug-sessions", content=version("shop", 1)).status_code == 201
    server.stop()
    assert processes_of(server.data) == []
    server.start()
    assert wait_for(lambda: server.api("GET", "/apps/shop/").text == "1.0.0")
    assert leftovers(server.data) == []
