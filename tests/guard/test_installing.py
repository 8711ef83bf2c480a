"""Installing and restoring licenses: what is refused changes nothing but the audit trail."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from builders import (
    DAY,
    EVERYTHING,
    NOW,
    OTHER_KEY,
    OTHER_SERIAL,
    SECOND,
    SERIAL,
    a_header,
    a_license,
    a_license_saying,
    a_request,
    a_status_list,
    base64url,
    by_hand,
    changed,
    limit,
    numeric,
    some_claims,
    switch,
    with_hmac,
)
from guard_support.guards import Clock, allocate, audited, install, license_for
from placet.enforcement import Code, Refused, State
from placet.guard import AcknowledgementRequired, Guard, UnknownLicense
from placet.license import Diagnosis, License
from placet.store import licenses
from placet.store.audit import Event
from store_support.databases import differences, dump

E1 = "No license was found for this server"
E3 = (
    f"The license found is not valid for this server because it was issued to a server with serial number "
    f"'{OTHER_SERIAL}'"
)

# One document for each way in which verification can fail.
DEFECTS: dict[Diagnosis, bytes] = {
    Diagnosis.TOO_LARGE: b" " * (256 * 1024 + 1),
    Diagnosis.EMPTY: b" \r\n",
    Diagnosis.NOT_TEXT: b"\xff\xfe\x00",
    Diagnosis.TRUNCATED: a_license()[:300],
    Diagnosis.NOT_JSON: b"PK-like nonsense",
    Diagnosis.DUPLICATE_MEMBER: b'{"payload": "e30", "payload": "e30", "signatures": []}',
    Diagnosis.NOT_JWS: b'{"license": "please"}',
    Diagnosis.UNSIGNED: by_hand(header=a_header(alg="none")),
    Diagnosis.SYMMETRIC_ALGORITHM: with_hmac(b"secret"),
    Diagnosis.ALGORITHM_MISMATCH: by_hand(header=a_header(alg="ES256")),
    Diagnosis.UNKNOWN_KEY: a_license(keys=[OTHER_KEY]),
    Diagnosis.BAD_SIGNATURE: changed(
        a_license(), payload=base64url(json.dumps(some_claims(customer="Somebody")).encode())
    ),
    Diagnosis.WRONG_TYPE: a_status_list("L-0001"),
    Diagnosis.VERSION_TOO_NEW: a_license_saying(version="2.0"),
    Diagnosis.MISSING_CLAIM: a_license_saying(exp=...),
    Diagnosis.MISTYPED_CLAIM: a_license_saying(exp="tomorrow"),
    Diagnosis.ABSURD_VALUE: a_license_saying(exp=1),
}


def refused(guard: Guard, data: bytes, **options: Any) -> Refused:
    """Try to install; nothing but one audit event may come of it, and what was in force stays so."""
    before, status = dump(guard.database), guard.status()
    with pytest.raises(Refused) as caught:
        guard.install(data, actor="me", **options)
    assert differences(before, dump(guard.database)) == {"audit_events": 1}
    assert (guard.status().license, guard.status().state) == (status.license, status.state)
    event, decision = audited(guard)[0], caught.value.decision
    assert (event.event, event.actor, event.subject) == (Event.LICENSE_REFUSED, "me", str(decision.code))
    assert event.detail == {"diagnosis": decision.diagnosis_code, "message": decision.message}
    return caught.value


# What is refused


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("diagnosis", DEFECTS)
def test_what_does_not_verify_is_refused_with_its_diagnosis(
    licensed: Guard, diagnosis: Diagnosis, dry_run: bool
) -> None:
    decision = refused(licensed, DEFECTS[diagnosis], dry_run=dry_run, acknowledge=True).decision
    assert (decision.code, decision.message) == (Code.NO_LICENSE, E1)
    assert decision.diagnosis_code == diagnosis
    assert decision.diagnosis
    assert len(decision.diagnosis) > 20
    assert licensed.check("run").allowed


def test_every_way_in_which_verification_fails_is_here() -> None:
    of_leases = {Diagnosis.LEASE_EXPIRED, Diagnosis.LEASE_NOT_YET_VALID}
    assert set(DEFECTS) == set(Diagnosis) - {Diagnosis.NO_FILE, Diagnosis.REVOKED} - of_leases


@pytest.mark.parametrize("data", [a_request(), a_license(serial_number=SERIAL)[:-20], b"{" * 100_000, b"\0" * 5000])
def test_other_files_are_refused_as_well(guard: Guard, data: bytes) -> None:
    assert refused(guard, data).decision.code is Code.NO_LICENSE
    assert guard.status().state is State.NO_LICENSE


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_license_of_another_server_is_refused_with_its_serial_number(licensed: Guard, dry_run: bool) -> None:
    file = a_license(serial_number=OTHER_SERIAL)
    decision = refused(licensed, file, dry_run=dry_run, acknowledge=True).decision
    assert (decision.code, decision.message) == (Code.WRONG_SERVER, E3)
    assert decision.diagnosis_code == "wrong_server"
    assert licensed.status().serial_number in (decision.diagnosis or "")
    assert licensed.check("run").allowed


def test_a_revoked_license_is_refused(licensed: Guard) -> None:
    licensed.install_status_list(a_status_list("L-2"))
    decision = refused(licensed, license_for(licensed, jti="L-2"), acknowledge=True).decision
    assert (decision.code, decision.diagnosis) == (Code.LICENSE_REVOKED, "Revoked: Not paid for.")
    assert licensed.check("run").allowed


# What is installed


def test_a_license_is_in_force_at_once_and_told_of(guard: Guard) -> None:
    outcome = guard.install(license_for(guard, jti="L-7"), actor="me")
    assert outcome.installed
    assert (outcome.before.state, outcome.after.state) == (State.NO_LICENSE, State.ACTIVE)
    assert {change.feature for change in outcome.changes.features} == {*EVERYTHING, "mailboxes"}
    assert guard.check("run").allowed
    assert guard.status().license == outcome.license
    (entry,) = guard.history()
    assert (entry.id, entry.jti, entry.installed_at, entry.installed_by) == (guard.license_id, "L-7", NOW, "me")
    event = audited(guard)[0]
    assert (event.event, event.actor, event.subject) == (Event.LICENSE_INSTALLED, "me", "L-7")
    assert event.detail == {
        "digest": outcome.license.digest,
        "customer": "Example Industries",
        "expires_at": "2027-02-21T12:00:00Z",
    }


@pytest.mark.parametrize(("before", "after"), [(b"\xef\xbb\xbf", b""), (b"\r\n \t", b"\r\n\r\n "), (b"", b"\n")])
def test_what_mail_adds_around_a_license_does_no_harm(guard: Guard, before: bytes, after: bytes) -> None:
    guard.install(before + license_for(guard).replace(b"\n", b"\r\n") + after)
    assert guard.check("run").allowed


def test_a_dry_run_tells_what_would_change_and_changes_nothing(licensed: Guard) -> None:
    allocate(licensed, "orders", 30)
    before, status = dump(licensed.database), licensed.status()
    features = {"software_units": limit(10), "users": limit(50), "run": switch(), "hovercraft": switch()}
    outcome = licensed.install(license_for(licensed, jti="L-2", features=features), dry_run=True)
    assert dump(licensed.database) == before
    assert licensed.status() is status
    assert not outcome.installed
    effects = {change.feature: (str(change.effect), change.before, change.after) for change in outcome.changes.features}
    assert effects == {
        "software_units": ("lowered", "100", "10"),
        "users": ("raised", "20", "50"),
        "front_end_servers": ("lowered", "2", "1"),
        "debugger": ("lost", "on", "off"),
        "test_query": ("lost", "on", "off"),
    }
    assert outcome.changes.unknown_features == ("hovercraft",)
    assert outcome.changes.needs_acknowledgement
    assert outcome.after.features["software_units"].used == 30


def test_a_smaller_license_has_to_be_acknowledged(licensed: Guard) -> None:
    allocate(licensed, "orders", 30)
    file = license_for(licensed, jti="L-2", features=dict(EVERYTHING) | {"software_units": limit(10)})
    error = refused(licensed, file)
    assert isinstance(error, AcknowledgementRequired)
    assert (error.decision.code, error.decision.http_status) == (Code.ACKNOWLEDGEMENT_REQUIRED, 409)
    assert error.decision.diagnosis == "Over limit: 30 Software Units are in use, and the license allows 10."
    assert error.outcome.after.features["software_units"].exceeded
    assert {decision.operation for decision in error.outcome.changes.blocked} >= {"publish", "run"}
    assert licensed.install(file, acknowledge=True).installed
    assert licensed.check("run").code is Code.OPERATION_EXPIRED_OR_OVER_LIMIT
    assert install(licensed, jti="L-3").installed  # and a larger one needs no acknowledgement
    assert licensed.check("run").allowed


@pytest.mark.parametrize(
    ("claims", "state"),
    [({"nbf": numeric(NOW + DAY)}, State.NOT_YET_VALID), ({"exp": numeric(NOW)}, State.EXPIRED)],
)
def test_a_license_out_of_its_time_has_to_be_acknowledged(licensed: Guard, claims: Any, state: State) -> None:
    file = license_for(licensed, jti="L-2", **claims)
    assert refused(licensed, file).decision.code is Code.ACKNOWLEDGEMENT_REQUIRED
    assert licensed.install(file, acknowledge=True).after.state is state
    assert licensed.status().state is state


def test_a_license_without_a_feature_needs_no_acknowledgement(licensed: Guard) -> None:
    assert install(licensed, jti="L-2", features={"run": switch()}).installed
    assert licensed.check("debug").code is Code.FEATURE_NOT_LICENSED


def test_where_there_was_none_any_license_is_installed(guard: Guard) -> None:
    assert install(guard, exp=numeric(NOW - DAY)).installed
    assert guard.status().state is State.EXPIRED


def test_a_renewal_ends_the_warnings_at_once(guard: Guard, clock: Clock) -> None:
    install(guard, exp=numeric(NOW + 10 * DAY), grace_until=numeric(NOW + 20 * DAY))
    assert [notice.code for notice in guard.check("run").warnings] == [Code.EXPIRING]
    clock.go_on(10 * DAY)
    assert [notice.code for notice in guard.check("run").warnings] == [Code.IN_GRACE]
    install(guard, jti="L-2", exp=numeric(NOW + 400 * DAY))
    assert (guard.check("run").warnings, guard.status().warnings) == ((), ())


def test_a_license_is_installed_again_as_it_is(licensed: Guard) -> None:
    before = licensed.status()
    install(licensed)
    assert [entry.jti for entry in licensed.history()] == ["L-0001", "L-0001"]
    assert licensed.license_id == licensed.history()[0].id
    assert licensed.status().license == before.license


def test_an_older_license_replaces_a_newer_one_where_it_is_installed(licensed: Guard) -> None:
    """What is in force is what was installed last; the vendor's sequence is told, not judged."""
    install(licensed, jti="L-2", sequence=9)
    install(licensed, jti="L-1", sequence=2)
    license_ = licensed.status().license
    assert license_ is not None
    assert license_.terms.jti == "L-1"


