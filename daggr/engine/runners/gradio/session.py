"""A session with a Gradio app: all requests of one run, which the app tells apart from those of any other.

An app keeps `gr.State` by session, and cookies say which of several machines has it; so both are a run's own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from daggr.engine.hub.gradio_app import GradioApp
from daggr.engine.runners.base import Call
from daggr.engine.waiting import heard
from daggr.graph.nodes.gradio import GradioSpec

CONNECT, IDLE = 10.0, 120.0
"""Seconds that an app has to answer at all, and to say a word while it works, unless the node says otherwise."""

NONE: Mapping[str, str] = {}

REST = 3.0
"""Seconds for which a connection is kept without use: less than the five after which uvicorn would close it."""

ERRAND = 2.0
"""Seconds that a last word to an app may take."""


def new_client() -> httpx.AsyncClient:
    """A client for all sessions: as many connections as are asked for, and no cookies of its own."""
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        cookies=no_cookies,
        follow_redirects=False,
        timeout=httpx.Timeout(IDLE, connect=CONNECT, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=128, keepalive_expiry=REST),
    )


class Errands:
    """What is still to be said to apps when nobody waits for it any more, such as that a call was cancelled."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    def send(self, errand: Coroutine[Any, Any, Any]) -> None:
        """Begin one. It may take a moment, and fail."""
        task = heard(asyncio.ensure_future(asyncio.wait_for(errand, ERRAND)))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def end(self) -> None:
        """Wait for those that are under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)


class Session:
    """The requests of one run.

    Attributes:
        app: What they are sent to.
        spec, call: What is run.
        hash: What the app knows the session by.
        connect, idle: Seconds that the app has to take a connection, and for which it may be silent.
        waits: The same, as httpx takes it.
    """

    def __init__(self, client: httpx.AsyncClient, app: GradioApp, spec: GradioSpec, call: Call) -> None:
        self.app = app
        self.spec = spec
        self.call = call
        self.hash = secrets.token_hex(8)
        self.connect = spec.connect_timeout or CONNECT
        self.idle = spec.idle_timeout or IDLE
        self.waits = httpx.Timeout(self.idle, connect=self.connect, pool=None)
        self._client = client
        self._cookies: dict[str, str] = {}

    def scrub(self, text: str) -> str:
        """What the app said, without the tokens that it was sent."""
        return self.call.credential.scrub(text)

    def scrubbed(self, value: Any) -> Any:
        """The same of a JSON value."""
        credential = self.call.credential
        return credential.scrub_all(value) if credential.token or credential.ip_token else value

    async def post(self, path: str, *, headers: Mapping[str, str] = NONE, **body: Any) -> httpx.Response:
        """Send something; the answer is read. `body` is as httpx takes it."""
        answer = await self._client.post(
            self.app.url + path, headers=self._headers(headers), timeout=self.waits, **body
        )
        self._note(answer)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, *, headers: Mapping[str, str] = NONE, **query: Any
    ) -> AsyncIterator[httpx.Response]:
        """Ask for something that is read bit by bit. `query` is as httpx takes it."""
        async with self._client.stream(
            "GET", self.app.url + path, headers=self._headers(headers), timeout=self.waits, **query
        ) as answer:
            self._note(answer)
            yield answer

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {**self.app.headers, **more, **({"cookie": cookies} if cookies else {})}

    def _note(self, answer: httpx.Response) -> None:
        if "set-cookie" in answer.headers:
            given = httpx.Cookies()
            given.extract_cookies(answer)
            self._cookies.update((cookie.name, cookie.value or "") for cookie in given.jar)
