"""Carries the bytes of a TCP connection through a WebSocket, for as long as both sides last."""

import asyncio
from typing import Any

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

_CHUNK = 64 * 1024
_NOT_REACHED = 1011


async def carry(socket: WebSocket[Any, Any, Any], host: str, port: int) -> None:
    """Accept the WebSocket and connect it with what listens at ``host`` and ``port``."""
    await socket.accept()
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        await socket.close(_NOT_REACHED, "The debugger does not accept connections any more.")
        return
    ways = {asyncio.create_task(_up(socket, writer)), asyncio.create_task(_down(socket, reader))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()


async def _up(socket: WebSocket[Any, Any, Any], writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await socket.receive_bytes())
            await writer.drain()
    except (WebSocketDisconnect, ConnectionError):
        return


async def _down(socket: WebSocket[Any, Any, Any], reader: asyncio.StreamReader) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            await socket.send_bytes(chunk)
        await socket.close()
    except (WebSocketDisconnect, ConnectionError):
        return
