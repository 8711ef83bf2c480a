"""The vendor's list of revoked licenses."""

import json

import pytest

from builders import (
    KEY,
    NEW_KEY,
    OTHER_KEY,
    a_license,
    a_request,
    a_status_list,
    base64url,
    changed,
    from_base64url,
    trust_store,
)
from guard_support.guards import Clock, audited, install, opened
from placet.enforcement import Code, State
from placet.guard import Guard, StatusListOutdated
from placet.license import Diagnosis, DocumentRejected
from placet.store.audit import Event
from placet.store.installation import read_installation
from store_support import threads
from store_support.databases import dump

N1 = (
    "This server license was revoked on 2026-05-31T12:00:00Z. Your Service Center administrator must request a new "
    "license"
)
N2 = "Cannot perform the operation. This server license was revoked"


def held(guard: Guard) -> int | None:
    with guard.database.read() as connection:
        return read_installation(connection).status_list_sequence


def test_a_list_that_names_the_license_revokes_it_at_once(licensed: Guard) -> None:
    assert licensed.check("run").allowed
    found = licensed.install_status_list(a_status_list("L-0000", "L-0001", sequence=3), actor="me")
    decision = licensed.check("run")
    assert (decision.code, decision.message) == (Code.OPERATION_LICENSE_REVOKED, N2)
    status = licensed.status()
    assert (status.state, [notice.message for notice in status.errors]) == (State.REVOKED, [N1])
    assert status.diagnosis is not None
    assert status.diagnosis.sentence == "Revoked: Not paid for."
    event = audited(licensed)[0]
    assert (event.event, event.actor, event.subject) == (Event.STATUS_LIST_INSTALLED, "me", found.digest)
    assert event.detail == {"sequence": 3}


def test_a_list_that_does_not_name_it_changes_nothing(licensed: Guard) -> None:
    licensed.install_status_list(a_status_list("L-1", "L-00011", "l-0001"))
    assert licensed.check("run").allowed


def test_a_list_stays_when_the_server_starts_again(database_url: str, clock: Clock) -> None:
    guard = opened(database_url, clock)
    install(guard)
    guard.install_status_list(a_status_list("L-0001"))
    guard.close()
    guard = opened(database_url, clock)
    assert guard.status().state is State.REVOKED
    guard.close()


def test_another_license_follows_a_revoked_one(licensed: Guard) -> None:
    licensed.install_status_list(a_status_list("L-0001"))
    install(licensed, jti="L-2")
    assert licensed.check("run").allowed


def test_a_list_may_come_before_any_license(guard: Guard) -> None:
    guard.install_status_list(a_status_list("L-0001"))
    assert guard.status().state is State.NO_LICENSE
    assert held(guard) == 1


def test_an_older_list_is_refused_and_a_newer_one_accepted(licensed: Guard) -> None:
    licensed.install_status_list(a_status_list("L-0001", sequence=5))
    before = dump(licensed.database)
    with pytest.raises(StatusListOutdated, match="This is status list 4, and this server holds list 5 already"):
        licensed.install_status_list(a_status_list(sequence=4))
    assert dump(licensed.database) == before
    assert not licensed.check("run").allowed
    licensed.install_status_list(a_status_list("L-0001", sequence=5))
    assert held(licensed) == 5
    licensed.install_status_list(a_status_list(sequence=6))
    assert licensed.check("run").allowed


@pytest.mark.parametrize(
    ("data", "diagnosis"),
    [
        (b"", Diagnosis.EMPTY),
        (b" " * 300_000, Diagnosis.TOO_LARGE),
        (a_status_list("L-0001")[:-40], Diagnosis.TRUNCATED),
        (a_status_list("L-0001", keys=[OTHER_KEY]), Diagnosis.UNKNOWN_KEY),
        (a_license(), Diagnosis.WRONG_TYPE),
        (a_request(KEY), Diagnosis.WRONG_TYPE),
    ],
)
def test_what_does_not_verify_is_refused(licensed: Guard, data: bytes, diagnosis: Diagnosis) -> None:
    before = dump(licensed.database)
    with pytest.raises(DocumentRejected) as caught:
        licensed.install_status_list(data)
    assert caught.value.rejection.diagnosis is diagnosis
    assert dump(licensed.database) == before
    assert licensed.check("run").allowed


def test_a_tampered_list_is_refused(licensed: Guard) -> None:
    file = a_status_list("L-9999")
    payload = from_base64url(json.loads(file)["payload"]).replace(b"L-9999", b"L-0001")
    with pytest.raises(DocumentRejected) as caught:
        licensed.install_status_list(changed(file, payload=base64url(payload)))
    assert caught.value.rejection.diagnosis is Diagnosis.BAD_SIGNATURE
    assert licensed.check("run").allowed
    assert held(licensed) is None


def test_of_lists_installed_at_once_the_newest_stays(database_url: str) -> None:
    guards = [opened(database_url) for _ in range(6)]

    def give(number: int) -> None:
        try:
            guards[number].install_status_list(a_status_list(sequence=number + 1))
        except StatusListOutdated:
            assert number < len(guards) - 1

    threads.race(6, give)
    assert held(guards[0]) == 6
    for guard in guards:
        guard.close()


def test_a_list_of_a_key_that_is_trusted_no_longer_says_nothing(database_url: str, clock: Clock) -> None:
    guard = opened(database_url, clock, trust=trust_store(KEY, NEW_KEY))
    install(guard, keys=[NEW_KEY])
    guard.install_status_list(a_status_list("L-0001"))
    assert guard.status().state is State.REVOKED
    guard.close()
    guard = opened(database_url, clock, trust=trust_store(NEW_KEY))
    assert guard.status().state is State.ACTIVE
    guard.close()
