"""The event stream of a sheet, over a WebSocket that only pushes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from litestar.params import FromQuery

from daggr.server.messages import Event
from daggr.server.served import Served

NOT_FOUND = 4404


def event_route(served: Served) -> WebsocketRouteHandler:
    """`/api/events?sheet&epoch&after`."""

    @websocket("/api/events")
    async def events(
        socket: WebSocket[Any, Any, Any],
        sheet: FromQuery[str] = "",
        epoch: FromQuery[str] = "",
        after: FromQuery[int] = -1,
    ) -> None:
        await socket.accept()
        try:
            feed = served.feed(sheet)
        except HTTPException as error:
            await socket.close(NOT_FOUND, error.detail)
            return
        stream = feed.listen(epoch, after)
        pushing = asyncio.create_task(_push(socket, stream))
        leaving = asyncio.create_task(_until_gone(socket))
        try:
            await asyncio.wait({pushing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pushing, leaving):
                task.cancel()
            await asyncio.gather(pushing, leaving, return_exceptions=True)
        if not leaving.cancelled() and leaving.done():
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(1012, "the server stops")

    return events


async def _push(socket: WebSocket[Any, Any, Any], stream: AsyncIterator[Event]) -> None:
    async for event in stream:
        await socket.send_data(msgspec.json.encode(event).decode(), mode="text")


async def _until_gone(socket: WebSocket[Any, Any, Any]) -> None:
    """Read, and drop, whatever comes until the other side leaves."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_data(mode="text")