def test_claims_nobody_knows_are_kept(guard: Guard) -> None:
    file = a_license(serial_number=guard.status().serial_number, other_claims={"colour": {"name": "green"}})
    guard.install(file)
    license_ = guard.status().license
    assert isinstance(license_, License)
    assert license_.other_claims == {"colour": {"name": "green"}}


# The history


def test_a_license_of_the_history_is_restored(licensed: Guard) -> None:
    install(licensed, jti="L-2", features={"run": switch()})
    first = licensed.history()[-1]
    outcome = licensed.restore(first.id, actor="me")
    assert (outcome.installed, outcome.license.terms.jti) == (True, "L-0001")
    assert licensed.check("debug").allowed
    newest = licensed.history()[0]
    assert (newest.jti, newest.restored_from, newest.installed_by) == ("L-0001", first.id, "me")
    assert (licensed.license_id, len(licensed.history())) == (newest.id, 3)
    event = audited(licensed)[0]
    assert (event.event, event.actor, event.subject) == (Event.LICENSE_RESTORED, "me", "L-0001")


@pytest.mark.parametrize("license_id", [0, -1, 2, 10**15])
def test_an_entry_that_is_not_there_cannot_be_restored(licensed: Guard, license_id: int) -> None:
    before = dump(licensed.database)
    with pytest.raises(UnknownLicense, match=f"The license history has no entry {license_id}"):
        licensed.restore(license_id)
    assert dump(licensed.database) == before


