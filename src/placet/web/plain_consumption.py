"""Consumption in front of Litestar's route: plain requests that come together share one durable transaction.

A request is *plain* where nothing about it needs an explanation: ``POST``, one bearer token, one idempotency key, a
small JSON body, no header twice, and no browser. It is answered here, as the route would answer it. Every other one is
handed on as it came, so that the route alone says what is wrong with it.
"""

import asyncio
import functools
from typing import Any, NamedTuple

import anyio.to_thread
import msgspec

from placet.guard import Consumption, Wanted
from placet.platform.proxy import Receive, Scope, Send
from placet.platform.remembered import LATELY_SECONDS
from placet.platform.server import PlatformServer
from placet.store.credentials import LONGEST_SECRET, Credential, Kind
from placet.web.api.metering import WantedConsumption, consumption_document, is_idempotency_key
from placet.web.problems import MEDIA_TYPE, to_problem
from placet.web.together import Together

LONGEST_BODY = 1024
_BEARER = b"Bearer "
_JSON = (b"content-type", b"application/json")
_COMMON = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class _Plain(NamedTuple):
    """What a plain request says in its head."""

    feature: str
    secret: str
    key: str


class PlainConsumption:
    """An ASGI application before ``api``. Close it before the server is closed."""

    def __init__(self, server: PlatformServer, api: Any) -> None:
        self._api = api
        self._people = server.people
        self._features = {
            f"/api/v1/features/{feature.name}/consumptions": feature.name for feature in server.guard.product.metered
        }
        self._together: Together[Wanted, Consumption] = Together(server.guard.consume_all, name="consume")
        self._asking: dict[str, tuple[float, asyncio.Future[Credential | None]]] = {}
        self._body = msgspec.json.Decoder(WantedConsumption)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or hand it on."""
        plain = self._plain(scope)
        if plain is None or not self._together.takes_more:
            await self._api(scope, receive, send)
            return
        messages = await _read(receive)
        wanted = self._wanted(messages)
        if wanted is None:
            await self._api(scope, _again(messages, receive), send)
            return
        try:
            caller = self._people.verified_lately(plain.secret) or await self._ask(plain.secret)
            if caller is None:
                await self._api(scope, _again(messages, receive), send)
                return
            asked = Wanted(feature=plain.feature, key=plain.key, amount=wanted.amount, actor=caller.name)
            found = await self._together.run(asked)
        except Exception as error:  # noqa: BLE001 (the one mapping tells what it is)
            await _answer_problem(send, error)
        else:
            body = msgspec.json.encode(consumption_document(found))
            await _answer(send, 200 if found.replayed else 201, body, _JSON)

    async def aclose(self) -> None:
        """Take no more requests, and wait until those that were taken are counted."""
        await self._together.aclose()

    def _plain(self, scope: Scope) -> _Plain | None:
        feature = self._features.get(scope["path"])
        if feature is None or scope.get("method") != "POST" or scope.get("query_string"):
            return None
        headers = dict(scope["headers"])
        length, bearer = headers.get(b"content-length", b""), headers.get(b"authorization", b"")
        if (
            len(headers) != len(scope["headers"])
            or not (length.isdigit() and len(length) < 9 and 0 < int(length) <= LONGEST_BODY)
            or headers.get(b"content-type", b"application/json") != b"application/json"
            or b"text/html" in headers.get(b"accept", b"")
            or not bearer.startswith(_BEARER)
        ):
            return None
        secret, key = bearer[len(_BEARER) :].decode("latin-1"), headers.get(b"idempotency-key", b"").decode("latin-1")
        if not 0 < len(secret) <= LONGEST_SECRET or secret != secret.strip() or not is_idempotency_key(key):
            return None
        return _Plain(feature, secret, key)

    def _wanted(self, messages: list[Any]) -> WantedConsumption | None:
        if messages[-1]["type"] != "http.request" or messages[-1].get("more_body"):
            return None
        body = b"".join([message.get("body", b"") for message in messages])
        if body.count(b":") > 1:  # a member given twice, if the body is right otherwise
            return None
        try:
            return self._body.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    async def _ask(self, secret: str) -> Credential | None:
        """Ask the database for a token; those who come with the same one within a second share the question."""
        loop = asyncio.get_running_loop()
        asked_at, question = self._asking.get(secret, (0.0, None))
        if question is None or loop.time() - asked_at > LATELY_SECONDS:
            look = functools.partial(self._people.find, Kind.TOKEN, secret)
            question = asyncio.ensure_future(anyio.to_thread.run_sync(look))
            self._asking[secret] = (loop.time(), question)
            question.add_done_callback(functools.partial(self._asked, secret))
        return await asyncio.shield(question)

    def _asked(self, secret: str, question: asyncio.Future[Credential | None]) -> None:
        if self._asking.get(secret, (0.0, None))[1] is question:
            del self._asking[secret]


async def _read(receive: Receive) -> list[Any]:
    """Read the messages of a body, until it ends or is longer than it may be."""
    messages = [await receive()]
    size = 0
    while messages[-1].get("more_body"):
        size += len(messages[-1].get("body", b""))
        if size > LONGEST_BODY:
            break
        messages.append(await receive())
    return messages


def _again(messages: list[Any], receive: Receive) -> Receive:
    """What was received, to be received once more."""
    left = iter(messages)

    async def receive_again() -> Any:
        message = next(left, None)
        return await receive() if message is None else message

    return receive_again


async def _answer_problem(send: Send, error: Exception) -> None:
    problem = to_problem(error)
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    body = msgspec.json.encode(problem.document())
    await _answer(send, problem.status, body, (b"content-type", MEDIA_TYPE.encode()), *headers)


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    told = [*headers, (b"content-length", str(len(body)).encode()), *_COMMON]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
