import hashlib
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from placet.license import FORMAT_VERSION, Enforcement, Grant, SigningKey, serial, verify
from placet.license.instants import rfc3339, to_numeric_date
from placet.vendor.failures import Failed, Mistaken
from placet.vendor.issue import Order, issue
from placet.vendor.keystore import Vendor

DAY = timedelta(days=1)


def changed(order: Order, **changes: Any) -> Order:
    return msgspec.structs.replace(order, **changes)


def test_an_order_becomes_a_license_that_verifies(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    issued = issue(vendor, key, order, now, file="muster.license")
    verified = verify(issued.signed, vendor.trust())
    terms = verified.terms
    assert terms == issued.terms
    assert (terms.iss, terms.customer, terms.sequence) == ("ACME Software", "Muster & Söhne", 2)
    assert terms.sub == terms.serial_number == order.serial_number
    assert terms.version == FORMAT_VERSION
    assert terms.iat == to_numeric_date(now)
    assert terms.exp == to_numeric_date(datetime(2028, 1, 1, tzinfo=UTC))
    assert (terms.nbf, terms.grace_until, terms.evaluation_seconds, terms.replaces) == (None, None, None, None)
    assert terms.features == order.features
    assert terms.enforcement is Enforcement.STRICT
    assert len(terms.jti) == 32
    assert int(terms.jti, 16)
    assert verified.key_id == vendor.active_kid
    assert verified.other_claims == {}


def test_everything_an_order_may_say(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    full = changed(
        order,
        starts_at=datetime(2027, 1, 1, tzinfo=UTC),
        grace=30 * DAY,
        enforcement=Enforcement.PER_FEATURE,
        evaluation=14 * DAY,
        edition="Enterprise",
        contact="licenses@acme.example",
        replaces="b" * 32,
    )
    terms = verify(issue(vendor, key, full, now).signed, vendor.trust()).terms
    assert terms.nbf == to_numeric_date(datetime(2027, 1, 1, tzinfo=UTC))
    assert terms.grace_until == terms.exp + 30 * 86_400
    assert terms.enforcement is Enforcement.PER_FEATURE
    assert terms.evaluation_seconds == 14 * 86_400
    assert (terms.edition, terms.contact, terms.replaces) == ("Enterprise", "licenses@acme.example", "b" * 32)


def test_the_ledger_knows_what_was_issued(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    answering = changed(order, server_key="thumbprint", grace=DAY, replaces="a" * 32)
    issued = issue(vendor, key, answering, now, file="muster.license")
    entry = vendor.ledger.read().entries[-1]
    assert entry == issued.entry
    assert (entry.sequence, entry.at, entry.kind) == (2, "2026-03-01T12:00:00Z", "issued")
    assert (entry.jti, entry.exp, entry.grace_until) == (issued.terms.jti, issued.terms.exp, issued.terms.grace_until)
    assert (entry.serial_number, entry.customer) == (order.serial_number, "Muster & Söhne")
    assert entry.digest == verify(issued.signed, vendor.trust()).digest
    assert (entry.kid, entry.server_key, entry.file) == (vendor.active_kid, "thumbprint", "muster.license")
    assert entry.replaces == "a" * 32


def test_every_license_has_its_own_identifier(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    issued = [issue(vendor, key, order, now) for _ in range(5)]
    assert len({each.terms.jti for each in issued}) == 5
    assert [each.terms.sequence for each in issued] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"starts_at": datetime(2028, 1, 1, tzinfo=UTC)},
            r"would expire before it starts: it starts 2028-01-01T00:00:00Z",
        ),
        ({"starts_at": datetime(2029, 1, 1, tzinfo=UTC)}, "would expire before it starts"),
        ({"grace": timedelta(days=2_920_000)}, "grace would end after the year 9999"),
        ({"serial_number": "0WF9-24NT-RZW2-R8D6-JXD8"}, "No server would accept this license"),
        ({"features": {"Test Query": Grant(kind="switch")}}, "No server would accept this license"),
        ({"customer": ""}, "No server would accept this license"),
    ],
)
def test_an_order_that_makes_no_sense_is_not_issued(
    vendor: Vendor, order: Order, now: datetime, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Mistaken, match=sentence):
        issue(vendor, vendor.unlock(None), changed(order, **changes), now)
    assert len(vendor.ledger.read().entries) == 1


def test_a_key_that_customers_do_not_trust_issues_nothing(vendor: Vendor, order: Order, now: datetime) -> None:
    with pytest.raises(Mistaken, match="No server would accept this license"):
        issue(vendor, SigningKey.generate(), order, now)
    assert len(vendor.ledger.read().entries) == 1


def test_nothing_is_issued_on_a_damaged_ledger(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    vendor.ledger.path.write_bytes(vendor.ledger.path.read_bytes().replace(b"2026", b"2025"))
    with pytest.raises(Failed, match="tampered with"):
        issue(vendor, key, order, now)


def test_what_looks_odd_is_a_warning(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    assert issue(vendor, key, order, now).warnings == ()
    past = issue(vendor, key, changed(order, expires_at=now - DAY, features={}), now)
    assert past.warnings == (
        f"The license has expired already: {rfc3339(now - DAY)} is past.",
        "The license grants no feature at all.",
    )
    assert verify(past.signed, vendor.trust()).terms.exp == to_numeric_date(now - DAY)


def test_replacing_is_looked_up(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    first = issue(vendor, key, order, now)
    assert issue(vendor, key, changed(order, replaces=first.terms.jti), now).warnings == ()
    (unknown,) = issue(vendor, key, changed(order, replaces="nothing"), now).warnings
    assert unknown == "This ledger knows no license nothing, which is to be replaced."
    elsewhere = changed(order, replaces=first.terms.jti, serial_number=serial.generate())
    (other,) = issue(vendor, key, elsewhere, now).warnings
    assert order.serial_number in other


def test_another_key_for_the_same_serial_number_is_a_warning(
    vendor: Vendor, key: SigningKey, order: Order, now: datetime
) -> None:
    assert issue(vendor, key, changed(order, server_key="one"), now).warnings == ()
    assert issue(vendor, key, changed(order, server_key="one"), now).warnings == ()
    assert issue(vendor, key, order, now).warnings == ()
    assert issue(vendor, key, changed(order, server_key="x", serial_number=serial.generate()), now).warnings == ()
    (warning,) = issue(vendor, key, changed(order, server_key="another"), now).warnings
    assert "signed by another key" in warning


ISSUE_MANY = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from placet.vendor.issue import Order, issue
from placet.vendor.keystore import open_vendor

vendor, now = open_vendor(Path(sys.argv[1])), datetime.now(UTC)
key = vendor.unlock(None)
order = Order(serial_number=sys.argv[2], customer="Muster", expires_at=now + timedelta(days=9), features={})
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    issue(vendor, key, order, now)
"""


def test_four_processes_issue_at_once(vendor: Vendor, order: Order) -> None:
    command = [sys.executable, "-c", ISSUE_MANY, str(vendor.directory), order.serial_number]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0, 0]
    entries = vendor.ledger.read().entries
    assert [entry.sequence for entry in entries] == list(range(1, 102))
    assert len({entry.jti for entry in entries[1:]}) == 100
    lines = vendor.ledger.path.read_bytes().splitlines()
    assert entries[-1].previous == hashlib.sha256(lines[-2]).hexdigest()
