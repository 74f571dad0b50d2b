"""Program: a drawing whose definitions are known. Made once for every load of a script; never changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from daggr.digest import Digest, UnencodableError, digest
from daggr.engine.fingerprint.node import Fingerprint, node_fingerprint, provider_fingerprint
from daggr.graph.component import Component
from daggr.graph.drawing import Drawing, UiInput
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.port import FixedSource, SampledSource
from daggr.store.artifacts import identify


@dataclass(frozen=True)
class Constant:
    """A fixed value and its digest; `volatile` when it has no codec."""

    value: Any
    digest: Digest
    volatile: bool


@dataclass(frozen=True)
class Definition:
    """A node with everything about it that does not depend on a sheet.

    The fingerprint of a node that is not cached is good for one load of the script only: two loads never share a result
    of code or values that nobody can vouch for.
    """

    spec: NodeSpec
    fingerprint: Fingerprint
    fixed: Mapping[str, Constant]
    sampled: Mapping[str, Digest]
    """The fingerprints of the callables that are sampled, by port."""


@dataclass(frozen=True)
class Program:
    """What can be run.

    Attributes:
        drawing: What the user drew.
        definitions: Every node's definition, by name.
        defaults: The digest of every input's default value, by the input's own id.
        epoch: Names this load of the script.
    """

    drawing: Drawing
    definitions: Mapping[str, Definition]
    defaults: Mapping[str, bytes]
    epoch: str

    @property
    def graph(self) -> str:
        """The name that runs and sheets are kept under."""
        return self.drawing.persist_key or ""


def define(drawing: Drawing, stage: Callable[[UiInput], Digest]) -> Program:
    """Fingerprint every node of a drawing. `stage` sees to it that an input's default value is kept, and names it."""
    epoch = uuid.uuid4().hex[:12]
    definitions = {name: _define(spec, epoch) for name, spec in drawing.nodes.items()}
    return Program(drawing, definitions, {field.id: stage(field) for field in drawing.fields}, epoch)


def _define(spec: NodeSpec, epoch: str) -> Definition:
    constants = {p: _constant(source.value) for p, source in spec.inputs.items() if isinstance(source, FixedSource)}
    samplers = {
        port: provider_fingerprint(source.provider)
        for port, source in spec.inputs.items()
        if isinstance(source, SampledSource)
    }
    own = node_fingerprint(spec)
    reasons = [own.uncached, *(sampler.uncached for sampler in samplers.values())]
    reasons += [f"not cached: input {p} holds a {type(c.value).__name__}" for p, c in constants.items() if c.volatile]
    if uncached := next((reason for reason in reasons if reason), ""):
        salted = digest("daggr/unvouched", own.digest, epoch.encode())
        own = replace(own, digest=salted, uncached=uncached)
    return Definition(spec, own, constants, {port: sampler.digest for port, sampler in samplers.items()})


def _constant(value: Any) -> Constant:
    try:
        return Constant(value, identify(value), volatile=False)
    except UnencodableError:
        return Constant(value, digest("volatile", uuid.uuid4().bytes), volatile=True)


def default_value(field: UiInput) -> Any:
    """What an input holds before anybody sets it; the path of a file component's default file."""
    component: Component = field.component
    value = component.value() if callable(component.value) else component.value
    if component.is_file:
        path = value.get("path") if isinstance(value, dict) else value
        return path if isinstance(path, str) else None
    try:
        identify(value)
    except UnencodableError:
        return None
    return component.normalise(value)
