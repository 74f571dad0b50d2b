"""Runs FnNodes, in a thread."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from daggr.engine.runners.base import Call, Returned, failed, postprocess, preprocess, texts_in, to_ports
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.nodes.fn import FnSpec


class FnRunner:
    """Calls the function, awaits a coroutine, and takes the last value of a generator."""

    def __init__(self, worker: ThreadWorker) -> None:
        self._worker = worker

    async def run(self, call: Call) -> Returned:
        """Execute the function and its hooks in one thread."""
        return await self._worker.submit(lambda: _execute(call), call.log)


def _execute(call: Call) -> Returned:
    spec = call.spec
    if not isinstance(spec, FnSpec):
        raise TypeError(f"not a function node: {spec!r}")
    texts = set()
    for value in call.inputs.values():
        texts |= {text for text in texts_in(value) if not text.startswith(str(call.folder))}
    inputs = preprocess(spec, call.inputs)
    try:
        returned = _finish(_invoke(spec.fn, inputs))
    except Exception as error:
        raise failed(spec, error) from error
    values, notes = to_ports(spec, postprocess(spec, returned))
    return Returned(values, frozenset(texts), notes)


def _invoke(fn: Callable[..., Any], inputs: dict[str, Any]) -> Any:
    """Call by keyword where the outermost callable takes it, by position, in the visible order, where it does not."""
    try:
        outer = inspect.signature(fn, follow_wrapped=False).parameters
        visible = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return fn(*inputs.values())
    takes_any = any(p.kind is p.VAR_KEYWORD for p in outer.values())
    by_name = {p.name for p in outer.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    only_by_place = {p.name for p in outer.values() if p.kind is p.POSITIONAL_ONLY}
    keyword = {n: v for n, v in inputs.items() if n in by_name or (takes_any and n not in only_by_place)}
    placed = [p for p in visible if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in keyword]
    while placed and placed[-1].name not in inputs:
        placed.pop()  # what is left out at the end keeps its default
    return fn(*(inputs.get(p.name, p.default) for p in placed), **keyword)


def _finish(returned: Any) -> Any:
    if inspect.iscoroutine(returned):
        return asyncio.run(_awaited(returned))
    if inspect.isasyncgen(returned):
        return asyncio.run(_last(returned))
    if inspect.isgenerator(returned):
        last = None
        for last in returned:  # noqa: B007  (only the last value is the result)
            pass
        return last
    return returned


async def _awaited(coroutine: Any) -> Any:
    return await coroutine


async def _last(generator: Any) -> Any:
    last = None
    async for last in generator:  # noqa: B007  (only the last value is the result)
        pass
    return last
