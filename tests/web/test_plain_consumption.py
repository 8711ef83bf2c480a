"""Plain consumption, asked of the application itself: what comes together is one transaction, and each is answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, update

from builders import EVERYTHING, KEY, NOW, a_license, trust_store
from placet.guard import Guard
from placet.license import Grant
from placet.platform.layout import Layout
from placet.platform.product import PLATFORM_SERVER
from placet.platform.server import PlatformServer
from placet.store import metering
from placet.store.credentials import Role
from placet.store.database import Database
from placet.store.schema import credentials
from placet.web.app import create_app
from placet.web.edge import Edge
from placet.web.plain_consumption import LONGEST_BODY
from store_support.fixtures import database_url, database_urls
from store_support.postgres import PostgresServer

__all__ = ["database_url", "database_urls"]

PATH = "/api/v1/features/test_queries/consumptions"
WAIT_SECONDS = 30.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 (nobody is told of it but by looking)
            await asyncio.sleep(0)


class Answer(msgspec.Struct):
    """What the application has answered."""

    status: int = 0
    headers: dict[str, str] = {}
    body: Any = None


class Application:
    """The application of one server, and somebody with a token."""

    def __init__(self, server: PlatformServer) -> None:
        self.server = server
        self.token_id, self.token = server.people.create_token("ann", Role.DEVELOPER, actor="test")
        self.edge: Edge = create_app(server)

    @property
    def waiting(self) -> int:
        return len(self.edge._front._together._waiting)

    def used(self) -> int | None:
        self.server.guard.reload()
        return self.server.guard.status().features["test_queries"].used

    async def ask(self, key: str, body: bytes | list[bytes] = b'{"amount": 1}', **changed: str | None) -> Answer:
        """One request; ``changed`` are headers, ``None`` leaves one out."""
        pieces = [body] if isinstance(body, bytes) else body
        headers: dict[str, str | None] = {"content_length": str(sum(map(len, pieces))), "idempotency_key": key}
        headers |= {"authorization": f"Bearer {self.token}", "content_type": "application/json"} | changed
        told = [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in headers.items() if v is not None]
        scope = {"type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": b""}
        scope |= {"headers": told, "root_path": "", "scheme": "http", "server": ("x", 80), "state": {}}
        left = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, start=1)
        ]
        answer = Answer()

        async def receive() -> Any:
            return left.pop(0) if left else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body = json.loads(message["body"])

        await self.edge(scope, receive, send)
        return answer

    @asynccontextmanager
    async def held_up(self, *asked: Awaitable[Answer]) -> AsyncIterator[list[asyncio.Task[Answer]]]:
        """Ask while the database does not let anybody write; inside, one batch is on its way and the others wait."""
        held, let_go = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            with self.server.guard.database.write() as connection:
                metering.lock(connection, ["test_queries"])
                loop.call_soon_threadsafe(held.set)
                asyncio.run_coroutine_threadsafe(let_go.wait(), loop).result(WAIT_SECONDS)

        holder = asyncio.ensure_future(asyncio.to_thread(hold))
        await held.wait()
        tasks = [asyncio.ensure_future(asked[0])]
        await until(lambda: self.edge._front._together._work is not None)
        tasks += [asyncio.ensure_future(each) for each in asked[1:]]
        await until(lambda: self.waiting == len(asked) - 1)
        try:
            yield tasks
        finally:
            let_go.set()
            await holder

    async def close(self) -> None:
        await self.edge._front.aclose()


def opened(url: str, directory: Path) -> PlatformServer:
    """A server with a hundred test queries."""
    layout = Layout(directory)
    layout.make()
    guard = Guard(Database.open(url), PLATFORM_SERVER, trust_store(KEY), clock=NOW.timestamp)
    server = PlatformServer(guard, layout)
    serial, grant = guard.status().serial_number, Grant(kind="metered", limit=100)
    guard.install(a_license(serial_number=serial, features={**EVERYTHING, "test_queries": grant}), acknowledge=True)
    return server


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[PlatformServer]:
    server = opened(database_url, tmp_path / "data")
    yield server
    server.guard.close()


def run(server: PlatformServer, scene: Callable[[Application], Awaitable[None]]) -> None:
    async def play() -> None:
        application = Application(server)
        await scene(application)
        await application.close()

    asyncio.run(play())


async def statuses(tasks: list[asyncio.Task[Answer]]) -> list[int]:
    return [answer.status for answer in await asyncio.gather(*tasks)]


def test_those_who_come_meanwhile_share_one_transaction(server: PlatformServer) -> None:
    said: list[str] = []

    async def scene(application: Application) -> None:
        async with application.held_up(*(application.ask(f"k{number}") for number in range(40))) as tasks:
            database = server.guard.database
            if database._writer is None:
                event.listen(database.engine, "commit", lambda _: said.append("COMMIT"))
            else:  # by the driver itself
                database._writer.connection.driver_connection.set_trace_callback(said.append)  # type: ignore[union-attr]
            assert not any(task.done() for task in tasks)
        assert await statuses(tasks) == [201] * 40
        assert application.used() == 40

    run(server, scene)
    assert 2 <= said.count("COMMIT") <= 4  # what holds them up, two batches, what is read


def test_a_key_twice_in_a_batch_is_as_one_after_the_other(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        bodies = [b'{"amount": 3}', b'{"amount": 3}', b'{"amount": 4}', b'{"amount": 3}']
        same = [application.ask("same", body) for body in bodies]
        async with application.held_up(application.ask("first"), *same) as tasks:
            pass
        answers = [task.result() for task in tasks if await asyncio.wait([task])]
        assert [answer.status for answer in answers] == [201, 201, 200, 422, 200]
        assert [answer.body.get("replayed") for answer in answers] == [False, False, True, None, True]
        assert answers[3].body["code"] == "idempotency_key_reused"
        assert application.used() == 4

    run(server, scene)


def test_a_batch_stops_at_the_limit_with_the_numbers(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        wanted = [application.ask(f"k{number}", b'{"amount": 30}') for number in range(4)]
        async with application.held_up(application.ask("first"), *wanted) as tasks:
            pass
        assert await statuses(tasks) == [201, 201, 201, 201, 403]
        refused = tasks[-1].result().body
        assert (refused["code"], refused["used"], refused["limit"], refused["requested"]) == (
            "limit_reached",
            91,
            100,
            30,
        )

    run(server, scene)


def test_who_goes_away_meanwhile_takes_nobody_along(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        async with application.held_up(*(application.ask(f"k{number}") for number in range(5))) as tasks:
            tasks[0].cancel()
            tasks[2].cancel()
        assert await statuses([tasks[1], *tasks[3:]]) == [201, 201, 201]
        assert (await application.ask("k2")).status == 200  # it was counted, and a retry is told so
        assert application.used() == 5

    run(server, scene)


def test_at_the_end_everybody_is_answered_before_the_database_is_closed(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        told: asyncio.Queue[Any] = asyncio.Queue()
        said: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = asyncio.ensure_future(application.edge({"type": "lifespan"}, told.get, said.put))
        await told.put({"type": "lifespan.startup"})
        assert (await said.get())["type"] == "lifespan.startup.complete"
        async with application.held_up(*(application.ask(f"k{number}") for number in range(5))) as tasks:
            await told.put({"type": "lifespan.shutdown"})
            await until(lambda: not application.edge._front._together.takes_more)
        assert await statuses(tasks) == [201] * 5
        assert (await said.get())["type"] == "lifespan.shutdown.complete"
        await lifespan

    run(server, scene)


def test_once_closed_it_hands_on(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        await application.close()
        assert (await application.ask("k")).status == 201

    run(server, scene)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"amount": 1}', {"content_type": None}, 201),
        (b'{"amount": 1}', {"content_type": "application/json; charset=utf-8"}, 201),
        (b'{"amount": 1}', {"content_length": None}, 201),
        ([b'{"amo', b'unt": 1}'], {}, 201),
        ([b'{"amount": 1', b" " * 600, b" " * 600, b"}"], {"content_length": "10"}, 201),
        (b'{"amount": 1' + b" " * LONGEST_BODY + b"}", {}, 201),
        (b" " * 65537, {}, 413),
        (b'{"amount": "1"}', {}, 400),
        (b'{"amount": 0}', {}, 400),
        (b'{"amount": 1, "x": 1}', {}, 400),
        (b"{", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"[" * 1000, {}, 400),
        (b'{"amount": 1}', {"idempotency_key": None}, 400),
        (b'{"amount": 1}', {"idempotency_key": "k" * 201}, 400),
        (b'{"amount": 1}', {"idempotency_key": "k" * 200}, 201),
        (b'{"amount": 1}', {"authorization": None}, 401),
        (b'{"amount": 1}', {"authorization": "Bearer plt_unknown"}, 401),
        (b'{"amount": 1}', {"authorization": "Bearer " + "x" * 101}, 401),
    ],
)
def test_what_is_not_plain_is_the_routes(
    server: PlatformServer, body: bytes | list[bytes], headers: dict[str, str | None], status: int
) -> None:
    async def scene(application: Application) -> None:
        answer = await application.ask("k", body, **headers)
        assert answer.status == status, answer
        assert status == 201 or answer.body["status"] == status
        assert application.used() == (1 if status == 201 else 0)

    run(server, scene)


@pytest.mark.parametrize("amount", [1, 101], ids=["counted", "refused"])
def test_it_is_answered_as_the_route_answers(server: PlatformServer, amount: int) -> None:
    async def scene(application: Application) -> None:
        body = b'{"amount": %d}' % amount
        by_the_route = {"content_type": "text/plain"}
        for first, then in (({}, by_the_route), (by_the_route, {})):
            key = str(len(first))
            one, other = await application.ask(key, body, **first), await application.ask(key, body, **then)
            again = await application.ask(key, body, **first)
            assert (other.status, other.body, other.headers) == (again.status, again.body, again.headers)
            assert one.headers.keys() == other.headers.keys()
            assert one.status == (201 if amount == 1 else 403)
        taken = await application.ask("another", body), await application.ask("one more", body, content_type="x/y")
        assert taken[0].headers.keys() == taken[1].headers.keys()
        assert taken[0].body.keys() == taken[1].body.keys()

    run(server, scene)


def test_a_token_revoked_here_counts_nothing_more(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        assert (await application.ask("k1")).status == 201
        server.people.revoke_token(application.token_id, actor="test")
        assert (await application.ask("k2")).status == 401

    run(server, scene)


def test_the_token_of_a_user_deactivated_here_counts_nothing_more(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        server.front_end.beat()
        server.people.add("ann", Role.DEVELOPER, actor="test")
        assert (await application.ask("k1")).status == 201
        server.people.deactivate("ann", actor="test")
        assert (await application.ask("k2")).status == 401

    run(server, scene)


def test_a_token_revoked_elsewhere_counts_for_a_second_at_most(server: PlatformServer) -> None:
    async def scene(application: Application) -> None:
        loop = asyncio.get_running_loop()
        assert (await application.ask("before")).status == 201
        with server.guard.database.write() as connection:
            connection.execute(update(credentials).values(ended_at=NOW))
        revoked_at, number = loop.time(), 0
        while True:
            asked_at, number = loop.time(), number + 1
            status = (await application.ask(f"k{number}")).status
            if status == 401:
                break
            assert status in {201, 403}
            assert asked_at <= revoked_at + 1
            await asyncio.sleep(0.02)

    run(server, scene)


def test_while_a_token_is_asked_for_others_with_it_share_the_answer(server: PlatformServer) -> None:
    reads: list[None] = []

    async def scene(application: Application) -> None:
        event.listen(server.guard.database.engine, "begin", lambda _: reads.append(None))
        tasks = [asyncio.ensure_future(application.ask(f"k{number}")) for number in range(30)]
        assert await statuses(tasks) == [201] * 30

    run(server, scene)
    assert len(reads) <= 5


def test_while_the_database_is_gone_everybody_is_told_at_once(tmp_path: Path) -> None:
    with PostgresServer() as postgres:
        server = opened(postgres.url(postgres.new_database()), tmp_path / "data")

        async def scene(application: Application) -> None:
            assert (await application.ask("before")).status == 201
            postgres.stop_immediately()
            tasks = [asyncio.ensure_future(application.ask(f"k{number}")) for number in range(30)]
            answers = await asyncio.gather(*tasks)
            assert [answer.status for answer in answers] == [503] * 30
            assert {answer.body["code"] for answer in answers} == {"database_unavailable"}
            assert {answer.headers["retry-after"] for answer in answers} == {"5"}
            assert "was not stored" in answers[0].body["detail"]
            postgres.start()
            for _ in range(600):
                if (await application.ask("k0")).status != 503:
                    break
                await asyncio.sleep(0.05)
            assert (await application.ask("k0")).status == 200
            assert application.used() == 2

        run(server, scene)
        server.guard.close()
