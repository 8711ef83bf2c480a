"""A database somebody has edited: what is in force is what verifies, and nothing else."""

import json
from typing import Any

import pytest
from sqlalchemy import delete, update

from builders import (
    DAY,
    KEY,
    NEW_KEY,
    NOW,
    OTHER_KEY,
    OTHER_SERIAL,
    a_license,
    a_request,
    a_status_list,
    base64url,
    changed,
    from_base64url,
    limit,
    numeric,
    trust_store,
)
from guard_support.guards import Clock, allocate, install, license_for, opened, used
from placet.enforcement import Code, Refused, State
from placet.guard import Guard
from placet.license import Diagnosis
from placet.store.installation import change_installation
from placet.store.schema import allocations, installation, licenses, totals

E1 = "No license was found for this server"
E2 = "Cannot perform the operation. No license was found for this server"


def edit(guard: Guard, signed: bytes) -> None:
    """Put other signed text in the place of the license, past every function that would."""
    with guard.database.write() as connection:
        connection.execute(update(licenses).values(signed=signed.decode()))


def with_claims(file: bytes, **claims: Any) -> bytes:
    """The document with other claims under the signature it has."""
    payload = json.loads(from_base64url(json.loads(file)["payload"])) | claims
    return changed(file, payload=base64url(json.dumps(payload).encode()))


def restarted(guard: Guard, clock: Clock, **options: Any) -> Guard:
    """The same server after a restart."""
    url = guard.database.engine.url
    return opened(url.render_as_string(hide_password=False), clock, **options)


@pytest.fixture
def small(guard: Guard) -> Guard:
    """A server with a small license that has a day to go."""
    install(guard, features={"software_units": limit(10)}, exp=numeric(NOW) + 86_400)
    return guard


