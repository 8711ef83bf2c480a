"""A private instance holds a seat for as long as it lives, and a crash frees it a few minutes later."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from builders import EVERYTHING
from console_server import ConsoleServer, running
from contract.archives import archive_of
from placet.enforcement import Code, Refused
from placet.license import Grant
from placet.platform.instance_seats import SEAT_LASTS, InstanceSeats
from placet.platform.instances import Instance, Purpose
from placet.platform.product import PRIVATE_INSTANCES

ARCHIVE = archive_of("shop", 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ConsoleServer]:
    with running(tmp_path / "data") as server:
        server.install(features={**EVERYTHING, PRIVATE_INSTANCES: Grant(kind="seats", limit=1)})
        yield server


def start(server: ConsoleServer, purpose: Purpose = Purpose.RUN) -> Instance:
    return server.platform.instances.start(ARCHIVE, purpose, actor="ann")


def holders(server: ConsoleServer) -> list[str]:
    return [lease.holder for lease in server.guard.leases(PRIVATE_INSTANCES)]


def test_one_runs_and_the_next_is_refused_until_it_is_stopped(server: ConsoleServer) -> None:
    instance = start(server)
    assert holders(server) == [instance.id]
    for purpose in Purpose:
        with pytest.raises(Refused) as caught:
            start(server, purpose)
        assert caught.value.decision.code is Code.LIMIT_REACHED
    assert [denial.feature for denial in server.guard.denials()] == [PRIVATE_INSTANCES] * 2
    server.platform.instances.stop(instance.id, Purpose.RUN, actor="ann")
    assert holders(server) == []
    session = start(server, Purpose.DEBUG)
    assert holders(server) == [session.id]


def test_what_does_not_start_holds_nothing(server: ConsoleServer) -> None:
    with pytest.raises(Exception, match="zip"):
        server.platform.instances.start(b"no zip", Purpose.RUN, actor="ann")
    assert holders(server) == []


def test_without_the_feature_named_there_are_as_many_as_there_may_be(server: ConsoleServer) -> None:
    server.install(jti="L-2", features=dict(EVERYTHING))
    instances = {start(server).id, start(server, Purpose.DEBUG).id}
    assert set(holders(server)) == instances


def test_seats_are_kept(server: ConsoleServer) -> None:
    instance = start(server)
    (before,) = server.guard.leases(PRIVATE_INSTANCES)
    assert before.expires_at - before.acquired_at == SEAT_LASTS
    server.platform.instances.keep_seats()
    (after,) = server.guard.leases(PRIVATE_INSTANCES)
    assert (after.id, after.holder) == (before.id, instance.id)
    assert after.expires_at > before.expires_at


def test_a_seat_that_was_lost_is_taken_again_where_there_is_one(server: ConsoleServer) -> None:
    instance = start(server)
    server.guard.release_lease(server.guard.leases(PRIVATE_INSTANCES)[0].id)
    other = server.guard.lease(PRIVATE_INSTANCES, "somebody else", timedelta(minutes=1))
    server.platform.instances.keep_seats()
    assert holders(server) == ["somebody else"]
    assert instance.worker.is_alive()
    server.guard.release_lease(other.id)
    server.platform.instances.keep_seats()
    assert holders(server) == [instance.id]


def test_a_license_that_lapses_does_not_stop_it(server: ConsoleServer) -> None:
    instance = start(server)
    lease = server.guard.leases(PRIVATE_INSTANCES)[0]
    server.clock.go(timedelta(days=400))
    server.platform.instances.keep_seats()
    server.guard.release_lease(lease.id)
    server.platform.instances.keep_seats()
    assert instance.worker.is_alive()
    assert (holders(server), server.guard.denials()) == ([], [])


def test_seats_of_a_server_that_crashed_are_given_back_at_its_start(server: ConsoleServer) -> None:
    seats = InstanceSeats(server.guard)
    server.install(jti="L-2", features=dict(EVERYTHING))
    for name in ("a", "b"):
        seats.take(name * 32, "run", actor="ann")
    (server.platform.layout.runs / ("a" * 32)).mkdir()
    server.platform.instances.recover()
    assert holders(server) == ["b" * 32]
