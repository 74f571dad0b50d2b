"""Runs InferenceNodes: a model, asked for its task by huggingface_hub's client, with the arguments by their names."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from daggr.engine.hub.hub import Hub, check_revision, patience
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.patience import patiently
from daggr.engine.hub.tasks import EXTRA, check_names, shaped
from daggr.engine.runners.base import Call, Returned, postprocess, preprocess, texts_in, to_ports
from daggr.engine.runners.inference.media import check_extra, check_fixed, check_no_file, content_of, saved
from daggr.engine.runners.inference.refusals import Trouble, without_token
from daggr.engine.runners.inference.route import Route, route
from daggr.engine.runners.inference.talk import Growing, Question, Said, messages
from daggr.engine.runners.partials import INTERVAL
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import NodeFailedError, RemoteError
from daggr.graph.nodes.inference import InferenceSpec

if TYPE_CHECKING:
    from daggr.engine.runners.inference.line import Line

LOADING = 300.0
"""Seconds for which a model is waited for that is being loaded."""

_ENDINGS = {
    "length": "the answer was cut off: it has as many tokens as it may have (max_tokens)",
    "content_filter": "the answer was cut off by a filter of the provider's",
}


class InferenceRunner:
    """Calls models.

    Args:
        worker: The threads for what blocks.
        hub: What models are, and who serves them.
    """

    def __init__(self, worker: ThreadWorker, hub: Hub) -> None:
        self._worker = worker
        self._hub = hub
        self._line: Line | None = None

    async def check(self, spec: InferenceSpec, credential: Credential) -> None:
        """Check a node against its model, before anything runs.

        Raises:
            EndpointError: there is no such model, nobody serves it for this task, or the task takes something else.
            RemoteError: the Hub does not answer.
        """
        way = await self._route(spec, credential, checking=True)
        if spec.preprocess is None:  # a hook may rename what it is given
            check_names(way.task, spec.inputs, spec.model, spec.where)
            check_fixed(spec, way.task)

    async def run(self, call: Call) -> Returned:
        """Execute a node: hooks and files in threads, everything else in loops."""
        spec = call.spec
        if not isinstance(spec, InferenceSpec):
            raise TypeError(f"not an inference node: {spec!r}")
        if not call.credential.token.startswith("hf_"):  # another one would go to the provider itself
            raise without_token(spec, call.credential.token)
        way = await self._route(spec, call.credential)
        texts = texts_in(call.inputs)
        inputs = call.inputs
        if spec.preprocess is not None:
            inputs = await in_thread(self._worker, lambda: preprocess(spec, call.inputs), call.log)
        arguments = await self._arguments(call, way, inputs, texts)
        await (await self._reached()).prepare(spec, way, call.credential)
        answer = await self._answer(call, spec, way, arguments)
        notes = (_ENDINGS[answer.reason],) if isinstance(answer, Said) and answer.reason in _ENDINGS else ()
        value = call.credential.scrub_all(await self._value(call, way, answer))
        texts |= texts_in(value)
        if spec.postprocess is not None:
            made = value
            value = await in_thread(self._worker, lambda: postprocess(spec, made), call.log)
        values, said = to_ports(spec, value)
        seen = {"task": way.task.name, **({str(spec.repo): way.info.sha} if way.info.sha else {})}
        return Returned(values, frozenset(texts), (*notes, *said), seen)

    async def close(self) -> None:
        """Close the connections."""
        if self._line is not None:
            await self._line.close()

    async def _reached(self) -> Line:
        """The line to the providers. Loading what it is made of is not for the engine's loop."""
        if self._line is None:
            line = await in_thread(self._worker, lambda: _line(self._worker))
            self._line = self._line or line  # others may have come here meanwhile
        return self._line

    async def _route(self, spec: InferenceSpec, credential: Credential, *, checking: bool = False) -> Route:
        info = await self._hub.model(spec.model, credential, spec.where, within=patience(spec), checking=checking)
        check_revision(spec, info.sha)
        return route(spec, info, (await self._reached()).can_ask)

    # ------------------------------------------------------------ what is asked

    async def _arguments(
        self, call: Call, way: Route, inputs: dict[str, Any], texts: Collection[str]
    ) -> dict[str, Any]:
        """The arguments by their own names, files as bytes, without what has no value."""
        spec, task = call.spec, way.task
        check_names(task, inputs, way.info.id, spec.where)
        named = task.named(inputs)
        arguments = {named[name]: value for name, value in inputs.items() if value is not None}
        missing = [name for name in inputs if task.arguments[named[name]] and named[name] not in arguments]
        if missing and not (task.is_talk and "messages" in arguments):
            raise NodeFailedError(
                f"{spec.name!r} was given no value for {', '.join(map(repr, missing))}.",
                where=spec.where,
                node=spec.name,
            )
        check_extra(spec, task, arguments.get(EXTRA))
        for name, value in arguments.items():
            if (kind := task.media.get(name)) is not None:
                arguments[name] = await self._content(call, texts, name, kind, value)
            else:
                check_no_file(call, name, task.media, value)
                arguments[name] = shaped(name, value)
        return {"messages": messages(spec, arguments), **arguments} if task.is_talk else arguments

    async def _content(self, call: Call, texts: Collection[str], name: str, kind: str, value: Any) -> bytes:
        return await in_thread(self._worker, lambda: content_of(call, texts, name, kind, value), call.log)

    # ------------------------------------------------------------ what comes back

    async def _answer(self, call: Call, spec: InferenceSpec, way: Route, arguments: dict[str, Any]) -> Any:
        """Ask, and ask again if nothing has been done yet."""
        grown, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the engine has ended
                loop.call_soon_threadsafe(grown.set)

        question = Question(spec, way, call.credential, arguments, Growing(tell))
        showing = asyncio.create_task(self._show(call, question.growing, grown))
        try:
            answer = await patiently(
                lambda: self._once_loaded(call, question), spec.retries, lambda text: call.progress(None, text)
            )
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
        if isinstance(answer, Trouble):
            raise answer.error
        if isinstance(answer, Said) and not answer.reason:
            raise RemoteError(
                f"{spec.name!r}: the answer broke off before its end.",
                "Try again; if it stays so, name another provider as in 'owner/name:provider'.",
                spec.where,
                retryable=True,
            )
        return answer

    async def _once_loaded(self, call: Call, question: Question) -> Any:
        """Ask; wait for a model that is being loaded. What may have begun is not asked again.

        Raises:
            RemoteError: it was refused, and can be asked again.
        """
        line = await self._reached()
        deadline = time.monotonic() + (LOADING if question.spec.retries else 0)
        while True:
            call.progress(None, f"asking {question.way.who}")
            answer = await line.ask(question)
            if not isinstance(answer, Trouble) or answer.began or not isinstance(answer.error, RemoteError):
                return answer
            if not answer.loading:
                raise answer.error
            pause = answer.error.retry_after or 1.0
            if time.monotonic() + pause > deadline:
                return answer
            call.progress(None, "the model is being loaded")
            await asyncio.sleep(pause)

    async def _show(self, call: Call, growing: Growing, grown: asyncio.Event) -> None:
        """Show what has come so far, every now and then. This happens in the engine's loop, and ends with the call."""
        shown = None
        while True:
            await grown.wait()
            grown.clear()
            doing = "thinking" if growing.is_thinking else ""
            if doing != shown:
                call.progress(None, doing)
                shown = doing
            if text := call.credential.scrub_growing(growing.text):
                with contextlib.suppress(NodeFailedError):  # if the whole fails like this, too, it will be told
                    call.partial(to_ports(call.spec, await self._processed(call, text))[0])
            await asyncio.sleep(INTERVAL)

    async def _processed(self, call: Call, value: Any) -> Any:
        if call.spec.postprocess is None:
            return value
        return await in_thread(self._worker, lambda: postprocess(call.spec, value), call.log)

    async def _value(self, call: Call, way: Route, answer: Any) -> Any:
        """The answer as a value of a port; files are in the call's folder."""
        if isinstance(answer, Said):
            return answer.text
        make: Callable[[], Any] = lambda: saved(way.task.result(answer), call.folder)  # noqa: E731
        try:
            return await in_thread(self._worker, make)
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise RemoteError(
                call.credential.scrub(f"The answer to {call.spec.name!r} is none for {way.task.name!r}: {error}"),
                "Try again; if it stays so, name another provider as in 'owner/name:provider'.",
                call.spec.where,
            ) from None


def _line(worker: ThreadWorker) -> Line:
    from daggr.engine.runners.inference.line import Line

    return Line(worker)
