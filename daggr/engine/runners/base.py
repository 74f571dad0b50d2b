"""What all runners have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from daggr.errors import NodeFailedError
from daggr.filename import readable
from daggr.graph.nodes.base import NodeSpec


@dataclass(frozen=True)
class Call:
    """One execution.

    Attributes:
        spec: The node.
        inputs: Its values by port; files as paths under `folder`. They are the runner's own to change.
        folder: A private folder to write to, removed when the outputs have been taken.
        log: Takes text for the node's log.
        progress: Takes a fraction from 0 to 1 (or None) and a few words.
    """

    spec: NodeSpec
    inputs: dict[str, Any]
    folder: Path
    log: Callable[[str], None]
    progress: Callable[[float | None, str], None]


@dataclass(frozen=True)
class Returned:
    """What came out.

    Attributes:
        values: By output port.
        texts: Strings that are text, whatever they look like: they never become files.
        notes: Things a person should know, in words.
    """

    values: Mapping[str, Any]
    texts: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())


class Runner(Protocol):
    """Runs the nodes of one kind."""

    async def run(self, call: Call) -> Returned:
        """Execute a node.

        Raises:
            NodeFailedError, RemoteError: it failed, for a reason a person can act on.
        """


def to_ports(spec: NodeSpec, returned: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Map what was returned to the output ports: a tuple in order, anything else to the first port."""
    ports = list(spec.outputs)
    values = returned if isinstance(returned, tuple) else (returned,)
    notes: tuple[str, ...] = ()
    if len(values) != len(ports) and (isinstance(returned, tuple) or len(ports) > 1):
        what = "were dropped" if len(values) > len(ports) else "are None"
        notes = (f"returned {len(values)} value(s) for {len(ports)} output port(s); the others {what}",)
    return {port: values[index] if index < len(values) else None for index, port in enumerate(ports)}, notes


def call_hook(spec: NodeSpec, which: str, hook: Callable[..., Any], *arguments: Any) -> Any:
    """Call a pre- or postprocess function; its failure is the node's."""
    try:
        return hook(*arguments)
    except BaseException as error:
        raise failed(spec, error, f"{which} of ") from error


def preprocess(spec: NodeSpec, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs after the node's preprocess function, if it has one."""
    if spec.preprocess is None:
        return inputs
    changed = call_hook(spec, "preprocess", spec.preprocess, inputs)
    if not isinstance(changed, dict):
        raise NodeFailedError(
            f"preprocess of {spec.name!r} returned {type(changed).__name__}; it must return the dict of inputs.",
            "Add `return inputs` at its end.",
            spec.where,
            node=spec.name,
        )
    return changed


def postprocess(spec: NodeSpec, returned: Any) -> Any:
    """What was returned after the node's postprocess function, if it has one; a tuple as separate arguments."""
    if spec.postprocess is None:
        return returned
    arguments = returned if isinstance(returned, tuple) else (returned,)
    return call_hook(spec, "postprocess", spec.postprocess, *arguments)


def failed(spec: NodeSpec, error: BaseException, what: str = "") -> NodeFailedError:
    """The error of a node whose own code raised, with the last line of user code."""
    trace, place = error.__traceback__, None
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if "daggr" not in Path(filename).parts[-3:-1] and not filename.startswith("<frozen"):
            place = f"{Path(filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    hint = f"Raised at {place}." if place else ""
    reason = readable(f"{what}{spec.name!r} failed: {type(error).__name__}: {error}")
    return NodeFailedError(reason, hint, spec.where, node=spec.name)


def texts_in(value: Any) -> set[str]:
    """All strings within a JSON-like value."""
    found: set[str] = set()
    waiting, seen = [value], {id(value)}
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.add(item)
        elif isinstance(item, (dict, list, tuple, set, frozenset)):
            for child in item.values() if isinstance(item, dict) else item:
                if isinstance(child, str) or id(child) not in seen:
                    seen.add(id(child))
                    waiting.append(child)
    return found
