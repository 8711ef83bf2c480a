"""Watches processes by their id, without polling."""

import os
import select
import socket

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


def assert_adapter_gone(guardian: int, port: int) -> None:
    """Assert that the guardian above a debug adapter is gone, with all below it, and that nothing is at its port."""
    assert is_gone(guardian)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
