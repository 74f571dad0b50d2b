"""Runs GradioNodes over the app's own queue: join, then listen to its events. Every run is a session of its own.

Files go up only from the run's own folder, and come down only from the app that was called. Strings of an answer are
text, whatever they look like.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from daggr.engine.hub.catalogue import TIMEOUT, Catalogue
from daggr.engine.hub.gradio_app import Endpoint, GradioApp
from daggr.engine.hub.identity import Credential
from daggr.engine.runners.base import Call, Returned, postprocess, preprocess, texts_in, to_ports
from daggr.engine.runners.patience import patiently, seconds_of
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import NodeFailedError, RemoteError
from daggr.filename import safe_name
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.gradio import GradioSpec
from daggr.graph.validate import name_set

T = TypeVar("T")
FILE_DATA = {"_type": "gradio.FileData"}
MAX_FILE = 2 << 30
CONNECT, IDLE = 10.0, 120.0
"""Seconds that an app has to answer at all, and to say a word while it works, unless the node says otherwise."""


class GradioRunner:
    """Calls endpoints of Gradio apps. Keeps connections alive, and what it learned of each app."""

    def __init__(self, worker: ThreadWorker) -> None:
        self._worker = worker

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made when it is first needed: that takes longer than a whole call of known results."""
        return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False)

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._client, self._worker)

    async def check(self, spec: GradioSpec, credential: Credential) -> None:
        """Check a node against its app, before anything runs."""
        await self._catalogue.check(spec, credential)

    async def run(self, call: Call) -> Returned:
        """Execute a node: hooks in a thread, everything else here."""
        spec = call.spec
        if not isinstance(spec, GradioSpec):
            raise TypeError(f"not a Gradio node: {spec!r}")
        app = await self._catalogue.app(spec, call.credential)
        endpoint = app.endpoint(spec)
        inputs = await in_thread(self._worker, lambda: preprocess(spec, call.inputs), call.log)
        payload = await self._payload(app, endpoint, inputs, call)
        try:
            answer = await self._ask(app, endpoint, payload, call)
        except httpx.HTTPError as error:
            self._catalogue.forget(spec, call.credential)
            raise RemoteError(
                f"{spec.source!r} broke off: {type(error).__name__} {error}".rstrip(),
                "Try again; if it stays so, look at the app's own log.",
                spec.where,
                retryable=True,
            ) from error
        texts = frozenset(texts_in(answer))
        visible = [value for value, seen in zip(answer, endpoint.returns, strict=False) if seen]
        local = [await self._localise(app, value, call) for value in visible]
        returned = tuple(local) if len(local) != 1 else local[0]
        processed = await in_thread(self._worker, lambda: postprocess(spec, returned), call.log)
        values, notes = to_ports(spec, processed)
        return Returned(values, texts, notes if spec.postprocess is not None or len(spec.outputs) > len(local) else ())

    async def close(self) -> None:
        """Close the connections."""
        if "_client" in vars(self):
            await self._client.aclose()

    # ------------------------------------------------------------ up

    async def _payload(self, app: GradioApp, endpoint: Endpoint, inputs: dict[str, Any], call: Call) -> list[Any]:
        known = {parameter.name for parameter in endpoint.parameters}
        if wrong := [name for name in inputs if name not in known]:
            raise NodeFailedError(
                f"{call.spec.name!r} was given {name_set(wrong)}; {endpoint.name} takes {name_set(sorted(known))}.",
                where=call.spec.where,
                node=call.spec.name,
            )
        payload: list[Any] = []
        for parameter in endpoint.slots:
            if parameter is None:
                payload.append(None)
            elif parameter.name in inputs:
                upload = _Upload(self._client, self._worker, app, call)
                payload.append(await _replace(inputs[parameter.name], upload.applies, upload))
            else:
                payload.append(parameter.default)
        return payload

    # ------------------------------------------------------------ there

    async def _ask(self, app: GradioApp, endpoint: Endpoint, payload: list[Any], call: Call) -> list[Any]:
        session = secrets.token_hex(8)
        body = {"data": payload, "fn_index": endpoint.fn_index, "session_hash": session}
        waits = _waits(call.spec)
        await patiently(
            lambda: self._join(app, body, waits), _retries(call.spec), lambda text: call.progress(None, text)
        )
        async for event in self._events(app, session, waits):
            match event.get("msg"):
                case "estimation":
                    call.progress(None, f"queue {event.get('rank', 0) + 1}/{event.get('queue_size', '?')}")
                case "process_starts":
                    call.progress(None, "")
                case "progress":
                    call.progress(*_progress(event))
                case "log":
                    call.log(f"{event.get('log')}\n")
                case "process_completed":
                    return _outputs(call.spec, app, event)
                case "unexpected_error" | "server_stopped":
                    raise _failed(call.spec, app, event.get("message"))
        raise RemoteError(f"{app.source!r} ended the stream without a result.", where=call.spec.where, retryable=True)

    async def _join(self, app: GradioApp, body: dict[str, Any], waits: httpx.Timeout) -> None:
        """Get a place in the app's queue. Who is refused has not begun anything."""
        try:
            joined = await self._client.post(f"{app.url}/queue/join", json=body, headers=app.headers, timeout=waits)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise RemoteError(f"{app.source!r} cannot be reached: {error}".rstrip(": "), retryable=True) from error
        if not joined.is_success:
            raise _refused(app, joined)

    async def _events(self, app: GradioApp, session: str, waits: httpx.Timeout) -> AsyncIterator[dict[str, Any]]:
        request = self._client.stream(
            "GET", f"{app.url}/queue/data", params={"session_hash": session}, headers=app.headers, timeout=waits
        )
        async with request as stream:
            if not stream.is_success:
                raise RemoteError(f"{app.source!r} answers {stream.status_code} to its queue.", retryable=True)
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    event = json.loads(line[5:])
                    if isinstance(event, dict):
                        yield event

    # ------------------------------------------------------------ and back

    async def _localise(self, app: GradioApp, value: Any, call: Call) -> Any:
        return await _replace(value, is_file_data, lambda found: self._download(app, found, call))

    async def _download(self, app: GradioApp, found: dict[str, Any], call: Call) -> dict[str, Any]:
        name = safe_name(str(found.get("orig_name") or found["path"]))
        folder = call.folder / f"answer-{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        target, size = folder / name, 0
        url = f"{app.url}/file={quote(found['path'], safe='/:')}"
        async with self._client.stream("GET", url, headers=app.headers) as answer:
            if not answer.is_success:
                raise RemoteError(
                    f"{app.source!r} answers {answer.status_code} for its own file {name!r}.", where=call.spec.where
                )
            with open(target, "xb") as file:  # noqa: ASYNC230  (local writes of a chunk do not block)
                async for chunk in answer.aiter_bytes(1 << 18):
                    size += len(chunk)
                    if size > MAX_FILE:
                        raise RemoteError(f"{app.source!r} sends more than {MAX_FILE >> 30} GiB for {name!r}.")
                    file.write(chunk)
        return {**found, "path": str(target), "url": None, "orig_name": name, "meta": FILE_DATA}


