"""Bytes of artifacts over HTTP, by RFC 9110: ranges, validators, HEAD. An artifact never changes, so clients keep it.

Bytes leave by artifact id only; no route takes a path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from daggr.server.messages import Problem
from daggr.server.problems import MEDIA_TYPE
from daggr.server.served import Served
from daggr.server.values import mime_of
from daggr.store.files import StoredFile

CHUNK = 1 << 18
_ACTIVE = (
    "text/html",
    "image/svg+xml",
    "application/xhtml",
    "text/xml",
    "application/xml",
    "javascript",
    "application/pdf",
)
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Span:
    """The bytes from `start` up to, not including, `end`; `partial` when they answer a range."""

    start: int
    end: int
    partial: bool = True


def file_route(served: Served) -> ASGIRouteHandler:
    """`GET /file/{artifact}/{name}`."""

    @asgi("/file", is_mount=True, copy_scope=False)
    async def serve_file(scope: Scope, receive: Receive, send: Send) -> None:
        method, headers = scope.get("method"), dict(scope["headers"])
        file = _find(served, str(scope["path"]))
        if method not in ("GET", "HEAD"):
            await _refuse(send, 405, "Files can be read only.", [(b"allow", b"GET, HEAD")])
        elif file is None:
            await _refuse(send, 404, "There is no such file, or it is somebody else's.")
        else:
            await _serve(send, file, headers, with_body=method == "GET")

    return serve_file


def _find(served: Served, path: str) -> StoredFile | None:
    digest = served.values.digest_of(path.removeprefix("/file").strip("/").partition("/")[0])
    if digest is None:
        return None
    with served.engine.store.read() as txn:
        file = served.engine.store.artifacts.file(txn, digest)
    return file if file is not None and file.path.exists() else None


async def _serve(send: Send, file: StoredFile, headers: dict[bytes, bytes], *, with_body: bool) -> None:
    tag = f'"{file.sha256.hex()}"'.encode()
    common: Headers = [
        (b"etag", tag),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"private, max-age=31536000, immutable"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"sandbox; default-src 'none'; media-src 'self'; img-src 'self'"),
        (b"content-disposition", _disposition(file.name).encode()),
    ]
    if _names(headers.get(b"if-none-match", b""), tag):
        await _start(send, 304, common)
        await _end(send)
        return
    span = _span(headers, tag, file.size)
    if span is None:
        await _refuse(send, 416, "No such range.", [(b"content-range", f"bytes */{file.size}".encode())])
        return
    common.append((b"content-type", mime_of(file.name).encode()))
    common.append((b"content-length", str(span.end - span.start).encode()))
    if span.partial:
        common.append((b"content-range", f"bytes {span.start}-{span.end - 1}/{file.size}".encode()))
    await _start(send, 206 if span.partial else 200, common)
    if with_body:
        await _send_bytes(send, file, span)
    await _end(send)


async def _send_bytes(send: Send, file: StoredFile, span: Span) -> None:
    with open(file.path, "rb") as source:  # noqa: ASYNC230  (chunks of a local file)
        source.seek(span.start)
        left = span.end - span.start
        while left > 0 and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _span(headers: dict[bytes, bytes], tag: bytes, size: int) -> Span | None:
    """The bytes that are asked for: all if the range is malformed, several or outdated; None if there are none."""
    whole = Span(0, size, partial=False)
    asked = headers.get(b"range", b"").strip()
    match = re.fullmatch(rb"bytes=(\d{0,18})-(\d{0,18})", asked)
    if match is None or not (match[1] or match[2]) or not _if_range(headers, tag):
        return whole
    if not match[1]:
        length = int(match[2])
        return Span(max(0, size - length), size) if length and size else None
    start = int(match[1])
    end = int(match[2]) + 1 if match[2] else max(size, start + 1)
    if end <= start:
        return whole
    return Span(start, min(end, size)) if start < size else None


def _if_range(headers: dict[bytes, bytes], tag: bytes) -> bool:
    return headers.get(b"if-range", tag).strip() == tag


def _names(header: bytes, tag: bytes) -> bool:
    return header.strip() == b"*" or tag in [part.strip().removeprefix(b"W/") for part in header.split(b",")]


def _disposition(name: str) -> str:
    how = "attachment" if any(kind in mime_of(name) for kind in _ACTIVE) else "inline"
    return f"{how}; filename*=UTF-8''{quote(name, safe='')}"


async def _refuse(send: Send, status: int, detail: str, headers: Headers | None = None) -> None:
    body = msgspec.json.encode(Problem("Not possible", status, detail, detail))
    given = [*(headers or []), (b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await _start(send, status, given)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})
