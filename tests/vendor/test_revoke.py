from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from placet.license import DocumentRejected, SigningKey, verify
from placet.license.instants import to_numeric_date
from placet.license.status_list import verify_status_list
from placet.vendor import revoke as revoking
from placet.vendor.failures import Mistaken, Refused
from placet.vendor.issue import Order, issue
from placet.vendor.keystore import Vendor, rotate
from placet.vendor.revoke import revoke

DAY = timedelta(days=1)


@pytest.fixture
def jtis(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> list[str]:
    return [issue(vendor, key, order, now).terms.jti for _ in range(3)]


def test_a_revoked_license_is_on_the_signed_list(
    vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime
) -> None:
    revoked = revoke(vendor, key, jtis[1], " contract ended ", now)
    written = verify_status_list(vendor.status_list_path.read_bytes(), vendor.trust())
    assert written == revoked.status_list
    assert written.content.iss == "ACME Software"
    found = written.content.find(jtis[1])
    assert found is not None
    assert (found.reason, found.revoked_at) == ("contract ended", to_numeric_date(now))
    assert written.content.find(jtis[0]) is None
    assert vendor.status_list_path.stat().st_mode & 0o777 == 0o644
    assert not revoked.already


def test_the_ledger_records_it(vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime) -> None:
    revoked = revoke(vendor, key, jtis[0], "stolen", now)
    entry = vendor.ledger.read().entries[-1]
    assert entry == revoked.entry
    assert (entry.sequence, entry.kind, entry.jti, entry.reason) == (5, "revoked", jtis[0], "stolen")
    assert (entry.customer, entry.digest) == ("Muster & Söhne", revoked.status_list.digest)


def test_lists_grow_in_sequence(vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime) -> None:
    lists = [revoke(vendor, key, jti, "reason", now).status_list.content for jti in jtis]
    assert [len(each.revoked) for each in lists] == [1, 2, 3]
    assert [each.sequence for each in lists] == [5, 6, 7]
    assert [entry.jti for entry in lists[-1].revoked] == jtis


def test_revoking_twice_changes_nothing(vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime) -> None:
    first = revoke(vendor, key, jtis[0], "first reason", now)
    ledger, status_list = vendor.ledger.path.read_bytes(), vendor.status_list_path.read_bytes()
    vendor.status_list_path.unlink()
    again = revoke(vendor, key, jtis[0], "second reason", now + DAY)
    assert again.already
    assert again.entry == first.entry
    assert vendor.ledger.path.read_bytes() == ledger
    assert vendor.status_list_path.read_bytes() == status_list


def test_an_unknown_license_is_told(vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime) -> None:
    with pytest.raises(Refused, match="never issued a license 0123"):
        revoke(vendor, key, "0123", "reason", now)
    assert not vendor.status_list_path.exists()


@pytest.mark.parametrize(("jti", "reason"), [("", "r"), ("x" * 201, "r"), ("j", ""), ("j", "x" * 1001), ("j", "a\nb")])
def test_abuse_is_told(vendor: Vendor, key: SigningKey, now: datetime, jti: str, reason: str) -> None:
    with pytest.raises(Mistaken, match=r"The (jti|reason) "):
        revoke(vendor, key, jti, reason, now)


def test_after_a_rotation_the_new_key_signs_the_list(
    vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime
) -> None:
    revoke(vendor, key, jtis[0], "reason", now)
    rotated = rotate(vendor, None, now)
    revoked = revoke(rotated, rotated.unlock(None), jtis[1], "reason", now)
    assert len(revoked.status_list.content.revoked) == 2
    assert rotated.active_kid != vendor.active_kid
    assert revoked.entry.kid == rotated.active_kid


def test_a_status_list_is_not_a_license(vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime) -> None:
    revoke(vendor, key, jtis[0], "reason", now)
    with pytest.raises(DocumentRejected, match="Not a license"):
        verify(vendor.status_list_path.read_bytes(), vendor.trust())


@pytest.fixture
def full(vendor: Vendor, key: SigningKey, order: Order, now: datetime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Licenses that end one after the other, as many of them revoked as the list takes, and one more issued."""
    monkeypatch.setattr(revoking, "MOST_REVOCATIONS", 3)
    ends: list[dict[str, Any]] = [
        {"expires_at": now + 3 * DAY},
        {"expires_at": now + DAY, "grace": 9 * DAY},
        {"expires_at": now + 2 * DAY},
        {},
    ]
    made = [issue(vendor, key, _changed(order, **end), now).terms.jti for end in ends]
    for jti in made[:3]:
        revoke(vendor, key, jti, "reason", now)
    return made


def _changed(order: Order, **changes: Any) -> Order:
    return msgspec.structs.replace(order, **changes)


def test_what_ended_longest_ago_leaves_a_full_list(
    vendor: Vendor, key: SigningKey, full: list[str], now: datetime
) -> None:
    revoked = revoke(vendor, key, full[3], "reason", now + 4 * DAY)
    assert [entry.jti for entry in revoked.status_list.content.revoked] == [full[0], full[1], full[3]]


def test_nothing_that_counts_leaves_a_full_list(
    vendor: Vendor, key: SigningKey, full: list[str], now: datetime
) -> None:
    before = vendor.ledger.path.read_bytes()
    with pytest.raises(Refused, match="The status list is full: 4 revoked licenses"):
        revoke(vendor, key, full[3], "reason", now + DAY)
    assert vendor.ledger.path.read_bytes() == before


def test_a_list_is_never_larger_than_servers_read(
    vendor: Vendor, key: SigningKey, jtis: list[str], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revoking, "SIZE_CAP", 1500)
    revoke(vendor, key, jtis[0], "short", now)
    with pytest.raises(Refused, match="The status list is full: 2 revoked licenses"):
        revoke(vendor, key, jtis[1], "x" * 1000, now)
