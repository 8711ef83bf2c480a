"""The server's end of the line on which a worker is told to run timers."""

import socket

import msgspec

from placet.platform.timers import TimerOrder

_MAX_BUFFER = 64 * 1024


class TimerChannel:
    """Sends orders and hears of runs that have ended; never waits, whatever the worker does or does not do."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._begun = b""
        self._ended: set[str] = set()

    def order(self, timer: str, run: str) -> None:
        """Have a timer run. Where the worker cannot be told, the run counts as ended."""
        try:
            self._connection.sendall(msgspec.json.encode(TimerOrder(timer, run)) + b"\n")
        except OSError:
            self._ended.add(run)

    def has_ended(self, run: str) -> bool:
        """Tell, once, whether a run has ended."""
        self._hear()
        if run in self._ended:
            self._ended.discard(run)
            return True
        return False

    def close(self) -> None:
        """Close the line."""
        self._connection.close()

    def _hear(self) -> None:
        try:
            while chunk := self._connection.recv(_MAX_BUFFER):
                *lines, self._begun = (self._begun[-_MAX_BUFFER:] + chunk).split(b"\n")
                self._ended.update(line.decode("ascii", errors="replace") for line in lines[-1000:])
        except OSError:  # nothing more at the moment, or for ever
            return
