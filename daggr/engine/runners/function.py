"""Calls the function of a node with its hooks, in whichever worker this is: thread or process.

Everything that is the user's runs within one `user.code()`, where it can be stopped; what is told to the engine from
there is told within `user.aside()`, where it cannot.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, suppress
from typing import Any

from daggr.engine.runners.base import Call, Returned, failed, postprocess, preprocess, texts_in, to_ports
from daggr.engine.runners.face import Face, face_of
from daggr.engine.runners.partials import NOTHING, Partials
from daggr.engine.runners.progress import Progress, is_progress, tqdm_heard
from daggr.engine.workers.handle import Stopped
from daggr.engine.workers.usercode import UserCode
from daggr.graph.nodes.fn import FnSpec


def execute(call: Call, user: UserCode) -> Returned:
    """Call the function: await a coroutine, show what a generator yields and take its last value.

    Raises:
        NodeFailedError: the function or one of its hooks raised something, an exit included.
        Stopped: it was stopped.
    """
    spec = call.spec
    if not isinstance(spec, FnSpec):
        raise TypeError(f"not a function node: {spec!r}")
    texts = _typed(call)
    with user.code():
        inputs = preprocess(spec, call.inputs)
        face = face_of(spec.fn)
        reporting = _with_progress(face, inputs, _aside(call.progress, user))
        placed, named = face.arguments(inputs)
        with Partials(spec, call.partial, user) as partials:
            try:
                with tqdm_heard(reporting):
                    returned = _finish(spec.fn(*placed, **named), partials, user)
            except Stopped:
                raise
            except BaseException as error:
                raise failed(spec, error) from error
        if returned is NOTHING:
            return Returned(dict.fromkeys(spec.outputs), texts, ("yielded nothing; its outputs are None",))
        processed = postprocess(spec, returned)
    values, notes = to_ports(spec, processed)
    return Returned(values, texts, notes)


def _typed(call: Call) -> frozenset[str]:
    """The strings within the inputs that are no paths handed out by daggr: those lie in the call's own folder."""
    own = f"{call.folder}{os.sep}"
    return frozenset(text for value in call.inputs.values() for text in texts_in(value) if not text.startswith(own))


def _aside(tell: Callable[..., None], user: UserCode) -> Callable[..., None]:
    """Tell the engine something from within user code, where a Stop must not come in between."""
    thread = threading.get_ident()

    def told(*what: Any) -> None:
        if threading.get_ident() == thread:
            with user.aside():
                tell(*what)
        else:  # a thread of the user's own, where no Stop is raised
            tell(*what)

    return told


# ---------------------------------------------------------------- calling


def _with_progress(face: Face, inputs: dict[str, Any], report: Callable[..., None]) -> Progress | None:
    """Put daggr's own progress where the function has a `gr.Progress` as a default."""
    wanted = [p for p in face.progress if is_progress(inputs.get(p.name, p.default))]
    if not wanted:
        return None
    progress = Progress(report)
    inputs.update((p.name, progress) for p in wanted)
    return progress if face.tracks_tqdm else None


# ---------------------------------------------------------------- what comes out of it


def _finish(returned: Any, partials: Partials, user: UserCode) -> Any:
    """The value that stands for what the function returned; `NOTHING` for a generator that gave none."""
    if inspect.isawaitable(returned):
        returned = _run(_awaited(returned), user)
    if inspect.isasyncgen(returned):
        return _run(_all_of_async(returned, partials), user)
    return _all_of(returned, partials, user) if inspect.isgenerator(returned) else returned


def _all_of(generator: Generator[Any, Any, Any], partials: Partials, user: UserCode) -> Any:
    """The last value of a generator; what it returns if it yields none. It is closed when it is stopped."""
    last: Any = NOTHING
    try:
        while True:
            last = next(generator)
            partials.show(last)
            if user.stopped:
                raise Stopped
    except StopIteration as end:
        if last is NOTHING and end.value is not None:
            return end.value
        return last
    finally:
        _close(generator, user)


def _close(generator: Generator[Any, Any, Any], user: UserCode) -> None:
    """End a generator that has not ended by itself. When it is stopped, what it says to that is nobody's concern."""
    try:
        generator.close()
    except Stopped:
        raise
    except BaseException:
        if not user.stopped:
            raise


async def _all_of_async(generator: AsyncGenerator[Any, Any], partials: Partials) -> Any:
    last: Any = NOTHING
    async with aclosing(generator):
        async for value in generator:
            last = value
            partials.show(last)
    return last


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _run(coroutine: Any, user: UserCode) -> Any:
    """Run a coroutine in a loop of its own. A Stop cancels it."""

    async def cancellable() -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(task.cancel)

        forget = user.on_stop(cancel)
        try:
            return await coroutine
        finally:
            forget()

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if user.stopped:
            raise Stopped from None
        raise
