"""A small client of the Debug Adapter Protocol: JSON behind a Content-Length header, over TCP."""

import json
import socket
from collections import deque
from types import TracebackType
from typing import Any, Self


class DapClient:
    """Sends requests and waits for the answers and events they cause; other messages are kept in order."""

    def __init__(self, host: str, port: int, timeout_seconds: float = 20) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout_seconds)
        self._file = self._socket.makefile("rb")
        self._sequence = 0
        self._events: deque[dict[str, Any]] = deque()
        self._answers: dict[int, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request and return its number, without waiting: `attach` is answered only after the set-up."""
        self._sequence += 1
        message = {"seq": self._sequence, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._sequence

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the body of its answer."""
        return self.answer(self.send(command, **arguments))

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the answer to a request and return its body."""
        while number not in self._answers:
            self._receive()
        answer = self._answers.pop(number)
        assert answer["success"], answer
        body: dict[str, Any] = answer.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """Wait for the next event of that name and return its body; earlier others are dropped."""
        while True:
            while self._events:
                event = self._events.popleft()
                if event["event"] == name:
                    body: dict[str, Any] = event.get("body") or {}
                    return body
            self._receive()

    def attach(self, **arguments: Any) -> None:
        """Initialize and attach, up to where breakpoints may be set; ``arguments`` as in a launch.json."""
        self.request("initialize", adapterID="placet-tests", pathFormat="path", linesStartAt1=True)
        self._attaching = self.send("attach", **({"justMyCode": False} | arguments))
        self.event("initialized")

    def configured(self) -> None:
        """End the set-up."""
        self.request("configurationDone")
        self.answer(self._attaching)

    def _receive(self) -> None:
        length = 0
        while header := self._file.readline().strip():
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise EOFError("the debug adapter closed the connection")
        message = json.loads(self._file.read(length))
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._answers[message["request_seq"]] = message
