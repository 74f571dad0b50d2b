"""Program: a drawing whose definitions are known. Made once for every load of a script; never changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from daggr.digest import Digest, UnencodableError, digest
from daggr.engine.fingerprint.node import Fingerprint, node_fingerprint, provider_fingerprint
from daggr.graph.component import Component
from daggr.graph.drawing import Drawing, UiInput, input_id
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.choice import ChoiceSpec
from daggr.graph.nodes.interaction import InteractionSpec
from daggr.graph.port import FixedSource, SampledSource
from daggr.store.artifacts import identify

ANSWER = "__answer__"
"""The input of an interaction that only a person can give. As with a sampled value, nobody knows it beforehand."""


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
    exact: Digest
    """What the fingerprint is made of, whether anybody can vouch for it or not."""
    fixed: Mapping[str, Constant]
    sampled: Mapping[str, Digest]
    """The fingerprints of the callables that are sampled, by port."""


@dataclass(frozen=True)
class Program:
    """What can be run.

    Attributes:
        drawing: What the user drew.
        definitions: Every node's definition, by name; of a choice that of the variant which is selected.
        defaults: The digest of every input's default value, by the input's own id.
        epoch: Names this load of the script.
        variants: The definitions of all variants, by choice and variant.
        selected: The variant that is selected, by choice.
    """

    drawing: Drawing
    definitions: Mapping[str, Definition]
    defaults: Mapping[str, bytes]
    epoch: str
    variants: Mapping[str, Mapping[str, Definition]] = field(default_factory=dict)
    selected: Mapping[str, str] = field(default_factory=dict)
    base: Program | None = field(default=None, repr=False)
    """The program with nothing selected; None if it is that itself."""
    _chosen: dict[tuple[str, ...], Program] = field(default_factory=dict, repr=False, compare=False)

    def at(self, inputs: Mapping[str, bytes]) -> Program:
        """The program as it is while these inputs are set: of every choice the selected variant, in its place."""
        base = self.base or self
        if not base.variants:
            return self
        return base.choose({choice: base._selected(choice, inputs) for choice in base.variants})

    def choose(self, selection: Mapping[str, str]) -> Program:
        """The program with some variants selected, by choice; those left out stay as they are."""
        base = self.base or self
        selected = {choice: selection.get(choice, self.selected.get(choice, "")) for choice in base.variants}
        names = tuple(selected.values())
        if names not in base._chosen:
            drawing = base.drawing.choose(selected)
            chosen = {
                choice: replace(base.variants[choice][name], spec=drawing.nodes[choice])
                for choice, name in selected.items()
            }
            definitions = {**base.definitions, **chosen}
            base._chosen[names] = replace(
                base, drawing=drawing, definitions=definitions, selected=selected, base=base, _chosen={}
            )
        return base._chosen[names]

    @cached_property
    def answers(self) -> Mapping[str, str]:
        """The interactions, by the id under which an API call gives the answer."""
        found: dict[str, str] = {}
        for name, definition in self.definitions.items():
            if ANSWER in definition.sampled:
                given = input_id(name, next(iter(definition.spec.outputs), ""))
                while given in self.drawing.inputs or given in found:
                    given += "_answer"
                found[given] = name
        return found

    def _selected(self, choice: str, inputs: Mapping[str, bytes]) -> str:
        """The variant that is selected; the first one if what is selected is not there any more."""
        id_ = self.drawing.choices[choice].id
        given = inputs.get(id_, self.defaults[id_])
        names = list(self.variants[choice])
        return next((name for name in names if identify(name) == given), names[0])

    @property
    def graph(self) -> str:
        """The name that runs and sheets are kept under."""
        return self.drawing.persist_key or ""


def define(drawing: Drawing, stage: Callable[[UiInput], Digest]) -> Program:
    """Fingerprint every node of a drawing. `stage` sees to it that an input's default value is kept, and names it."""
    epoch = uuid.uuid4().hex[:12]
    variants = {
        name: {variant: _define(own, epoch) for variant, own in spec.variants.items()}
        for name, spec in drawing.nodes.items()
        if isinstance(spec, ChoiceSpec)
    }
    plain = {name: _define(spec, epoch) for name, spec in drawing.nodes.items() if name not in variants}
    first = {name: next(iter(own.values())) for name, own in variants.items()}
    defaults = {field_.id: stage(field_) for field_ in drawing.fields}
    return Program(drawing, {**plain, **first}, defaults, epoch, variants).at({})


def _define(spec: NodeSpec, epoch: str) -> Definition:
    constants = {p: _constant(source.value) for p, source in spec.inputs.items() if isinstance(source, FixedSource)}
    samplers = {
        port: provider_fingerprint(source.provider)
        for port, source in spec.inputs.items()
        if isinstance(source, SampledSource)
    }
    own = node_fingerprint(spec)
    exact = own.digest
    reasons = [own.uncached, *(sampler.uncached for sampler in samplers.values())]
    reasons += [f"not cached: input {p} holds a {type(c.value).__name__}" for p, c in constants.items() if c.volatile]
    if uncached := next((reason for reason in reasons if reason), ""):
        salted = digest("daggr/unvouched", own.digest, epoch.encode())
        own = replace(own, digest=salted, uncached=uncached)
    providers = {port: sampler.digest for port, sampler in samplers.items()}
    if isinstance(spec, InteractionSpec):
        providers[ANSWER] = digest("daggr/answer")
    return Definition(spec, own, exact, constants, providers)


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
