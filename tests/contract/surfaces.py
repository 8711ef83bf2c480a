"""The three surfaces on which one message has to be the same, letter for letter: API, command line, page."""

from html.parser import HTMLParser
from typing import Any, NamedTuple

import httpx2

from contract.driver import Done, ServerProcess

PROBLEM = "application/problem+json"


class Message(NamedTuple):
    code: str
    text: str


class _Messages(HTMLParser):
    """Collects the text of every message: the elements of that class."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Message] = []
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        members = dict(attrs)
        if "message" in (members.get("class") or "").split():
            self._open = tag
            self.found.append(Message(members.get("data-code") or "", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            code, text = self.found[-1]
            self.found[-1] = Message(code, text + data)


def on_page(page: httpx2.Response) -> list[Message]:
    """The messages that a page of the Service Center shows."""
    assert page.headers["content-type"].startswith("text/html"), page.text
    parser = _Messages()
    parser.feed(page.text)
    return parser.found


def as_problem(answer: httpx2.Response) -> dict[str, Any]:
    """An answer that has to be an RFC 9457 problem document."""
    assert answer.headers["content-type"] == PROBLEM, (answer.status_code, answer.text)
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert "Traceback" not in answer.text
    return problem


def assert_refused(answer: httpx2.Response, message: Message, *, status: int = 403) -> dict[str, Any]:
    """The API refused with this message."""
    problem = as_problem(answer)
    assert (answer.status_code, problem["code"], problem["detail"]) == (status, *message)
    assert problem["severity"] == "error"
    assert problem["remedy"]
    assert problem["contact"]
    return problem


def assert_command_refused(done: Done, message: Message) -> None:
    """A command refused: status 1, and the message alone on the first line of standard error."""
    assert (done.status, done.message) == (1, message.text)
    assert done.out == ""


def assert_refused_everywhere(
    server: ServerProcess, message: Message, call: tuple[str, str], command: tuple[object, ...], **options: Any
) -> dict[str, Any]:
    """One operation is refused with one message by the API, by the command line, and on a page."""
    problem = assert_refused(server.api(*call, **options), message)
    page = server.api(*call, headers={"Accept": "text/html"}, **options)
    assert page.status_code == 403
    assert on_page(page) == [message]
    assert_command_refused(server.cli(*command), message)
    return problem


def assert_status_everywhere(server: ServerProcess, state: str, *messages: Message) -> dict[str, Any]:
    """The status has exactly these messages, in the API, on the command line and on the Service Center's page."""
    status = server.status()
    entries = [*status["errors"], *status["warnings"]]
    assert status["state"] == state
    assert [Message(entry["code"], entry["message"]) for entry in entries] == list(messages)
    for entry in entries:
        assert {"code", "severity", "message", "diagnosis", "remedy", "contact"} <= entry.keys()
    shown = server.cli("license", "status")
    assert shown.status == 0
    told = [line for line in shown.out.splitlines() if line.startswith(("Error: ", "Warning: "))]
    assert told == [f"{entry['severity'].capitalize()}: {entry['message']}" for entry in entries]
    page = server.api("GET", "/service-center/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert on_page(page) == list(messages)
    return status
