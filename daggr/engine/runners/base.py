"""What all runners have in common."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from daggr.digest import Digest
from daggr.engine.gradio_values import is_sound
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.engine.runners.failure import failed as failed
from daggr.engine.workers.handle import Stopped
from daggr.engine.workers.usercode import UserCode
from daggr.errors import NodeFailedError
from daggr.graph.nodes.base import NodeSpec


def _unseen(values: Mapping[str, Any]) -> None:
    """Takes what nobody watches."""


@dataclass(frozen=True)
class Call:
    """One execution.

    Attributes:
        spec: The node.
        inputs: Its values by port; files as paths under `folder`. They are the runner's own to change.
        folder: A private folder to write to, removed when the outputs have been taken.
        log: Takes text for the node's log.
        progress: Takes a fraction from 0 to 1 (or None) and a few words.
        partial: Takes the values by port that a generator has given so far. It may be called in another thread, but
            never twice at the same time, and never after the execution has ended.
        definition: What is executed (`Definition.exact`).
        variant: Which variant it is, if the node is a choice.
        credential: Who calls, for what is remote.
        handed: The paths that it was given, with the digests of their artifacts.
        started_ns: When it began, by `time.time_ns()`.
        allowed: Folders that are open to its hooks, beside the working folder and the temporary ones.
    """

    spec: NodeSpec
    inputs: dict[str, Any]
    folder: Path
    log: Callable[[str], None]
    progress: Callable[[float | None, str], None]
    partial: Callable[[Mapping[str, Any]], None] = _unseen
    definition: bytes = b""
    variant: str = ""
    credential: Credential = NOBODY
    handed: Mapping[str, Digest | bytes] = field(default_factory=dict)
    started_ns: int = 0
    allowed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Returned:
    """What came out.

    Attributes:
        values: By output port.
        texts: Strings that are text, whatever they look like: they never become files.
        notes: Things a person should know, in words.
        soft: What was the case without being part of the keys, such as the commit of a Space.
    """

    values: Mapping[str, Any]
    texts: frozenset[str] = frozenset()
    notes: tuple[str, ...] = field(default=())
    soft: Mapping[str, str] = field(default_factory=dict)


class Runner(Protocol):
    """Runs the nodes of one kind."""

    async def run(self, call: Call) -> Returned:
        """Execute a node.

        Raises:
            NodeFailedError, RemoteError: it failed, for a reason a person can act on.
        """


class LocalRunner(Protocol):
    """Runs the nodes of one kind wholly in the worker that it is called in."""

    def execute(self, call: Call, user: UserCode) -> Returned:
        """Execute a node. What is the user's own runs within `user.code()`.

        Raises:
            NodeFailedError: it failed.
            Stopped: it was stopped.
        """


def to_ports(spec: NodeSpec, returned: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Map what was returned to the output ports: a tuple in order, anything else to the first port.

    Values too many are dropped and ports too many are None; then there is a note with both counts. A pair of a sample
    rate and samples is one value if the only port shows sound.
    """
    ports = list(spec.outputs)
    if _is_one_sound(spec, returned):
        returned = (returned,)
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
    except Stopped:
        raise
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
    """What was returned after the node's postprocess function, if it has one; a tuple as separate arguments.

    A pair of a sample rate and samples is one argument for a function that takes one.
    """
    if spec.postprocess is None:
        return returned
    arguments = returned if isinstance(returned, tuple) else (returned,)
    if _is_one_sound(spec, returned) and not _takes_two(spec.postprocess):
        arguments = (returned,)
    return call_hook(spec, "postprocess", spec.postprocess, *arguments)


def _is_one_sound(spec: NodeSpec, returned: Any) -> bool:
    if not isinstance(returned, tuple) or not is_sound(returned):
        return False
    return [component is not None and component.type for component in spec.outputs.values()] == ["audio"]


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True


def texts_in(value: Any) -> set[str]:
    """All texts within a JSON-like value. A path that daggr hands out is no text: it has a type of its own."""
    found: set[str] = set()
    waiting, seen = [value], {id(value)}
    while waiting:
        item = waiting.pop()
        if type(item) is str:
            found.add(item)
        elif isinstance(item, (dict, list, tuple, set, frozenset)):
            for child in item.values() if isinstance(item, dict) else item:
                if type(child) is str or id(child) not in seen:
                    seen.add(id(child))
                    waiting.append(child)
    return found
