"""Files of an app's answers: fetched from the app that was called, by its own routes, and from nowhere else."""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import os
import re
import secrets
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

import httpx

from daggr.engine.hub.patience import patiently
from daggr.engine.runners.gradio.refusals import HARMLESS, broken, odd, refused
from daggr.engine.runners.gradio.session import Session
from daggr.errors import RemoteError
from daggr.filename import safe_name

FILE_DATA = {"_type": "gradio.FileData"}
"""What a dict says in its `meta` that is Gradio's way to speak of a file."""

FIELDS = frozenset({"path", "url", "size", "orig_name", "mime_type", "is_stream", "meta"})
EARLY = ("sse", "sse_v1", "sse_v2")
"""Protocols of apps that speak of files without a `meta`."""

MAX_FILE = 2 << 30
MOST = 1000
"""Files in one answer."""

AT_ONCE = 8
CHUNK = 1 << 18
_STREAM = re.compile(r"[\w.-]+/[\w.-]+/\d+/playlist\.m3u8")


def is_file_data(value: Any, protocol: str = "") -> bool:
    """Whether this is how Gradio speaks of a file."""
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        return False
    meta = value.get("meta")
    if isinstance(meta, dict):
        return bool(meta.get("_type") == FILE_DATA["_type"])
    return protocol in EARLY and meta is None and {"path", "size", "orig_name"} <= value.keys() <= FIELDS


def with_files(value: Any, applies: Callable[[Any], bool], change: Callable[[Any], Any]) -> Any:
    """A JSON value with `change(part)` in place of each part that is a file; the same object if there is none."""
    if applies(value):
        return change(value)
    if isinstance(value, dict):
        parts = {key: with_files(part, applies, change) for key, part in value.items()}
        return parts if any(parts[key] is not part for key, part in value.items()) else value
    if isinstance(value, list):
        items = [with_files(part, applies, change) for part in value]
        return items if any(now is not was for now, was in zip(items, value, strict=True)) else value
    return value


async def fetched(session: Session, value: Any, folder: Path) -> Any:
    """An answer with local files in place of the app's. The folder is made if there are any.

    Raises:
        RemoteError: a file is not the app's own, or does not come whole, or there are too many.
        httpx.HTTPError: the connection was lost.
    """
    found: dict[str, dict[str, Any]] = {}
    packed: list[Any] = []

    def applies(part: Any) -> bool:
        return is_file_data(part, session.app.protocol)

    with_files(value, applies, lambda part: found.setdefault(part["path"], part))
    with_files(value, _is_data, packed.append)
    if (count := len(found) + len(packed)) > MOST:
        raise odd(session, f"answers with {count} files; daggr takes {MOST} at most")
    for one in found.values():
        _check_own(session, one)
    free = asyncio.Semaphore(AT_ONCE)

    async def fetch(one: dict[str, Any]) -> Path:
        async with free:
            return await _fetch(session, one, folder)

    if found:
        paths = await _together([fetch(one) for one in found.values()])
        local = dict(zip(found, paths, strict=True))
        value = with_files(value, applies, lambda part: _localised(part, local[part["path"]]))
    return with_files(value, _is_data, lambda part: _localised(part, _unpacked(session, part, folder)))


def _is_data(value: Any) -> bool:
    """Whether this is a file whose bytes are in its address, as Gradio gives drawings (SVG)."""
    if not isinstance(value, dict) or value.get("path") or not isinstance(value.get("meta"), dict):
        return False
    return value["meta"].get("_type") == FILE_DATA["_type"] and str(value.get("url")).startswith("data:")


def _unpacked(session: Session, part: Mapping[str, Any], folder: Path) -> Path:
    """The file that an address holds (RFC 2397)."""
    head, _, text = part["url"].removeprefix("data:").partition(",")
    kind, is_base64 = head.removesuffix(";base64").partition(";")[0], head.endswith(";base64")
    try:
        content = base64.b64decode(text, validate=True) if is_base64 else unquote_to_bytes(text)
    except ValueError:
        raise _foreign(session, part["url"]) from None
    given = os.path.splitext(str(part.get("orig_name") or "file"))
    own = folder / secrets.token_hex(4)
    own.mkdir(parents=True)
    path = own / safe_name(f"{given[0]}{given[1] or mimetypes.guess_extension(kind) or ''}")
    path.write_bytes(content)
    return path


def _localised(part: Mapping[str, Any], path: Path) -> dict[str, Any]:
    return {**part, "path": str(path), "url": None, "orig_name": path.name, "is_stream": False, "meta": FILE_DATA}