def restore_refused(guard: Guard, license_id: int) -> Refused:
    before, status = dump(guard.database), guard.status()
    with pytest.raises(Refused) as caught:
        guard.restore(license_id, actor="me")
    assert differences(before, dump(guard.database)) == {"audit_events": 1}
    assert (audited(guard)[0].event, audited(guard)[0].actor) == (Event.LICENSE_REFUSED, "me")
    assert guard.status().license == status.license
    return caught.value


def test_a_restored_license_is_judged_like_a_new_one(licensed: Guard) -> None:
    install(licensed, jti="L-2")
    allocate(licensed, "orders", 30)
    first = licensed.history()[-1]
    smaller = license_for(licensed, jti="L-3", features={"software_units": limit(10)})
    licensed.install(smaller, acknowledge=True)
    small = licensed.license_id
    licensed.restore(first.id)
    assert small is not None
    assert restore_refused(licensed, small).decision.code is Code.ACKNOWLEDGEMENT_REQUIRED
    assert licensed.restore(small, acknowledge=True).installed
    licensed.install_status_list(a_status_list("L-0001"))
    assert restore_refused(licensed, first.id).decision.code is Code.LICENSE_REVOKED
    licensed.renew_serial_number()
    assert restore_refused(licensed, small).decision.code is Code.WRONG_SERVER


def test_a_restored_license_is_verified_again(licensed: Guard) -> None:
    install(licensed, jti="L-2")
    first = licensed.history()[-1]
    table = licenses.licenses
    with licensed.database.write() as connection:
        forged = first.signed.replace('"payload": "', '"payload": "x')
        connection.execute(update(table).where(table.c.id == first.id).values(signed=forged))
    decision = restore_refused(licensed, first.id).decision
    assert (decision.code, decision.diagnosis_code) == (Code.NO_LICENSE, Diagnosis.BAD_SIGNATURE)


def test_the_history_says_when_each_license_was_installed(licensed: Guard, clock: Clock) -> None:
    clock.go_on(DAY + SECOND / 1000)
    install(licensed, jti="L-2")
    assert [entry.installed_at for entry in licensed.history()] == [NOW + DAY + SECOND / 1000, NOW]