TAMPERED = {
    "another limit": lambda file: with_claims(file, features={"software_units": {"kind": "limit", "limit": 10**6}}),
    "another expiry": lambda file: with_claims(file, exp=numeric(NOW) + 10**8),
    "another server": lambda file: with_claims(file, serial_number=OTHER_SERIAL, sub=OTHER_SERIAL),
    "a byte": lambda file: file.replace(b'"signature": "', b'"signature": "A'),
    "the signature of another license": lambda file: changed(
        file, signatures=json.loads(a_license(jti="L-2"))["signatures"]
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_license_that_was_edited_is_not_trusted(small: Guard, clock: Clock, how: str) -> None:
    edit(small, TAMPERED[how](small.history()[0].signed.encode()))
    guard = restarted(small, clock)
    status = guard.status()
    assert (status.state, status.license) == (State.UNREADABLE, None)
    assert status.rejection is not None
    assert status.rejection.diagnosis is Diagnosis.BAD_SIGNATURE
    assert [(notice.message, notice.diagnosis_code) for notice in status.errors] == [(E1, "bad_signature")]
    decision = guard.check("publish", software_units=1)
    assert (decision.code, decision.message, decision.diagnosis_code) == (
        Code.OPERATION_NO_LICENSE,
        E2,
        Diagnosis.BAD_SIGNATURE,
    )
    with pytest.raises(Refused):
        allocate(guard, "orders", 1)
    install(guard, jti="L-2")  # and the way out is open
    assert guard.check("run").allowed
    guard.close()


@pytest.mark.parametrize(
    ("document", "diagnosis"),
    [
        (b"", Diagnosis.EMPTY),
        (b"{}", Diagnosis.NOT_JWS),
        (a_license()[:500], Diagnosis.TRUNCATED),
        (a_license(keys=[OTHER_KEY]), Diagnosis.UNKNOWN_KEY),
        (a_status_list("L-2"), Diagnosis.WRONG_TYPE),
        (a_request(KEY), Diagnosis.WRONG_TYPE),
    ],
)
def test_something_else_in_its_place_is_told_by_its_diagnosis(
    small: Guard, clock: Clock, document: bytes, diagnosis: Diagnosis
) -> None:
    edit(small, document)
    guard = restarted(small, clock)
    assert guard.status().state is State.UNREADABLE
    assert guard.check("publish").diagnosis_code == diagnosis
    guard.close()


def test_another_servers_license_in_its_place_is_another_servers(small: Guard, clock: Clock) -> None:
    edit(small, a_license(serial_number=OTHER_SERIAL))
    guard = restarted(small, clock)
    assert guard.status().state is State.WRONG_SERVER
    assert guard.check("run").code is Code.OPERATION_WRONG_SERVER
    guard.close()


def test_what_stands_beside_the_signed_text_is_not_believed(small: Guard, clock: Clock) -> None:
    with small.database.write() as connection:
        connection.execute(update(licenses).values(expires_at=NOW.replace(year=2999), customer="Me", jti="L-9"))
    guard = restarted(small, clock)
    license_ = guard.status().license
    assert license_ is not None
    assert license_.terms.customer == "Example Industries"
    clock.now = NOW.replace(day=2)
    assert guard.status().state is State.EXPIRED
    guard.close()


def test_a_row_swapped_under_a_running_server_is_verified_before_it_counts(small: Guard) -> None:
    edit(small, with_claims(small.history()[0].signed.encode(), features={"run": {"kind": "switch"}}))
    small.reload()
    assert small.check("run").code is Code.FEATURE_NOT_LICENSED  # by the license verified when it was read
    with small.database.write() as connection:
        change_installation(connection)
    small.reload()
    assert small.status().state is State.UNREADABLE
    assert small.check("run").code is Code.OPERATION_NO_LICENSE


def swap(guard: Guard, one: int, other: int) -> None:
    """Exchange the signed texts of two entries of the history, and leave what stands beside them."""
    signed = {entry.id: entry.signed for entry in guard.history()}
    with guard.database.write() as connection:
        for to, of in [(one, other), (other, one)]:
            connection.execute(update(licenses).where(licenses.c.id == to).values(signed=signed[of]))


def test_a_license_swapped_with_an_older_one_is_judged_as_that_one(guard: Guard, clock: Clock) -> None:
    """Both are rightly signed for this server: none of them gains a day, a unit or a feature by it."""
    install(guard, jti="L-1", features={"software_units": limit(1000)}, exp=numeric(NOW + DAY))
    install(guard, jti="L-2", features={"software_units": limit(10)})
    clock.go_on(DAY)
    guard.tick()
    newer, older = guard.history()
    swap(guard, newer.id, older.id)
    guard = restarted(guard, clock)
    assert guard.license_id == newer.id
    assert guard.status().state is State.EXPIRED
    assert guard.check("publish").code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
    clock.go_on(-DAY)  # nor by a clock set back
    assert guard.status().state is State.CLOCK_SET_BACK
    guard.close()


def test_a_license_swapped_with_a_revoked_one_is_revoked(guard: Guard, clock: Clock) -> None:
    install(guard, jti="L-1")
    install(guard, jti="L-2", features={})
    guard.install_status_list(a_status_list("L-1"))
    assert guard.status().state is State.ACTIVE
    swap(guard, *(entry.id for entry in guard.history()))
    guard = restarted(guard, clock)
    assert guard.check("run").code is Code.OPERATION_LICENSE_REVOKED
    guard.close()


def test_a_license_of_the_serial_number_before_stays_that_servers(guard: Guard, clock: Clock) -> None:
    install(guard, jti="L-1")
    guard.renew_serial_number()
    install(guard, jti="L-2", features={})
    swap(guard, *(entry.id for entry in guard.history()))
    guard = restarted(guard, clock)
    assert guard.check("run").code is Code.OPERATION_WRONG_SERVER
    guard.close()


@pytest.mark.parametrize("edited", ["payload", "protected", "signature"])
def test_parts_swapped_between_two_licenses_fit_neither(guard: Guard, clock: Clock, edited: str) -> None:
    install(guard, jti="L-1", features={"software_units": limit(1000)})
    install(guard, jti="L-2", features={"software_units": limit(10)}, keys=[KEY])
    mine, other = (json.loads(entry.signed) for entry in guard.history())
    if edited == "payload":
        mine["payload"] = other["payload"]
    elif edited == "protected":
        mine["signatures"][0]["protected"] = base64url(b'{"alg":"Ed25519","kid":"' + KEY.kid.encode() + b'"}')
    else:
        mine["signatures"] = other["signatures"]
    edit(guard, json.dumps(mine).encode())
    guard = restarted(guard, clock)
    assert guard.status().state is State.UNREADABLE
    assert guard.check("publish").diagnosis_code in {Diagnosis.BAD_SIGNATURE, Diagnosis.WRONG_TYPE}
    guard.close()


def test_an_allocation_verifies_what_it_goes_by(small: Guard) -> None:
    """It reads for itself: a snapshot that is behind does not matter."""
    edit(small, a_license(keys=[OTHER_KEY]))
    with small.database.write() as connection:
        change_installation(connection)
    assert small.check("publish").allowed
    with pytest.raises(Refused) as caught:
        allocate(small, "orders", 1)
    assert caught.value.decision.diagnosis_code == Diagnosis.UNKNOWN_KEY
    assert used(small) == 0


def test_a_license_taken_away_is_none(small: Guard, clock: Clock) -> None:
    with small.database.write() as connection:
        connection.execute(update(installation).values(license_id=None))
        connection.execute(delete(licenses))
    guard = restarted(small, clock)
    assert guard.status().state is State.NO_LICENSE
    guard.close()


def test_usage_made_smaller_by_hand_is_found(small: Guard) -> None:
    allocate(small, "orders", 10)
    with small.database.write() as connection:
        connection.execute(update(totals).values(used=0))
    with pytest.raises(AssertionError):
        used(small)
    with small.database.write() as connection:
        connection.execute(delete(allocations))
    assert used(small) == 0


def test_a_copy_of_the_database_has_the_same_license_until_it_gets_a_serial_number(small: Guard, clock: Clock) -> None:
    copy = restarted(small, clock)
    assert copy.check("publish").allowed
    copy.renew_serial_number()
    assert copy.check("publish").code is Code.OPERATION_WRONG_SERVER
    copy.close()


# The trust store


def test_a_key_that_is_trusted_no_longer(licensed: Guard, clock: Clock) -> None:
    guard = restarted(licensed, clock, trust=trust_store(NEW_KEY))
    status = guard.status()
    assert status.state is State.UNREADABLE
    assert status.rejection is not None
    assert status.rejection.diagnosis is Diagnosis.UNKNOWN_KEY
    with pytest.raises(Refused) as caught:
        guard.restore(guard.history()[0].id)
    assert caught.value.decision.diagnosis_code == Diagnosis.UNKNOWN_KEY
    guard.install(license_for(guard, jti="L-2", keys=[NEW_KEY]))
    assert guard.check("run").allowed
    guard.close()


def test_a_key_added_leaves_what_is_in_force(licensed: Guard, clock: Clock) -> None:
    guard = restarted(licensed, clock, trust=trust_store(KEY, NEW_KEY))
    assert guard.check("run").allowed
    install(guard, jti="L-2", keys=[NEW_KEY])
    assert guard.check("run").allowed
    guard.close()


def test_the_vendor_is_named_though_the_license_cannot_be_read(licensed: Guard, clock: Clock) -> None:
    guard = restarted(licensed, clock, trust=trust_store(NEW_KEY, issuer="Acme Software"))
    assert guard.status().vendor_name == "Acme Software"
    assert "Acme Software" in guard.status().errors[0].remedy
    guard.close()