async def _together(fetches: list[Coroutine[Any, Any, Path]]) -> list[Path]:
    """All of them; when one fails the others are stopped."""
    if len(fetches) == 1:
        return [await fetches[0]]
    tasks = [asyncio.ensure_future(fetch) for fetch in fetches]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ---------------------------------------------------------------- whose file it is


def _check_own(session: Session, found: Mapping[str, Any]) -> None:
    """Raise unless the app speaks of a file of its own."""
    path, url = found["path"], found.get("url")
    if "://" in path or path.startswith(("data:", "//")) or "\0" in path:
        raise _foreign(session, path)
    if ".." in PurePosixPath(path.replace("\\", "/")).parts:
        raise _foreign(session, path)
    if isinstance(url, str) and url and not _is_own_url(session, url, path):
        raise _foreign(session, url)


def _is_own_url(session: Session, url: str, path: str) -> bool:
    """Whether this is an address of the app, or of this very file of it at a door that it thinks it has.

    Apps behind a proxy often know another name of themselves than the world does. The address is never asked.
    """
    try:
        parts, own = urlsplit(url), urlsplit(session.app.url)
        if not parts.scheme and not parts.netloc:
            return True
        if (parts.scheme, parts.hostname, parts.port) == (own.scheme, own.hostname, own.port):
            return True
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and unquote(parts.path).endswith((f"/file={path}", f"/stream/{path}"))


def _foreign(session: Session, what: str) -> RemoteError:
    shown = what if len(what) <= 200 else f"{what[:197]}..."
    return RemoteError(
        f"{session.spec.source!r} answers with the file {shown!r}, which is none of its own; daggr fetches nothing "
        "from elsewhere.",
        "The app must return the file itself: as a path on its own disk, or as data.",
        session.spec.where,
    )


# ---------------------------------------------------------------- fetching


async def _fetch(session: Session, found: Mapping[str, Any], folder: Path) -> Path:
    path = found["path"]
    route = f"/file={quote(path, safe='/')}"
    if found.get("is_stream") and _STREAM.fullmatch(path):
        route = f"/stream/{path.removesuffix('.m3u8')}-file"  # all its pieces as one file

    async def once() -> Path | RemoteError:
        try:
            async with session.stream(route, headers={"accept-encoding": "identity"}) as answer:
                name = _name(found, answer)
                if answer.is_success:
                    return await _written(session, answer, folder, name)
                await answer.aread()
        except httpx.TimeoutException:
            raise
        except httpx.TransportError as error:  # to ask for a file again does no harm
            raise broken(session, error) from error
        refusal = refused(session, answer, f"its own file {name!r}")
        if answer.status_code in HARMLESS:
            raise refusal
        return refusal

    outcome = await patiently(once, session.spec.retries, lambda text: session.call.progress(None, text))
    if isinstance(outcome, RemoteError):
        raise outcome
    return outcome


async def _written(session: Session, answer: httpx.Response, folder: Path, name: str) -> Path:
    own = folder / secrets.token_hex(4)  # several files may have one name
    own.mkdir(parents=True)
    target, size = own / name, 0
    expected = answer.headers.get("content-length", "")
    if expected.isdecimal() and int(expected) > MAX_FILE:
        raise _too_large(session, name)
    with open(target, "xb") as file:  # noqa: ASYNC230  (local writes of a chunk do not block)
        async for chunk in answer.aiter_bytes(CHUNK):
            size += len(chunk)
            if size > MAX_FILE:
                raise _too_large(session, name)
            file.write(chunk)
    if expected.isdecimal() and "content-encoding" not in answer.headers and size != int(expected):
        raise RemoteError(
            f"{session.spec.source!r} sends {size} bytes of {expected} for {name!r}.",
            "Run again.",
            session.spec.where,
            retryable=True,
        )
    return target


def _too_large(session: Session, name: str) -> RemoteError:
    return RemoteError(
        f"{session.spec.source!r} sends more than {MAX_FILE >> 30} GiB for {name!r}.",
        "Let the app give a smaller file.",
        session.spec.where,
    )


def _name(found: Mapping[str, Any], answer: httpx.Response) -> str:
    """A name for a file here, with the ending of what it is."""
    given = str(found.get("orig_name") or "")
    ending = os.path.splitext(given)[1]
    if not ending and not found.get("is_stream"):
        ending = os.path.splitext(found["path"])[1]
    if not ending:
        kind = answer.headers.get("content-type", "").partition(";")[0]
        ending = "" if kind == "application/octet-stream" else mimetypes.guess_extension(kind) or ""
    stem = os.path.splitext(given or found["path"].replace("\\", "/").rpartition("/")[2])[0]
    return safe_name(f"{stem or 'file'}{ending}")
