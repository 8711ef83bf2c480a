"""The developer's end of a debug session: what an editor says to a local port goes to the server, and back."""

import socket
import threading
from contextlib import closing, suppress

from websockets.exceptions import WebSocketException

from placet.cli.client import Client
from placet.cli.errors import FailedError

_HOST = "127.0.0.1"
_CHUNK = 64 * 1024


class Tunnel:
    """Listens on loopback until it is closed. Each connection goes through a WebSocket of its own."""

    def __init__(self, client: Client, path: str, port: int) -> None:
        self._client = client
        self._path = path
        try:
            self._listener = socket.create_server((_HOST, port))
        except OSError as error:
            why = str(error.strerror or error).partition(" (while")[0]
            raise FailedError(f"Cannot listen at {_HOST}, port {port}: {why}. Name another with --port.") from None
        self.host, self.port = self._listener.getsockname()
        threading.Thread(target=self._accept, name="tunnel", daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else who waits to accept goes on waiting
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, editor: socket.socket) -> None:
        with closing(editor), suppress(OSError, WebSocketException), self._client.websocket(self._path) as server:

            def down() -> None:
                with suppress(OSError, WebSocketException):
                    for chunk in server:
                        editor.sendall(chunk if isinstance(chunk, bytes) else chunk.encode())
                with suppress(OSError):
                    editor.shutdown(socket.SHUT_RDWR)

            threading.Thread(target=down, daemon=True).start()
            while chunk := editor.recv(_CHUNK):
                server.send(chunk)
