"""Runs GradioNodes: what is done for one, in order. How each of it is done stands in the files beside this one.

`payload` what is given, `queue` the call itself, `files` what comes back; `older` calls of
apps that speak another protocol.
"""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx

from daggr.engine.hub.catalogue import Catalogue
from daggr.engine.hub.gradio_app import PROTOCOLS, Endpoint
from daggr.engine.hub.hub import Hub
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.patience import patiently
from daggr.engine.runners.base import Call, Returned, postprocess, preprocess, texts_in, to_ports
from daggr.engine.runners.gradio.files import fetched, is_file_data, with_files
from daggr.engine.runners.gradio.older import ask_older
from daggr.engine.runners.gradio.partials import GradioPartials
from daggr.engine.runners.gradio.payload import Payload, is_plain, upload
from daggr.engine.runners.gradio.queue import ask
from daggr.engine.runners.gradio.refusals import broken, odd
from daggr.engine.runners.gradio.session import Errands, Session, new_client
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import RemoteError
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.gradio import GradioSpec


class GradioRunner:
    """Calls endpoints of Gradio apps. Keeps connections alive, and what it learned of each app.

    Args:
        worker: The threads for hooks and for libraries that block.
        hub: Knows where Spaces are.
    """

    def __init__(self, worker: ThreadWorker, hub: Hub) -> None:
        self.hub = hub
        self._worker = worker
        self._errands = Errands()

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made when it is first needed: that takes longer than a whole call of known results."""
        return new_client()

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._client, self._worker, self.hub)

    async def check(self, spec: GradioSpec, credential: Credential) -> None:
        """Check a node against its app, before anything runs."""
        await self._catalogue.check(spec, credential)

    async def run(self, call: Call) -> Returned:
        """Execute a node: what blocks in a thread, everything else here."""
        spec = call.spec
        if not isinstance(spec, GradioSpec):
            raise TypeError(f"not a Gradio node: {spec!r}")

        def say(text: str) -> None:
            call.progress(None, text)

        app = await patiently(
            lambda: self._catalogue.app(spec, call.credential, say), spec.retries, say, _was_sent_away
        )
        session = Session(self._client, app, spec, call)
        try:
            return await self._run(session, spec, app.endpoint(spec))
        except httpx.HTTPError as error:
            self._catalogue.forget(spec, call.credential)
            raise broken(session, error) from error
        except RemoteError as error:
            if error.retryable:  # it may not be the app any more that is known
                self._catalogue.forget(spec, call.credential)
            raise

    async def close(self) -> None:
        """Say what is still to be said, and close the connections."""
        if "_catalogue" in vars(self):
            await self._errands.end()
            await self._catalogue.close()
            await self._client.aclose()

    async def _run(self, session: Session, spec: GradioSpec, endpoint: Endpoint) -> Returned:
        call = session.call
        payload, values = await self._payload(call, endpoint)
        if payload.files:
            await upload(session, payload.files)
        try:
            return await self._answered(session, spec, endpoint, values)
        except RecursionError as error:
            raise odd(session, "answers with values that are nested too deeply") from error

    async def _answered(self, session: Session, spec: GradioSpec, endpoint: Endpoint, values: list[Any]) -> Returned:
        """What the app makes of these values."""
        call = session.call
        make = partial(self._ports, session, endpoint)
        async with GradioPartials(make, call.partial, call.folder) as partials:
            if session.app.protocol in PROTOCOLS:
                answer = await ask(session, endpoint, values, self._errands, partials.give)
            else:
                answer = await ask_older(self._worker, session, endpoint, values, partials.give)
        texts = frozenset(texts_in(answer))
        ports, notes = await self._ports_and_notes(session, endpoint, answer, call.folder)
        return Returned(ports, texts, notes, self._catalogue.soft(spec, call.credential))

    async def _payload(self, call: Call, endpoint: Endpoint) -> tuple[Payload, list[Any]]:
        """What is given to the endpoint; a hook, and saving pictures, may take a while."""
        spec = call.spec
        if spec.preprocess is None and is_plain(call.inputs):
            payload = Payload(call)
            return payload, payload.of(endpoint, call.inputs)

        def prepare() -> tuple[Payload, list[Any]]:
            texts = None if spec.preprocess is None else frozenset(texts_in(call.inputs))
            payload = Payload(call, texts)
            return payload, payload.of(endpoint, preprocess(spec, call.inputs))

        return await in_thread(self._worker, prepare, call.log)

    async def _ports(self, session: Session, endpoint: Endpoint, answer: list[Any], folder: Path) -> dict[str, Any]:
        ports, _ = await self._ports_and_notes(session, endpoint, answer, folder)
        return ports

    async def _ports_and_notes(
        self, session: Session, endpoint: Endpoint, answer: list[Any], folder: Path
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What the ports get of an answer: without state, with local files, after the hook."""
        spec, call = session.spec, session.call
        seen = [_value(part) for part, is_seen in zip(answer, endpoint.returns, strict=True) if is_seen]
        local = await fetched(session, seen, folder)
        returned = tuple(local) if len(local) != 1 else local[0]
        if spec.postprocess is not None:
            returned = await in_thread(self._worker, lambda: postprocess(spec, returned), call.log)
        ports, notes = to_ports(spec, returned)
        has_news = spec.postprocess is not None or len(spec.outputs) > len(local)
        return _with_paths(spec, ports), notes if has_news else ()


def _was_sent_away(error: RemoteError) -> bool:
    """Whether an app said at once that it is down or busy; one that was silent is not waited for again."""
    return error.retryable and (error.retry_after is not None or isinstance(error.__cause__, httpx.ConnectError))


def _value(part: Any) -> Any:
    """A value, also where the app changes other properties of its component along with it (`gr.update`)."""
    if isinstance(part, dict) and part.get("__type__") == "update":
        return part.get("value")
    return part


def _with_paths(spec: NodeSpec, ports: dict[str, Any]) -> dict[str, Any]:
    """Files as their paths on ports that nothing shows: the next function gets a path that also reads as a dict."""
    return {
        port: with_files(value, is_file_data, lambda found: found["path"]) if spec.outputs[port] is None else value
        for port, value in ports.items()
    }
