"""The queue of a Gradio app: a place in it is asked for, then its events are listened to until there is a result.

Protocols sse_v1 to sse_v3, as gradio.queueing and gradio_client speak them. Whoever stops listening says so to the
app, which then ends a generator and forgets what it has not begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from daggr.engine.hub.gradio_app import Endpoint
from daggr.engine.runners.base import Call
from daggr.engine.runners.gradio.diffs import Diffs
from daggr.engine.runners.gradio.refusals import BUSY, accepted, failed, gone, odd, refused
from daggr.engine.runners.gradio.session import Errands, Session

LARGEST = 512 << 20
"""Bytes of an event at most."""

ENDS = frozenset({"process_completed", "unexpected_error", "server_stopped", "queue_full"})
JSON = {"content-type": "application/json"}
EVENTS = {"accept": "text/event-stream", "accept-encoding": "identity"}

Give = Callable[[list[Any]], None]
"""Takes all values that a generator has given so far."""


async def ask(session: Session, endpoint: Endpoint, payload: list[Any], errands: Errands, give: Give) -> list[Any]:
    """Call an endpoint, and give what it returned: a value for each of its outputs.

    Args:
        session: The session that this is in.
        endpoint: What is called.
        payload: A JSON value for each of its inputs.
        errands: Takes what is to be said to the app when nobody waits any more.
        give: Takes what a generator gives meanwhile.

    Raises:
        RemoteError: the app refuses, fails, ends, or answers with something else.
        httpx.HTTPError: the connection was lost.
    """
    event_id = await _join(session, endpoint, payload, errands)
    try:
        last = await _listen(session, errands, give)
    except BaseException:
        errands.send(_cancel(session, endpoint, event_id))
        raise
    return _result(session, endpoint, last)


async def _join(session: Session, endpoint: Endpoint, payload: list[Any], errands: Errands) -> str:
    """Get a place in the queue. Who is refused has not begun anything."""
    body = {"data": payload, "fn_index": endpoint.fn_index, "session_hash": session.hash}
    content = json.dumps(body).encode()

    async def once() -> httpx.Response:
        posting = asyncio.ensure_future(session.post("/queue/join", content=content, headers=JSON))
        try:
            return await asyncio.shield(posting)
        except asyncio.CancelledError:  # the app may have taken it by now
            errands.send(_leave(session, endpoint, posting))
            raise

    return _event_id(session, await accepted(session, once, BUSY))


def _event_id(session: Session, answer: httpx.Response) -> str:
    try:
        return str(answer.json()["event_id"])
    except (ValueError, KeyError, TypeError):
        raise odd(session, "answers to its queue with something that is no place in it") from None


async def _leave(session: Session, endpoint: Endpoint, posting: asyncio.Future[httpx.Response]) -> None:
    await _cancel(session, endpoint, _event_id(session, await posting))


async def _cancel(session: Session, endpoint: Endpoint, event_id: str) -> None:
    body = {"session_hash": session.hash, "fn_index": endpoint.fn_index, "event_id": event_id}
    await session.post("/cancel", json=body)


# ---------------------------------------------------------------- listening


async def _listen(session: Session, errands: Errands, give: Give) -> Mapping[str, Any]:
    """The last event of the call; what the others say is told."""
    diffs = Diffs(session.app.protocol)
    async with contextlib.AsyncExitStack() as held:
        stream = await held.enter_async_context(
            session.stream("/queue/data", params={"session_hash": session.hash}, headers=EVENTS)
        )
        if not stream.is_success:
            await stream.aread()
            raise refused(session, stream)
        events = _events(session, stream)
        held.push_async_callback(events.aclose)
        async for event in events:
            kind = event.get("msg")
            if isinstance(kind, str) and kind in ENDS:
                errands.send(_rest(events, held.pop_all()))
                return event
            if kind == "process_generating":
                values = diffs.whole(_data(event))
                if values is not None:
                    give(session.scrubbed(values))  # a token may have come in pieces
            elif kind == "close_stream":
                break
            else:
                tell(session, event)
    raise gone(session, "ended the stream without a result")


async def _rest(events: AsyncIterator[Any], held: contextlib.AsyncExitStack) -> None:
    """Hear a stream to its end: then its connection can be used again."""
    async with held:
        async for _ in events:
            pass


async def _events(session: Session, stream: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    buffer, looked = bytearray(), 0
    async for chunk in stream.aiter_bytes():
        buffer += chunk
        while (end := buffer.find(b"\n", looked)) >= 0:
            line, looked = bytes(buffer[:end]), 0
            del buffer[: end + 1]
            if line.startswith(b"data:"):
                yield _event(session, line[5:])
        looked = len(buffer)
        if looked > LARGEST:
            raise odd(session, f"says more than {LARGEST >> 20} MB at once")


def _event(session: Session, line: bytes) -> dict[str, Any]:
    try:
        event = session.scrubbed(json.loads(line.decode()))  # before that an escaped token would not be seen
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise odd(session, "says something in its queue that is no JSON")
    return event


def _data(event: Mapping[str, Any]) -> Any:
    output = event.get("output")
    return output.get("data") if isinstance(output, Mapping) else None


# ---------------------------------------------------------------- what the events say


def tell(session: Session, event: Mapping[str, Any]) -> None:
    """Show what an event says while the app works. One that makes no sense is no trouble: the last one counts."""
    with contextlib.suppress(TypeError, ValueError, OverflowError, AttributeError):
        _tell(session.call, event)


def _tell(call: Call, event: Mapping[str, Any]) -> None:
    match event.get("msg"):
        case "estimation":
            call.progress(None, _queued(event))
        case "process_starts":
            call.progress(None, _about(event.get("eta")))
        case "progress":
            call.progress(*progress(event.get("progress_data")))
        case "log" if event.get("log"):
            call.log(f"{_LEVELS.get(str(event.get('level')), '')}{event['log']}\n")


_LEVELS = {"warning": "Warning: ", "error": "Error: "}


def _queued(event: Mapping[str, Any]) -> str:
    rank, size = event.get("rank"), event.get("queue_size")
    place = f"queue {rank + 1}/{size}" if isinstance(rank, int) and size else "in the queue"
    return ", ".join(filter(None, [place, _about(event.get("rank_eta"))]))


def _about(seconds: Any) -> str:
    return f"about {seconds:.0f} s" if isinstance(seconds, (int, float)) and seconds >= 1 else ""


def progress(units: Any) -> tuple[float | None, str]:
    """How far an app is, as `gr.Progress` says it: a fraction, if it is known, and words. A loop within another one
    is a part of its step.
    """
    fraction: float | None = None
    words: list[str] = []
    for unit in reversed([unit for unit in units or () if isinstance(unit, Mapping)]):
        index, length, done = unit.get("index"), unit.get("length"), unit.get("progress")
        if isinstance(done, (int, float)):
            fraction = float(done)
        elif isinstance(index, (int, float)) and isinstance(length, (int, float)) and length:
            fraction = (index + (fraction or 0.0)) / length
        count = f"{index:g}/{length:g} {unit.get('unit') or ''}" if _counts(index) and _counts(length) else ""
        words.append(" ".join(f"{unit.get('desc') or ''} {count}".split()))
    return None if fraction is None else min(max(fraction, 0.0), 1.0), " · ".join(filter(None, reversed(words)))


def _counts(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(value >= 0)


# ---------------------------------------------------------------- the end


UNTOLD = "Error"
"""The title of an error whose reason the app keeps to itself."""


def _result(session: Session, endpoint: Endpoint, last: Mapping[str, Any]) -> list[Any]:
    output = last.get("output")
    match last.get("msg"):
        case "queue_full":
            raise failed(session, "its queue is full; try again later")
        case "server_stopped":
            raise gone(session, "was stopped while it worked")
        case "unexpected_error" if last.get("session_not_found"):
            raise gone(session, "does not know this call any more: it was started anew")
        case "unexpected_error":
            raise gone(session, f"broke off: {last.get('message') or 'it gave no reason'}".rstrip("."))
        case _ if not isinstance(output, Mapping):
            raise odd(session, "answers without a result")
        case _ if not last.get("success", True) or output.get("error"):
            title = last.get("title")
            raise failed(session, output.get("error") or (title if title != UNTOLD else None))
    data = output.get("data")
    if data is None:
        raise gone(session, "was told by somebody to cancel the call")
    return returned(session, endpoint, data)


def returned(session: Session, endpoint: Endpoint, data: Any) -> list[Any]:
    """The values of an answer, if they are those that the endpoint gives."""
    if not isinstance(data, (list, tuple)):
        raise odd(session, f"answers with a {type(data).__name__} where a list of values belongs")
    if len(data) != len(endpoint.returns):
        raise odd(session, f"answers with {len(data)} value(s) where {endpoint.name} gives {len(endpoint.returns)}")
    return list(data)
