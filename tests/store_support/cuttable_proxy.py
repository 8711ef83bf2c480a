"""A network that fails when it is told to."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class CuttableProxy:
    """A TCP proxy on loopback. ``cut`` resets every connection and lets none in, ``stall`` moves no byte."""

    def __init__(self, target_port: int) -> None:
        self._target = (HOST, target_port)
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self._moving = threading.Event()
        self._moving.set()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [self._thread(self._accept, self._listener)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Reset all connections, and refuse new ones until ``mend``."""
        self._stop_listening()
        self._reset()

    def stall(self) -> None:
        """Keep connections, and let new ones in, but move no bytes until ``mend``."""
        self._moving.clear()

    def mend(self) -> None:
        """Be a network again."""
        self._moving.set()
        if self._listener.fileno() == -1:
            self._listener = socket.create_server((HOST, self.port))
            self._threads.append(self._thread(self._accept, self._listener))

    def close(self) -> None:
        """End every connection and thread."""
        self.cut()
        self._moving.set()
        for thread in self._threads:
            thread.join(10)

    def _thread(self, work: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        return thread

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()

    def _reset(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                    connection.shutdown(socket.SHUT_RD)  # wakes the thread that waits for bytes of it
                connection.close()
            self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # cut
            while True:
                caller, _ = listener.accept()
                self._connect(caller)

    def _connect(self, caller: socket.socket) -> None:
        try:
            target = socket.create_connection(self._target, timeout=10)
        except OSError:
            caller.close()
            return
        target.settimeout(None)
        with self._lock:
            self._connections += [caller, target]
        self._threads += [self._thread(self._move, caller, target), self._thread(self._move, target, caller)]

    def _move(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # cut
            while True:
                data = source.recv(65_536)
                self._moving.wait()
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
