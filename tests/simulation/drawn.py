"""Small programs, made by chance: chains, diamonds, scatters and gathers, of functions that are well-behaved or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from daggr.digest import digest
from daggr.engine.fingerprint.node import Fingerprint
from daggr.engine.program import Constant, Definition, Program
from daggr.graph.component import Component
from daggr.graph.draft import Connection, draw
from daggr.graph.edge import WHOLE, Edge, Take
from daggr.graph.nodes.fn import FnSpec
from daggr.graph.port import FixedSource, SampledSource, Source, UiSource, UnboundSource
from daggr.store.artifacts import identify

EACH, GATHER, LENIENT = Take("each"), Take("all"), Take("all", on_item_error="skip")
DEFAULT = 0


@dataclass
class SimSpec(FnSpec):
    """A function of the simulation.

    Attributes:
        length: It gives a list of so many items; 0 for one value.
        seconds: How long it takes.
        badly: How often it does not end well.
    """

    length: int = 0
    seconds: float = 0.0
    badly: float = 0.0


@dataclass
class Maker:
    """Makes one program.

    Attributes:
        random: By which chance.
        groups: The limits of the groups, which all programs agree on.
        badly: How often functions do not end well.
    """

    random: Random
    name: str
    groups: Mapping[str, int]
    badly: float
    size: int
    specs: dict[str, SimSpec] = field(default_factory=dict)
    scattered: dict[str, str] = field(default_factory=dict)
    """Of each scattered node the list that it came from."""
    edges: list[Edge] = field(default_factory=list)

    def program(self) -> Program:
        for number in range(self.size):
            self._add(number)
        drawing = draw(self.name, self.name, self.specs.values(), [Connection(edge, "") for edge in self.edges])
        defaults = {one.id: identify(DEFAULT) for one in drawing.fields}
        return Program(
            drawing, {name: _define(spec, self.name) for name, spec in self.specs.items()}, defaults, "epoch"
        )

    def _add(self, number: int) -> None:
        random, name = self.random, f"n{number}"
        kind = random.choice(["plain", "plain", "each", "on", "gather", "list"])
        lists = [one for one, spec in self.specs.items() if spec.length and one not in self.scattered]
        edges: list[tuple[str, Take]] = []
        if kind in ("each", "on", "gather") and not lists:
            kind = "list"
        if kind in ("on", "gather") and not self.scattered:
            kind = "each"
        if kind == "each":
            edges.append((random.choice(lists), EACH))
            self.scattered[name] = edges[0][0]
        elif kind == "on":
            before = random.choice(list(self.scattered))
            self.scattered[name] = self.scattered[before]
            same = [one for one, source in self.scattered.items() if source == self.scattered[before] and one != name]
            edges += [(one, WHOLE) for one in {before: 0, random.choice(same): 0}]
        elif kind == "gather":
            edges.append((random.choice(list(self.scattered)), random.choice([GATHER, LENIENT])))
        plain = [one for one in self.specs if one not in self.scattered]
        for one in random.sample(plain, min(len(plain), random.choice([0, 1, 1, 2]))):
            if all(one != source for source, _ in edges):
                edges.append((one, WHOLE))
        inputs: dict[str, Source] = {f"p{port}": UnboundSource(False) for port in range(len(edges))}
        if not inputs or random.random() < 0.2:
            inputs["ui"] = UiSource(Component("number", {}, DEFAULT, None, True, object()))
        if random.random() < 0.1:
            inputs["fixed"] = FixedSource(number)
        if random.random() < 0.06:
            inputs["drawn"] = SampledSource(random.random)
        self.edges += [Edge(one, "out", name, f"p{port}", take) for port, (one, take) in enumerate(edges)]
        self.specs[name] = self._spec(name, kind, inputs)

    def _spec(self, name: str, kind: str, inputs: dict[str, Source]) -> SimSpec:
        random = self.random
        group = random.choice(list(self.groups)) if random.random() < 0.25 else None
        return SimSpec(
            name=name,
            inputs=inputs,
            outputs={"out": None},
            concurrent=group is not None or random.random() < 0.3,
            concurrency_group=group,
            max_concurrent=self.groups.get(group or "", 1),
            cache=random.random() > 0.08,
            isolate=random.random() < 0.25,
            timeout=3.0 if random.random() < 0.05 else None,
            length=random.choice([0, 1, 2, 5, 8, random.randint(5, 40)]) if kind == "list" else 0,
            seconds=random.choice([0.0, 0.01, 0.5, 1.0, 2.0]) / (4.0 if kind in ("each", "on") else 1.0),
            badly=self.badly,
        )


def _define(spec: SimSpec, program: str) -> Definition:
    own = digest("simulated", program.encode(), spec.name.encode())
    fixed = {
        port: Constant(source.value, identify(source.value), False)
        for port, source in spec.inputs.items()
        if isinstance(source, FixedSource)
    }
    sampled = {
        port: digest("provider", port.encode())
        for port, source in spec.inputs.items()
        if isinstance(source, SampledSource)
    }
    return Definition(spec, Fingerprint(own, {}, "", {}, {}, {}), own, fixed, sampled)


def result_of(spec: SimSpec, definition: bytes, inputs: Mapping[str, Any]) -> Any:
    """What a function gives, by what it is given."""
    told = repr(sorted(inputs.items())).encode()
    value = int.from_bytes(digest("result", definition, told)[:4], "big")
    return [value + number for number in range(spec.length)] if spec.length else value
