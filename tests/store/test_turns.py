"""Turns at writing: one at a time, in the order in which they came, whoever dies."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from placet.store import turns
from placet.store.failures import NestedTransaction
from placet.store.turns import Turns

SECONDS = 20.0


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "database"


@pytest.fixture
def mine(lock_file: Path) -> Iterator[Turns]:
    found = Turns(lock_file)
    yield found
    found.close()


@pytest.fixture
def theirs(lock_file: Path) -> Iterator[Turns]:
    """Those of another process: the kernel's locks are of the open file, not of the process."""
    found = Turns(lock_file)
    yield found
    found.close()


def is_free(lock_file: Path, name: str) -> bool:
    descriptor = os.open(lock_file.with_name(f"{lock_file.name}-{name}"), os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def waiting(of: Turns, number: int) -> None:
    """Wait until so many threads wait for their turn."""
    ended = threading.Event()
    for _ in range(2000):
        if len(of._waiting) == number:
            return
        ended.wait(0.005)
    raise AssertionError(f"{len(of._waiting)} wait, not {number}")


def test_a_turn_that_is_passed_on_can_be_taken_again(mine: Turns, lock_file: Path) -> None:
    for _ in range(3):
        mine.__enter__()
        assert not is_free(lock_file, "turn")
        mine.__exit__()
        assert is_free(lock_file, "turn")


def test_threads_have_their_turns_in_the_order_in_which_they_came(mine: Turns) -> None:
    order: list[int] = []

    def write(number: int) -> None:
        mine.__enter__()
        order.append(number)
        mine.__exit__()

    mine.__enter__()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        waiting(mine, number + 1)
    mine.__exit__()
    for thread in threads:
        thread.join(SECONDS)
    assert order == list(range(8))


def test_a_turn_within_a_turn_of_the_same_thread_is_a_mistake_that_is_told(mine: Turns) -> None:
    mine.__enter__()
    with pytest.raises(NestedTransaction):
        mine.__enter__()
    mine.__exit__()
    mine.__enter__()  # the mistake has taken nothing
    mine.__exit__()


def test_two_processes_are_never_at_it_together(mine: Turns, theirs: Turns) -> None:
    taken = threading.Event()

    def write() -> None:
        theirs.__enter__()
        taken.set()
        theirs.__exit__()

    mine.__enter__()
    thread = threading.Thread(target=write)
    thread.start()
    assert not taken.wait(0.05)
    mine.__exit__()
    assert taken.wait(SECONDS)
    thread.join(SECONDS)


def test_a_process_that_has_had_its_burst_queues_again(
    mine: Turns, lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    monkeypatch.setattr(turns, "monotonic", lambda: moment[0])
    mine.__enter__()
    mine.__exit__()
    queue = os.open(lock_file.with_name(f"{lock_file.name}-queue"), os.O_RDWR)
    fcntl.flock(queue, fcntl.LOCK_EX)  # another process is first in the queue
    try:
        moment[0] += turns.BURST_SECONDS / 2
        mine.__enter__()  # within its burst it does not queue
        mine.__exit__()
        moment[0] += turns.BURST_SECONDS
        taken = threading.Event()
        thread = threading.Thread(target=lambda: (mine.__enter__(), taken.set(), mine.__exit__()))
        thread.start()
        assert not taken.wait(0.05)
    finally:
        os.close(queue)
    assert taken.wait(SECONDS)
    thread.join(SECONDS)


def test_a_process_that_is_killed_in_its_turn_holds_up_nobody(mine: Turns, lock_file: Path) -> None:
    told = (
        "import sys, time; from pathlib import Path; from placet.store.turns import Turns;"
        "Turns(Path(sys.argv[1])).__enter__(); print('taken', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", told, str(lock_file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        assert not is_free(lock_file, "turn")
        process.send_signal(signal.SIGKILL)
    mine.__enter__()
    mine.__exit__()


def test_a_turn_that_cannot_be_had_from_the_kernel_is_passed_on_to_the_next_thread(
    mine: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("no locks available")

    with monkeypatch.context() as patched:
        patched.setattr(turns.fcntl, "flock", refused)
        with pytest.raises(OSError, match="no locks"):
            mine.__enter__()
    mine.__enter__()
    mine.__exit__()
