"""Watches processes by their id, without polling."""

import os
import select
import socket
from pathlib import Path

import pytest


def is_gone(pid: int, *, within_seconds: float = 10) -> bool:
    """Wait until the process has ended; False if it still runs after the time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([descriptor], [], [], within_seconds)
        return bool(ready)
    finally:
        os.close(descriptor)


def assert_adapter_gone(group: int, port: int) -> None:
    """Assert that no process of a debug adapter's group is left, nor anything at its port."""
    members = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _group_of(path) == group]
    assert all(is_gone(member) for member in members)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def _group_of(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return None
