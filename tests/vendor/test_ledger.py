import hashlib
import json
import resource
import signal
from datetime import datetime

import pytest

from placet.license import SigningKey
from placet.vendor.failures import Failed
from placet.vendor.issue import Order, issue
from placet.vendor.keystore import Vendor
from placet.vendor.ledger import LINE_CAP, START, EntryKind, LedgerContents


@pytest.fixture
def three(vendor: Vendor, key: SigningKey, order: Order, now: datetime) -> Vendor:
    for _ in range(2):
        issue(vendor, key, order, now)
    return vendor


def lines(vendor: Vendor) -> list[bytes]:
    return vendor.ledger.path.read_bytes().splitlines(keepends=True)


def test_each_entry_holds_the_hash_of_the_line_before(three: Vendor) -> None:
    contents = three.ledger.read()
    written = [line[:-1] for line in lines(three)]
    hashes = [hashlib.sha256(line).hexdigest() for line in written]
    assert [entry.previous for entry in contents.entries] == [START, *hashes[:-1]]
    assert contents.head == hashes[-1]
    assert [entry.sequence for entry in contents.entries] == [1, 2, 3]
    assert [entry.kind for entry in contents.entries] == ["key_created", "issued", "issued"]
    assert [json.loads(line)["sequence"] for line in written] == [1, 2, 3]


def test_entries_are_found_by_kind_and_jti(three: Vendor) -> None:
    contents = three.ledger.read()
    second = contents.entries[1]
    assert second.jti is not None
    assert contents.find(EntryKind.ISSUED, second.jti) == second
    assert contents.find(EntryKind.REVOKED, second.jti) is None
    assert contents.next_sequence == 4


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_changed_line_is_told_even_if_it_is_the_last(three: Vendor, number: int) -> None:
    written = lines(three)
    written[number - 1] = written[number - 1].replace(b'"at":"2026', b'"at":"2025')
    three.ledger.path.write_bytes(b"".join(written))
    with pytest.raises(Failed, match=f"tampered with or damaged.*line {number}.*from a backup"):
        three.ledger.read()


def test_a_chain_written_anew_without_the_key_is_told(three: Vendor) -> None:
    forged, head = [], START
    for line in lines(three):
        entry = json.loads(line) | {"previous": head, "customer": "Somebody Else"}
        forged.append(json.dumps(entry, separators=(",", ":")).encode())
        head = hashlib.sha256(forged[-1]).hexdigest()
    three.ledger.path.write_bytes(b"\n".join(forged) + b"\n")
    with pytest.raises(Failed, match="the signature of line 3, the last, does not verify"):
        three.ledger.read()


def test_an_entry_by_an_unknown_key_is_told(three: Vendor, order: Order, now: datetime) -> None:
    with three.ledger.locked() as page:
        page.append(SigningKey.generate(), EntryKind.ISSUED, now, jti="forged")
    with pytest.raises(Failed, match="the signature of line 4"):
        three.ledger.read()


@pytest.mark.parametrize("kept", [(0, 2), (1, 2), (0, 2, 1), (0, 1, 1, 2)])
def test_lines_left_out_doubled_or_moved_are_told(three: Vendor, kept: tuple[int, ...]) -> None:
    written = lines(three)
    three.ledger.path.write_bytes(b"".join(written[number] for number in kept))
    with pytest.raises(Failed, match="tampered with or damaged"):
        three.ledger.read()


@pytest.mark.parametrize(
    "garbage", [b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b'{"sequence":1e999}\n', b"{" * 9999 + b"\n"]
)
def test_a_line_that_is_no_entry_is_told(three: Vendor, garbage: bytes) -> None:
    three.ledger.path.write_bytes(b"".join(lines(three)) + garbage)
    with pytest.raises(Failed, match="Line 4 of the ledger cannot be read"):
        three.ledger.read()


def test_a_wrong_sequence_number_is_told(three: Vendor, key: SigningKey, now: datetime) -> None:
    with three.ledger.locked() as page:
        page.contents = LedgerContents(entries=page.contents.entries[:1], head=page.contents.head)
        page.append(key, EntryKind.ISSUED, now, jti="again 2")
    with pytest.raises(Failed, match="Line 4 of the ledger has the sequence number 2"):
        three.ledger.read()


def test_a_line_of_absurd_length_is_told(three: Vendor) -> None:
    three.ledger.path.write_bytes(b"".join(lines(three)) + b"x" * (LINE_CAP + 1))
    with pytest.raises(Failed, match="Line 4 of the ledger has more than 131,072 bytes"):
        three.ledger.read()


def test_an_empty_ledger_is_told(vendor: Vendor) -> None:
    vendor.ledger.path.write_bytes(b"")
    with pytest.raises(Failed, match="The ledger is empty"):
        vendor.ledger.read()


@pytest.mark.parametrize("left", [1, 100, -2])
def test_a_torn_line_is_told_and_can_be_set_aside(
    three: Vendor, key: SigningKey, order: Order, now: datetime, left: int
) -> None:
    whole = three.ledger.path.read_bytes()
    issue(three, key, order, now)
    torn = lines(three)[-1][:left]
    three.ledger.path.write_bytes(whole + torn)
    with pytest.raises(Failed, match=r"Line 4 of the ledger, the last, is torn: it has [\d,]+ bytes.*--repair"):
        three.ledger.read()
    with pytest.raises(Failed, match="is torn"):
        issue(three, key, order, now)
    aside = three.ledger.repair()
    assert aside is not None
    assert aside.read_bytes() == torn
    assert three.ledger.path.read_bytes() == whole
    assert issue(three, key, order, now).entry.sequence == 4


def test_an_entry_that_only_lost_its_line_feed_is_kept(three: Vendor) -> None:
    whole = three.ledger.path.read_bytes()
    three.ledger.path.write_bytes(whole[:-1])
    with pytest.raises(Failed, match="is torn"):
        three.ledger.read()
    assert three.ledger.repair() is None
    assert three.ledger.path.read_bytes() == whole
    assert three.ledger.repair() is None


def test_repair_touches_nothing_else(three: Vendor) -> None:
    damaged = three.ledger.path.read_bytes().replace(b'"at":"2026', b'"at":"2025', 1) + b"torn"
    three.ledger.path.write_bytes(damaged)
    with pytest.raises(Failed, match="tampered with or damaged"):
        three.ledger.repair()
    assert three.ledger.path.read_bytes() == damaged


def test_an_entry_that_does_not_fit_the_disk_leaves_no_trace(
    three: Vendor, key: SigningKey, order: Order, now: datetime
) -> None:
    whole = three.ledger.path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 50, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            issue(three, key, order, now)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert three.ledger.path.read_bytes() == whole
    assert issue(three, key, order, now).entry.sequence == 4


def test_entries_are_only_appended(three: Vendor, key: SigningKey, order: Order, now: datetime) -> None:
    whole, inode = three.ledger.path.read_bytes(), three.ledger.path.stat().st_ino
    issue(three, key, order, now)
    assert three.ledger.path.read_bytes().startswith(whole)
    assert three.ledger.path.stat().st_ino == inode
