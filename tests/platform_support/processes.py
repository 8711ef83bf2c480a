"""Watches processes by their id, without polling."""

import os
import select


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
