"""FnNode: a Python function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from daggr.errors import GraphError, UnknownInputError
from daggr.graph.nodes.base import (
    Kind,
    Node,
    NodeSpec,
    read_cache,
    read_hook,
    read_outputs,
    read_ports,
    read_seconds,
    read_source,
    warn_file_types,
)
from daggr.graph.place import caller
from daggr.graph.port import Source, UnboundSource
from daggr.graph.validate import name_set, unknown_names


@dataclass
class FnSpec(NodeSpec):
    """A function and how many of it may run at once."""

    kind: ClassVar[Kind] = "fn"

    fn: Callable[..., Any] = lambda: None
    concurrent: bool = False
    concurrency_group: str | None = None
    max_concurrent: int = 1
    version: str | int | None = None
    depends: tuple[Any, ...] = ()
    isolate: bool = False

    @property
    def group(self) -> tuple[str | None, int]:
        """The concurrency group it is in and the limit it gives that group."""
        return self.concurrency_group, self.max_concurrent

    @property
    def subtitle(self) -> str:
        """The function's name, where the node has another."""
        name = function_name(self.fn)
        return f"{name}()" if name != self.name else ""


class FnNode(Node):
    """Runs a Python function.

    Args:
        fn: The function. Its parameters are the node's input ports.
        name: Shown on the card; the function's name by default.
        inputs: For each parameter a Gradio component, a port of another node, a fixed value, or a callable that is
            sampled at every run. A parameter left out keeps the function's default.
        outputs: Port name to the component or `ItemList` that shows it, or None. A returned tuple maps to the ports in
            order, anything else is the first port's value. One hidden port `output` by default.
        preprocess: Called with the dict of inputs; returns the dict the function gets.
        postprocess: Called with what the function returned (a tuple as separate arguments).
        concurrent: Allow it to run while other functions of the same user run.
        concurrency_group: Nodes of one group share one limit, for all users together. Implies concurrency.
        max_concurrent: The limit of the group.
        cache: False to run anew whenever its result is needed; a timedelta to run anew when the result is older.
        version: Stands for the function's code: results are reused as long as it stays the same, whatever is edited.
        depends: Functions, classes, modules or values that count as part of its code, for what daggr cannot see.
        isolate: Run it in a process of its own, which Stop can end whatever it does.
        timeout: After how many seconds an execution fails; never by default.

    Raises:
        UnknownInputError: an input that the function does not take, with the closest name that it does.
        GraphError: `fn` is not callable.
    """

    def __init__(  # noqa: PLR0913, PLR0917  (the order that scripts rely on)
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        preprocess: Callable[[dict[str, Any]], Any] | None = None,
        postprocess: Callable[..., Any] | None = None,
        concurrent: bool = False,
        concurrency_group: str | None = None,
        max_concurrent: int = 1,
        *,
        cache: bool | timedelta = True,
        version: str | int | None = None,
        depends: Sequence[Any] = (),
        isolate: bool = False,
        timeout: float | None = None,
    ) -> None:
        where = caller()
        if not callable(fn):
            raise GraphError(f"FnNode needs a function; given: {fn!r}.", where=where)
        if type(max_concurrent) is not int or max_concurrent < 1:
            raise GraphError(f"max_concurrent is a whole number from 1 on; given: {max_concurrent!r}.", where=where)
        if version is not None and type(version) not in (str, int):
            raise GraphError(f"version is a text or a whole number; given: {version!r}.", where=where)
        if isinstance(depends, (str, bytes)) or not isinstance(depends, Sequence):
            raise GraphError(f"depends is a list, such as depends=[helper]; given: {depends!r}.", where=where)
        self._spec = FnSpec(
            name=name or function_name(fn),
            inputs=_read_inputs(fn, read_ports("inputs", inputs, where), where),
            outputs=read_outputs(outputs, where),
            preprocess=read_hook("preprocess", preprocess, where),
            postprocess=read_hook("postprocess", postprocess, where),
            where=where,
            default_name=name is None,
            fn=fn,
            concurrent=concurrent or concurrency_group is not None,
            concurrency_group=concurrency_group,
            max_concurrent=max_concurrent,
            cache=read_cache(cache, where),
            version=version,
            depends=tuple(depends),
            isolate=bool(isolate),
            timeout=read_seconds("timeout", timeout, where),
        )
        warn_file_types(self._spec)


def function_name(fn: Callable[..., Any]) -> str:
    """The name a person knows the function by; a partial's is that of its function."""
    inner = getattr(fn, "func", fn)
    return getattr(inner, "__name__", None) or type(inner).__name__


def is_progress(default: object) -> bool:
    """Whether this default of a parameter is Gradio's progress display: it is given, and is no input."""
    return any(cls.__name__ == "Progress" and cls.__module__.startswith("gradio") for cls in type(default).__mro__)


def _read_inputs(fn: Callable[..., Any], given: Mapping[str, Any], where: str | None) -> dict[str, Source]:
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # some builtins have no signature: take the given names as they are
        return {name: read_source(value) for name, value in given.items()}
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and not is_progress(p.default)]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        valid = [p.name for p in named]
        wrong, hint = unknown_names(given, valid)
        if wrong:
            raise UnknownInputError(
                f"Invalid input(s) {name_set(wrong)} for function {function_name(fn)!r}. "
                + (f"{hint} " if hint else "")
                + f"Valid parameters: {name_set(valid)}",
                where=where,
            )
    inputs: dict[str, Source] = {name: read_source(value) for name, value in given.items()}
    for parameter in named:
        if parameter.name not in inputs:
            optional = parameter.default is not parameter.empty
            if not optional or not given:
                inputs[parameter.name] = UnboundSource(optional)
    return inputs
