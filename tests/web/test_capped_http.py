"""What a request's head may have, with a server that is told what it serves by httptools."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from placet.web.capped_http import LARGEST_HEAD, CappedHttp


async def application(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application, http=CappedHttp, lifespan="off", log_config=None, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join(30)


def asked(address: tuple[str, int], *pieces: bytes) -> bytes:
    with socket.create_connection(address, timeout=30) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:  # it has heard enough
            return b"HTTP/1.1 400"


START, END = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", b"\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (START + b"X: " + b"y" * LARGEST_HEAD + b"\r\n" + END,),
        (START, *(b"X%d: " % number + b"y" * 8000 + b"\r\n" for number in range(10)), END),
        (START + b"X: ", *[b"y" * 65536] * 4),
        (b"GET /" + b"x" * LARGEST_HEAD + b" HTTP/1.1\r\n" + END,),
    ],
    ids=["one", "many", "endless", "address"],
)
def test_a_head_too_large_is_400(address: tuple[str, int], pieces: tuple[bytes, ...]) -> None:
    assert asked(address, *pieces).startswith(b"HTTP/1.1 400")


def test_a_body_has_no_such_cap(address: tuple[str, int]) -> None:
    head = START + b"Content-Length: 1000000\r\n" + END
    assert asked(address, head + b"z" * 1_000_000).endswith(b"1000000")


def test_each_request_of_a_connection_has_its_own_head(address: tuple[str, int]) -> None:
    one = b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000 + b"\r\n"
    told = asked(address, one + b"\r\n", one + b"\r\n", one + b"Connection: close\r\n\r\n")
    assert told.count(b"HTTP/1.1 200") == 3


def test_a_head_that_begins_in_the_piece_in_which_another_request_ends_has_the_cap(address: tuple[str, int]) -> None:
    small = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    large = b"".join(b"X%d: " % number + b"y" * 8000 + b"\r\n" for number in range(8))
    told = asked(address, small + b"zz", b"zz" + START + large, b"X: " + b"y" * 4000 + b"\r\n" + END)
    assert told.count(b"HTTP/1.1 200") <= 1
    assert b"HTTP/1.1 400" in told