class _Upload:
    """Sends files of the run's own folder to the app."""

    def __init__(self, client: httpx.AsyncClient, worker: ThreadWorker, app: GradioApp, call: Call) -> None:
        self._client, self._worker, self._app, self._call = client, worker, app, call

    def applies(self, value: Any) -> bool:
        path = value.get("path") if is_file_data(value) else value
        return isinstance(path, str) and Path(path).is_relative_to(self._call.folder) and Path(path).is_file()

    async def __call__(self, value: Any) -> dict[str, Any]:
        path = Path(value["path"] if isinstance(value, dict) else value)
        content = await in_thread(self._worker, path.read_bytes, self._call.log)
        answer = await self._client.post(
            f"{self._app.url}/upload", files={"files": (path.name, content)}, headers=self._app.headers
        )
        if not answer.is_success:
            raise _refused(self._app, answer)
        return {"path": answer.json()[0], "orig_name": path.name, "size": len(content), "meta": FILE_DATA}


def is_file_data(value: Any) -> bool:
    """Whether this is how Gradio speaks of a file."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("path"), str)
        and isinstance(value.get("meta"), dict)
        and value["meta"].get("_type") == FILE_DATA["_type"]
    )


async def _replace(value: Any, applies: Callable[[Any], bool], change: Callable[[Any], Awaitable[Any]]) -> Any:
    if applies(value):
        return await change(value)
    if isinstance(value, dict):
        return {key: await _replace(item, applies, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [await _replace(item, applies, change) for item in value]
    return value


def _progress(event: Mapping[str, Any]) -> tuple[float | None, str]:
    units = event.get("progress_data") or [{}]
    unit = units[-1]
    index, length, fraction = unit.get("index"), unit.get("length"), unit.get("progress")
    if fraction is None and isinstance(index, (int, float)) and length:
        fraction = index / length
    count = f"{index}/{length}" if index is not None and length else ""
    return fraction, " ".join(part for part in (unit.get("desc") or "", count) if part)


def _outputs(spec: NodeSpec, app: GradioApp, event: Mapping[str, Any]) -> list[Any]:
    output = event.get("output") or {}
    if not event.get("success", True):
        raise _failed(spec, app, output.get("error") or event.get("title"))
    return list(output.get("data", ()))


def _failed(spec: NodeSpec, app: GradioApp, reason: Any) -> RemoteError:
    said = str(reason) if reason else "it gave no reason (an app tells it only with launch(show_error=True))"
    return RemoteError(f"{spec.name!r} failed: {app.source!r} says: {said}", where=spec.where)


def _refused(app: GradioApp, answer: httpx.Response) -> RemoteError:
    return RemoteError(
        f"{app.source!r} refuses the call with {answer.status_code}: {answer.text[:300]}",
        "It is busy; try again later." if answer.status_code in (429, 503) else "",
        retryable=answer.status_code == 429 or answer.status_code >= 500,
        retry_after=seconds_of(answer.headers.get("retry-after")),
    )


def _waits(spec: NodeSpec) -> httpx.Timeout:
    """How long is waited for a connection, and for a word of the app's while it works."""
    connect, idle = getattr(spec, "connect_timeout", None), getattr(spec, "idle_timeout", None)
    return httpx.Timeout(None, connect=connect or CONNECT, read=idle or IDLE)


def _retries(spec: NodeSpec) -> int:
    return spec.retries if isinstance(spec, GradioSpec) else 0
