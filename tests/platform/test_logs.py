import os
import re
from pathlib import Path

from placet.platform.logs import LogPump, LogReader, append, note, tail

TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


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
    time, _, text = (tmp_path / "log").read_bytes().partition(b" ")
    assert TIME.fullmatch(time)
    assert text == b"a" * 60_000 + b"the end\n"
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


def test_every_line_has_its_time_and_lines_without_end_are_cut(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pump = LogPump(os.fdopen(reading, "rb"), tmp_path / "log")
    pump.start()
    for part in (b"on", b"e\ntwo\r\n\n", b"y" * 50_000, b"y" * 50_000):
        os.write(writing, part)
    os.close(writing)
    pump.join(10)
    note(tmp_path / "log", "it ended\nwith status 1")
    lines = [line.partition(b" ") for line in (tmp_path / "log").read_bytes().splitlines()]
    assert all(TIME.fullmatch(time) for time, _, _ in lines)
    texts = [text for _, _, text in lines]
    assert texts[:3] == [b"one", b"two", b""]
    assert b"".join(texts[3:-1]) == b"y" * 100_000
    assert texts[-1] == b"[placet] it ended with status 1"


def test_a_reader_goes_on_over_rotations(tmp_path: Path) -> None:
    log = tmp_path / "log"
    reader = LogReader(log)
    assert reader.start(5) == []
    seen = reader.read()
    for number in range(50):
        append(log, b"line %d\n" % number, max_bytes=60)
        if number % 3 == 0:
            seen += reader.read()
    while found := reader.read():
        seen += found
    reader.close()
    assert seen == [b"line %d\n" % number for number in range(50)]
    assert (tmp_path / "log.1").exists()


def test_a_reader_starts_with_the_last_lines_of_both_files(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(9):
        append(log, b"line %d\n" % number, max_bytes=40)
    reader = LogReader(log)
    assert reader.start(5) == [b"line %d\n" % number for number in range(4, 9)]
    append(log, b"more\n")
    assert reader.read() == [b"more\n"]
    reader.close()
    assert reader.start(0) == []
    reader.close()
