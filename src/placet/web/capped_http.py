"""HTTP as uvicorn speaks it by way of httptools, with a cap on a request's head, which httptools has none of."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024


class CappedHttp(HttpToolsProtocol):
    """One connection. A head that is longer than :data:`LARGEST_HEAD` is answered 400, and the connection closed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_in_head = True
        self._head_bytes = 0
        self._piece_bytes = self._bytes = 0  # of what came last; since the piece in which the message before ended
        self._has_ended_one = False

    def data_received(self, data: bytes) -> None:
        """Take what was sent, unless it makes a head too long."""
        self._has_ended_one = False
        self._piece_bytes = len(data)
        self._bytes += len(data)
        super().data_received(data)
        if not self._is_in_head or self._has_ended_one or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > LARGEST_HEAD:
            self.send_400_response(f"The head of the request is larger than {LARGEST_HEAD:,} bytes.")

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._is_in_head = False
        if (
            self._bytes > LARGEST_HEAD
            and sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > LARGEST_HEAD
        ):
            raise ValueError("the head is too large")  # the parser makes of it that the request is invalid
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next thing to come is a head."""
        super().on_message_complete()
        self._is_in_head, self._head_bytes, self._has_ended_one = True, 0, True
        self._bytes = self._piece_bytes  # the next head may have begun in it
