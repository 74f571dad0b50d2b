"""Apps that speak another protocol than `queue.py` does: those of early Gradio 4, and whatever may come.

gradio_client speaks with them, in a thread, with a client of its own for each run, for one client is one session. It
is asked for its transport only: left to itself it would upload any file that a value names, fetch any that an answer
names, send the machine's token anywhere, and tell its makers of each call.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from functools import partial
from typing import Any

import httpx

from daggr.engine.hub.gradio_app import Endpoint
from daggr.engine.runners.gradio.queue import Give, returned, tell
from daggr.engine.runners.gradio.refusals import failed, gone, odd
from daggr.engine.runners.gradio.session import Session
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import RemoteError

LOOK = 0.05
"""Seconds between two looks at what an app has said."""

LEAVING = 2.0
"""Seconds that gradio_client has to take its leave after a stop."""

_EVENTS = {
    "IN_QUEUE": "estimation",
    "PROCESSING": "process_starts",
    "PROGRESS": "progress",
    "LOG": "log",
}
"""How gradio_client calls what happens, and how apps do."""


async def ask_older(
    worker: ThreadWorker, session: Session, endpoint: Endpoint, payload: list[Any], give: Give
) -> list[Any]:
    """Call an endpoint, and give what it returned: a value for each of its outputs.

    Args:
        worker: The threads in which gradio_client runs.
        session: What is called, and for whom.
        endpoint: What is called of it.
        payload: A JSON value for each of its inputs.
        give: Takes what a generator gives meanwhile.

    Raises:
        RemoteError: the app refuses, fails or ends.
        httpx.HTTPError: the connection was lost.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()

    def in_loop(do: Callable[[], None]) -> None:
        loop.call_soon_threadsafe(lambda: None if stop.is_set() else do())

    talk = _Talk(session, endpoint, in_loop, give, stop)
    handle = worker.submit(lambda _: talk.to_the_end(payload), session.call.log)
    try:
        return returned(session, endpoint, await handle.result())
    finally:
        stop.set()


class _Talk:
    """One call through gradio_client, in a thread."""

    def __init__(
        self,
        session: Session,
        endpoint: Endpoint,
        in_loop: Callable[[Callable[[], None]], None],
        give: Give,
        stop: threading.Event,
    ) -> None:
        self._session = session
        self._endpoint = endpoint
        self._in_loop = in_loop
        self._give = give
        self._stop = stop
        self._status: Any = None
        self._given = 0

    def to_the_end(self, payload: list[Any]) -> list[Any]:
        """The values that the app gives."""
        from gradio_client.exceptions import AppError, AuthenticationError
        from gradio_client.utils import QueueError, TooManyRequestsError

        try:
            return self._call(payload)
        except AppError as error:
            raise failed(self._session, self._session.scrubbed(error.message)) from error
        except (QueueError, TooManyRequestsError) as error:
            raise failed(self._session, "it is too busy; try again later") from error
        except AuthenticationError as error:
            raise failed(self._session, "it asks for a login, which daggr cannot give") from error
        except CancelledError as error:
            raise gone(self._session, "was told by somebody to cancel the call") from error
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
            raise self._not_understood(error) from error

    def _call(self, payload: list[Any]) -> list[Any]:
        client = _client(self._session)
        executors = [getattr(client, name, None) for name in ("executor", "helper_executor", "stream_executor")]
        try:
            there = client.endpoints[self._endpoint.fn_index]
            there._sse_fn_v0 = partial(_asked, self._session, client)
            helper = client.new_helper(self._endpoint.fn_index)
            helper.prediction_processor = lambda *values: values
            answer = client.executor.submit(there.make_predict(helper), *payload)
            leave_at = float("inf")
            while not answer.done() and time.monotonic() < leave_at:
                wait([answer], LOOK)
                self._hear(helper)
                if self._stop.is_set() and not helper.should_cancel:
                    leave_at = time.monotonic() + LEAVING
                    with helper.lock:
                        helper.should_cancel = True  # it ends its own waiting, and tells the app
            if not answer.done():
                raise CancelledError
            return list(self._session.scrubbed(answer.result()))
        finally:
            client.close()
            for executor in executors:
                if executor is not None:
                    executor.shutdown(wait=False)

    def _hear(self, helper: Any) -> None:
        with helper.lock:
            status, outputs = helper.job.latest_status, list(helper.job.outputs)
        if status is not self._status:
            self._status = status
            event = self._session.scrubbed(_event(status))
            self._in_loop(lambda: tell(self._session, event))
        if len(outputs) > self._given:
            self._given = len(outputs)
            self._in_loop(lambda: self._give(list(self._session.scrubbed(outputs[-1]))))

    def _not_understood(self, error: Exception) -> RemoteError:
        if "protocol" in str(error).lower():
            return RemoteError(
                f"{self._session.spec.source!r} speaks the protocol {self._session.app.protocol or 'ws'!r}, which "
                "neither daggr nor the installed gradio_client speaks.",
                "Update the app's gradio to version 4 or later; if it is newer than this daggr, update gradio_client.",
                self._session.spec.where,
            )
        return odd(self._session, f"cannot be understood by gradio_client ({type(error).__name__})")


def _client(session: Session) -> Any:
    """A client that asks nobody but the app, and carries nothing from or to the disk."""
    from gradio_client import Client

    class Quiet(Client):  # type: ignore[misc]
        def _telemetry_thread(self) -> None:
            """Nobody else is told."""

        def _get_config(self) -> dict[str, Any]:
            """What the app says of itself, with the place of its routes as it was looked at."""
            prefix = session.app.url.removeprefix(session.app.root)
            return {**super()._get_config(), "api_prefix": prefix, "connect_heartbeat": False}

    client = Quiet(
        f"{session.app.root}/",
        token=False,  # None would be the machine's own, sent wherever this is
        headers=dict(session.app.headers),  # a Space's are its token
        download_files=False,
        verbose=False,
        analytics_enabled=False,
        httpx_kwargs={"timeout": session.waits},
    )
    client.cookies = None  # httpx warns of those that are given with each request
    return client


def _asked(session: Session, client: Any, data: Any, hash_data: Any, helper: Any) -> Any:
    """As `Endpoint._sse_fn_v0`, but the app may not be silent for ever, and at the end nobody listens any more."""
    from gradio_client.utils import get_pred_from_sse_v0

    sockets: list[socket.socket] = []

    def traced(event: str, about: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            sockets.append(about["return_value"].get_extra_info("socket"))

    def trace(request: httpx.Request) -> None:
        request.extensions = {**request.extensions, "trace": traced}

    with httpx.Client(timeout=session.waits, event_hooks={"request": [trace]}) as web:
        try:
            return get_pred_from_sse_v0(
                web,
                data,
                hash_data,
                helper,
                client.sse_url,
                client.sse_data_url,
                client.headers,
                client.cookies,
                client.ssl_verify,
                client.helper_executor,
            )
        finally:
            for one in sockets:  # to close one does not wake the thread that listens to it
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def _event(status: Any) -> Mapping[str, Any]:
    """A status of gradio_client's as the event that it came from."""
    log = status.log or (None, None)
    return {
        "msg": _EVENTS.get(status.code.name, ""),
        "rank": status.rank,
        "queue_size": status.queue_size,
        "rank_eta": status.eta,
        "progress_data": [vars(unit) for unit in status.progress_data or ()],
        "log": log[0],
        "level": log[1],
    }
