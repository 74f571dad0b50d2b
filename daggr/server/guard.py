"""The outer wall: which hosts and origins may talk to the server at all, on HTTP and WebSocket alike.

A page of another site can make a browser call an address on this machine. It cannot fake the Host (against DNS
rebinding) nor the Origin (against cross-site requests), so both are checked before anything else sees the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from daggr.server.messages import Problem
from daggr.server.problems import MEDIA_TYPE

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME_SITE = frozenset({b"same-origin", b"none"})

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)


class Guard:
    """An ASGI app around another one."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        kind = str(scope["type"])
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        problem = self._refusal(scope)
        if problem is None:
            await self._app(scope, receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": problem.title})
        else:
            await _answer(send, problem)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if _hostname(host) not in self._hosts:
            return _problem(421, "Unknown host", f"The server does not answer to the host {host!r}.")
        method = scope.get("method", "")
        if method in _SAFE and str(scope["type"]) == "http":
            return None
        origin = headers.get(b"origin")
        if origin is not None and _netloc(origin.decode("latin-1")) != host:
            return _problem(403, "Foreign origin", "Pages of other sites may not use this server.")
        if origin is None and headers.get(b"sec-fetch-site", b"none") not in _SAME_SITE:
            return _problem(403, "Foreign origin", "Pages of other sites may not use this server.")
        return _wrong_type(scope, headers)


def _wrong_type(scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
    """JSON routes take JSON only: a form of another site could post anything else without asking."""
    path = re.sub("/+", "/", scope["path"])  # as the router reads it
    if str(scope["type"]) != "http" or not path.startswith("/api/") or path.startswith("/api/uploads"):
        return None
    given = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    empty = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
    if given == b"application/json" or (not given and empty):
        return None
    return _problem(415, "Wrong content type", f"Send application/json; given: {given.decode('latin-1')!r}.")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _problem(status: int, title: str, detail: str) -> Problem:
    return Problem(title, status, detail, detail)


async def _answer(send: Send, problem: Problem) -> None:
    body = msgspec.json.encode(problem)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
