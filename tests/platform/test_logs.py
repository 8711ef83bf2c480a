import os
from pathlib import Path

from placet.platform.logs import LogPump, append, tail


def test_a_log_past_its_bound_becomes_the_earlier_one(tmp_path: Path) -> None:
    log = tmp_path / "orders.log"
    for number in range(10):
        append(log, f"{number}\n".encode() * 10, max_bytes=50)
    kept = (tmp_path / "orders.log.1").read_bytes() + (log.read_bytes() if log.exists() else b"")
    assert kept.endswith(b"9\n" * 10)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 140
    assert {path.name for path in tmp_path.iterdir()} <= {"orders.log", "orders.log.1"}


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "orders.log"
    assert tail(log, 5) == ""
    log.write_bytes(b"x" * 1_000_000 + b"\none\ntwo\n\xff three")
    assert tail(log, 3) == "one\ntwo\n\N{REPLACEMENT CHARACTER} three"
    assert tail(log, 0) == ""
    assert len(tail(log, 100)) < 300_000


def test_a_pump_ends_with_its_source_and_remembers_the_last(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pump = LogPump(os.fdopen(reading, "rb"), tmp_path / "log")
    pump.start()
    os.write(writing, b"a" * 60_000)
    os.write(writing, b"the end")
    os.close(writing)
    pump.join(10)
    assert (tmp_path / "log").read_bytes() == b"a" * 60_000 + b"the end"
    assert pump.recent.endswith("athe end")
    assert len(pump.recent) == 8 * 1024


def test_a_log_that_cannot_be_written_does_not_block_the_process(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pump = LogPump(os.fdopen(reading, "rb"), tmp_path / "no" / "such" / "log")
    pump.start()
    for _ in range(100):
        os.write(writing, b"x" * 60_000)
    os.close(writing)
    pump.join(10)
    assert not pump.is_alive()
