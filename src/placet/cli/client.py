"""Calling a server: URL and token, JSON back, and what the server refuses as an exit status."""

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placet.cli.errors import EndedError, FailedError, RefusedError
from placet.cli.output import json_option, print_reasons, printable

if TYPE_CHECKING:
    import httpx2
    from websockets.sync.client import ClientConnection

DEFAULT_SERVER = "http://127.0.0.1:8000"
TIMEOUT_SECONDS = 700.0

F = TypeVar("F", bound=Callable[..., Any])


class Client:
    """One server, and who is calling."""

    def __init__(self, server: str, token: str | None) -> None:
        self.server = server.rstrip("/")
        self._token = _one_word(token)

    def get(self, path: str) -> Any:
        """Answer the document at ``path``."""
        return self.call("GET", path)

    def entries(self, path: str) -> list[Any]:
        """Answer the list at ``path``."""
        found = self._json_of(self._send("GET", path, None, {}))
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise self._stranger(200)
        return found

    def call(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        body: object = None,
        flags: dict[str, bool] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call the server and answer its document. Ends the command where it refuses, fails or is not there."""
        data = json.dumps(body).encode() if body is not None else content
        own = {"Content-Type": "application/json" if body is not None else "application/octet-stream"}
        query = "&".join(name for name, is_set in (flags or {}).items() if is_set)
        where = path + ("?" + query if query else "")
        return self._json_of(self._send(method, where, data, (own if data is not None else {}) | (headers or {})))

    def follow(
        self,
        path: str,
        tell: Callable[[dict[str, Any]], None],
        *,
        content: bytes | None = None,
        body: object = None,
        flags: dict[str, bool] | None = None,
    ) -> Any:
        """Post to what tells its steps while it works; answers its document at the end, like :meth:`call`."""
        import httpx2  # noqa: PLC0415

        from placet.cli.events import events_of  # noqa: PLC0415

        data = json.dumps(body).encode() if body is not None else content
        kind = "application/json" if body is not None else "application/octet-stream"
        query = "&".join(name for name, is_set in (flags or {}).items() if is_set)
        headers = self._headers({"Accept": "text/event-stream, application/json", "Content-Type": kind})
        where = self.server + path + ("?" + query if query else "")
        with (
            self._reached(),
            httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream("POST", where, content=data, headers=headers) as answer,
        ):
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                answer.read()
                return self._json_of(answer)
            for event, text in events_of(answer.iter_lines()):
                document = self._of_event(event, text)
                if event == "done":
                    return document
                tell(document)
        raise FailedError(
            f"{self.server} broke off before it was done. Whether it was done is not known: see 'placet module list'."
        )

    def lines(self, path: str) -> Iterator[str]:
        """Answer the lines of a text as they come, for as long as they come."""
        import httpx2  # noqa: PLC0415

        timeout = httpx2.Timeout(TIMEOUT_SECONDS, read=None)
        with (
            self._reached(),
            httpx2.Client(timeout=timeout, trust_env=False) as client,
            client.stream("GET", self.server + path, headers=self._headers({"Accept": "*/*"})) as answer,
        ):
            if not answer.is_success:
                answer.read()
                self._json_of(answer)
            if not answer.headers.get("content-type", "").startswith("text/plain"):
                raise self._stranger(answer.status_code)
            yield from answer.iter_lines()

    def download(self, path: str) -> bytes:
        """Answer the bytes at ``path``."""
        answer = self._send("GET", path, None, {})
        self._json_of(answer)
        return answer.content

    def websocket(self, path: str) -> "ClientConnection":
        """Open a WebSocket at ``path``; raises what ``websockets`` raises where the server does not agree."""
        from websockets.sync.client import connect  # noqa: PLC0415

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return connect(self.server.replace("http", "ws", 1) + path, additional_headers=headers, proxy=None)

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> "httpx2.Response":
        import httpx2  # noqa: PLC0415

        with self._reached(), httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            headers = self._headers({"Accept": "application/json"} | headers)
            return client.request(method, self.server + path, content=data, headers=headers)

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Say in a sentence why a server was not reached."""
        import httpx2  # noqa: PLC0415

        try:
            yield
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError):
            raise click.UsageError(
                f"{self.server!r} is not the address of a server, such as {DEFAULT_SERVER}."
            ) from None
        except httpx2.HTTPError as error:
            raise FailedError(
                f"The server at {self.server} cannot be reached: {str(error) or type(error).__name__}. "
                "Is it running? Name another with --server or PLACET_SERVER."
            ) from None

    def _json_of(self, answer: "httpx2.Response") -> Any:
        try:
            found = json.loads(answer.content, object_hook=functools.partial(_Document, server=self.server))
            if answer.is_success:
                return found
            detail = dict(found)["detail"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._stranger(answer.status_code) from None
        raise _problem(answer.status_code, str(detail), found)

    def _of_event(self, event: str, text: str) -> Any:
        """Answer the document of an event; raises the problem where it is one."""
        try:
            found = json.loads(text, object_hook=functools.partial(_Document, server=self.server))
            status, detail = (dict(found)["status"], dict(found)["detail"]) if event == "problem" else (200, "")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._stranger(200) from None
        if event == "problem":
            raise _problem(int(status), str(detail), found)
        return found

    def _stranger(self, status: int) -> FailedError:
        return FailedError(
            f"{self.server} answered {status}, and not as a Placet server does. "
            "Name the server with --server or PLACET_SERVER."
        )


class _Document(dict[str, Any]):
    """A JSON object of a server. Where a member is asked for that it has not, the command ends with a sentence."""

    def __init__(self, members: dict[str, Any], *, server: str) -> None:
        super().__init__(members)
        self._server = server

    def __missing__(self, name: str) -> Any:
        raise FailedError(
            f"{self._server} answered without {name!r}, and not as a Placet server does. Is it of another version?"
        )


def _one_word(token: str | None) -> str | None:
    """Check a token before it becomes part of a request. What it is, is told to nobody."""
    word = (token or "").strip()
    if not word.isascii() or not word.isprintable() or " " in word:
        raise click.UsageError(
            "The token is not one word of ASCII characters. Copy it as it was printed, to --token or PLACET_TOKEN."
        )
    return word or None


class _WithProblem(EndedError):
    """Shows the message alone on the first line of standard error, then what stands beside it."""

    def __init__(self, message: str, problem: dict[str, Any]) -> None:
        super().__init__(printable(message), document=problem)
        self.problem = problem

    def show(self, file: Any = None) -> None:  # noqa: ARG002
        """Write to standard error."""
        click.echo(self.format_message(), err=True)
        print_reasons(self.problem, err=True)
        _show_changes(self.problem.get("changes") or {})
        if self.problem.get("file"):
            line = f", line {self.problem['line']}" if self.problem.get("line") else ""
            click.echo(f"  Where: {printable(str(self.problem['file']))}{line}", err=True)
        elif self.problem.get("line") and self.problem.get("column"):
            click.echo(f"  Where: line {self.problem['line']}, column {self.problem['column']}", err=True)
        if self.problem.get("step"):
            after = f", {self.problem['elapsed']:.2f} s after it began" if "elapsed" in self.problem else ""
            click.echo(f"  Stopped at: {printable(str(self.problem['step']))}{after}", err=True)
        if self.problem.get("output"):
            for line in str(self.problem["output"]).splitlines()[-20:]:
                click.echo(f"  | {printable(line)}", err=True)


def _show_changes(changes: dict[str, Any]) -> None:
    """What a license would change, where it has to be acknowledged first."""
    expiry = changes.get("expires_at") or {}
    told = [(item["title"], item["before"], item["after"], item["effect"]) for item in changes.get("features", [])]
    if expiry.get("before") != expiry.get("after"):
        told.append(("Expiry", expiry["before"] or "none", expiry["after"] or "none", "changed"))
    for what, before, after, effect in told:
        click.echo(f"  {printable(f'{what}: {before} before, {after} after ({effect})')}", err=True)
    for blocked in changes.get("blocked", []):
        operation, why = blocked["operation"], blocked["diagnosis"] or blocked["message"]
        click.echo(f"  {printable(f'Would be refused: {operation}: {why}')}", err=True)


class ProblemRefused(_WithProblem, RefusedError):
    """The server refused."""


class ProblemFailed(_WithProblem, FailedError):
    """The server could not do it."""


def _problem(status: int, detail: str, document: dict[str, Any]) -> "ProblemFailed | ProblemRefused":
    failed = status in {400, 413, 422} or status >= 500
    return (ProblemFailed if failed else ProblemRefused)(detail, document)


def client_command(function: F) -> Callable[..., Any]:
    """Give a command ``--server``, ``--token`` and ``--json``, and a :class:`Client` as its first argument."""

    @click.option(
        "--server",
        envvar="PLACET_SERVER",
        default=DEFAULT_SERVER,
        show_default=True,
        metavar="URL",
        help="The server to call [PLACET_SERVER].",
    )
    @click.option("--token", envvar="PLACET_TOKEN", metavar="T", help="Your token [PLACET_TOKEN].")
    @json_option
    @functools.wraps(function)
    def command(*args: Any, server: str, token: str | None, as_json: bool, **kwargs: Any) -> Any:
        return function(Client(server, token), *args, as_json=as_json, **kwargs)

    return command


def read_input(path: str, cap: int) -> bytes:
    """Read a file, or standard input for ``-``; more than ``cap`` bytes are not read, but one more is."""
    try:
        with click.open_file(path, "rb") as file:
            data: bytes = file.read(cap + 1)
            return data
    except OSError as error:
        raise FailedError(f"{click.format_filename(path)}: {error.strerror or error}.") from None


def write_output(path: str | None, data: bytes) -> None:
    """Write to a file, or to standard output."""
    if path is None or path == "-":
        click.echo(data, nl=False)
        return
    try:
        with open(os.fspath(path), "wb") as file:  # noqa: PTH123
            file.write(data)
    except OSError as error:
        raise FailedError(f"{click.format_filename(path)}: {error.strerror or error}.") from None
