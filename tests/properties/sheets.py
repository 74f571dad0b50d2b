"""Any sheet: graphs of every kind, a desk that works on one in a real store, and the rules of a sheet, written naively.

The model knows nothing of the engine's code. It is slow, and each rule in it is one sentence of the promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hypothesis import strategies as st

from daggr.engine.program import Program, define
from daggr.engine.sheet import Sheets
from daggr.graph.edge import Edge
from daggr.graph.graph import Graph, drawing_of
from daggr.graph.nodes.fn import FnNode
from daggr.store import runs
from daggr.store.artifacts import Staged
from daggr.store.records import Binding, Run
from daggr.store.store import Store
from daggr.store.tables import Txn
from tests.handmade import Field, run, step

Kind = Literal["plain", "ignores", "coarse", "random"]
"""What a node gives: something else for every input; the same for all; the same for some; anything."""

Touched = Iterable[str]
FIELDS = 3


@dataclass(frozen=True)
class Part:
    """A node: what it is fed by (a node's number and its port), which inputs it takes, and what it is like."""

    fed_by: tuple[tuple[int, str], ...]
    fields: tuple[int, ...]
    sampled: bool
    kind: Kind


@st.composite
def nets(draw: st.DrawFn, most: int = 6) -> tuple[Part, ...]:
    """Graphs with diamonds, two edges between two nodes, and inputs that feed several nodes."""
    parts = []
    for number in range(draw(st.integers(1, most))):
        above = st.tuples(st.integers(max(0, number - 3), number - 1), st.sampled_from("yz"))
        fed_by = tuple(draw(st.lists(above, min_size=draw(st.sampled_from((0, 1, 1))), max_size=3))) if number else ()
        fields = tuple(sorted(draw(st.sets(st.integers(0, FIELDS - 1), max_size=2))))
        kind: Kind = draw(st.sampled_from(("plain", "plain", "ignores", "coarse", "random")))
        parts.append(Part(fed_by, fields, draw(st.integers(0, 5)) == 0, kind))
    return tuple(parts)


def roll() -> int:
    """What sampled ports are fed by."""
    return 4


def build(parts: tuple[Part, ...], versions: Mapping[str, int], names: Mapping[str, str] | None = None) -> Graph:
    """The graph of some parts; a node has another definition for each version. `names` renames nodes."""
    fields = [Field(f"default {number}") for number in range(FIELDS)]
    nodes: list[FnNode] = []
    for number, part in enumerate(parts):
        inputs: dict[str, Any] = {
            f"in{place}": getattr(nodes[up], port) for place, (up, port) in enumerate(part.fed_by)
        }
        inputs |= {f"text{at}": fields[at] for at in part.fields}
        inputs |= {"seed": roll} if part.sampled else {}
        name = f"n{number}"
        work = step(number * 100 + versions.get(name, 0))
        name = (names or {}).get(name, name)
        nodes.append(FnNode(work, name=name, inputs=inputs, outputs={"y": None, "z": None}))
    return Graph("Any", nodes=nodes)


# ---------------------------------------------------------------- the rules


@dataclass(frozen=True)
class Shown:
    """The run that a node shows, and the runs that fed it there, by edge id."""

    run: bytes
    parents: Mapping[str, bytes]


@dataclass(frozen=True)
class State:
    """What undo and redo bring back."""

    inputs: Mapping[str, bytes]
    heads: Mapping[str, Shown]
    before: State | None = None


@dataclass
class Entry:
    """A distinct result, as it was seen last."""

    key: object
    outputs: object
    shown: Shown


@dataclass
class Model:
    """A sheet by the rules."""

    program: Program
    state: State
    runs: dict[bytes, Run] = field(default_factory=dict)
    history: dict[str, list[Entry]] = field(default_factory=dict)
    undone: list[State] = field(default_factory=list)

    # ------------------------------------------------------------ reading

    @property
    def nodes(self) -> list[str]:
        """In topological order."""
        return list(self.program.drawing.nodes)

    def edges_to(self, node: str) -> list[Edge]:
        return [edge for edge in self.program.drawing.edges if edge.target == node]

    def fields_of(self, node: str) -> dict[str, str]:
        """The input that feeds each port of a node that an input feeds."""
        return {port: one.id for one in self.program.drawing.fields for name, port in one.targets if name == node}

    def input(self, name: str) -> bytes:
        return self.state.inputs.get(name, self.program.defaults[name])

    def run_of(self, node: str) -> Run | None:
        return self.runs[self.state.heads[node].run] if node in self.state.heads else None

    def upstream(self, edge: Edge) -> bytes | None:
        above = self.run_of(edge.source)
        return above.output(edge.source_port) if above is not None else None

    def bindings(self, node: str, seed: bytes) -> list[Binding] | None:
        """What a node would be given now; None if something above it never ran."""
        made = []
        for edge in self.edges_to(node):
            digest = self.upstream(edge)
            if digest is None:
                return None
            made.append(Binding(edge.target_port, digest, "edge", self.state.heads[edge.source].run, edge.source_port))
        made += [Binding(port, self.input(name), "ui") for port, name in self.fields_of(node).items()]
        providers = self.program.definitions[node].sampled
        return made + [Binding(port, seed, "sampled", provider=provider) for port, provider in providers.items()]

    def parents(self, node: str) -> dict[str, bytes]:
        return {edge.id: self.state.heads[edge.source].run for edge in self.edges_to(node)}

    def stands(self, run: Run, node: str) -> bool:
        """Whether a run is of the definition and the inputs that a node has now, whatever was sampled."""
        now = self.bindings(node, b"")
        fingerprint = self.program.definitions[node].fingerprint.digest
        return now is not None and (run.fingerprint, _asked(run.inputs)) == (fingerprint, _asked(now))

    def place(self, node: str) -> tuple[int, int]:
        """`2/3`."""
        shown, entries = self.run_of(node), self.history.get(node, [])
        if shown is None:
            return 0, len(entries)
        at = [n for n, e in enumerate(entries, 1) if (e.key, e.outputs) == (_key(shown), shown.outputs)]
        return (at[0] if at else 0), len(entries)

    # ------------------------------------------------------------ freshness

    def orange(self) -> dict[str, bool]:
        """An edge: its target's head has the current fingerprint and used exactly this upstream value."""
        found = {}
        for node in self.nodes:
            wires = {edge.target_port: (edge.id, self.upstream(edge)) for edge in self.edges_to(node)}
            for port, name in self.fields_of(node).items():
                wires[port] = (f"input:{name}->{node}.{port}", self.input(name))
            head = self.run_of(node)
            for port, (edge_id, digest) in wires.items():
                current = head is not None and head.fingerprint == self.program.definitions[node].fingerprint.digest
                used = [given.digest for given in head.inputs if given.port == port] if head is not None else []
                found[edge_id] = current and digest is not None and used == [digest]
        return found

    def fresh(self, node: str) -> bool:
        """A node: its head's L is its current L, and all its ancestors are fresh."""
        head = self.run_of(node)
        own = head is not None and self.stands(head, node)
        return own and all(self.fresh(edge.source) for edge in self.edges_to(node))

    # ------------------------------------------------------------ changes

    def change(self, state: State) -> None:
        """What a user does is a step that undo goes back over; what leaves all as it was is none."""
        if (state.inputs, state.heads) != (self.state.inputs, self.state.heads):
            self.state, self.undone = replace(state, before=self.state), []

    def set_inputs(self, given: Mapping[str, bytes]) -> None:
        changed = {name: digest for name, digest in given.items() if self.state.inputs.get(name) != digest}
        if changed:
            self.change(replace(self.state, inputs={**self.state.inputs, **changed}))
            self.settle({node for node in self.nodes if set(self.fields_of(node).values()) & set(changed)})

    def show(self, node: str, shown: Shown) -> None:
        """A result appears; an equal one joins the entry of the history that is there."""
        self.state = replace(self.state, heads={**self.state.heads, node: shown})
        run = self.runs[shown.run]
        new = Entry(_key(run), run.outputs, shown)
        entries = self.history.setdefault(node, [])
        same = [n for n, entry in enumerate(entries) if (entry.key, entry.outputs) == (new.key, new.outputs)]
        if same:
            entries[same[0]] = new
        else:
            entries.append(new)

    def adopt(self, run: Run, parents: Mapping[str, bytes]) -> None:
        self.runs[run.id] = run
        before = self.run_of(run.node)
        self.show(run.node, Shown(run.id, parents))
        below = {edge.target for edge in self.program.drawing.edges if edge.source == run.node}
        self.settle({run.node} | below, {run.node: before})

    def settle(self, touched: Touched | None = None, before: Mapping[str, Run | None] | None = None) -> None:
        """Known results appear where something was touched, and below what changes; first what was shown before."""
        looked_at = set(self.nodes if touched is None else touched)
        for node in self.nodes:
            if node not in looked_at or self.bindings(node, b"") is None:
                continue
            head = self.run_of(node)
            if head is None or not self.stands(head, node):
                own = [(before or {}).get(node)]
                own += [self.runs[entry.shown.run] for entry in reversed(self.history.get(node, []))]
                own += reversed(self.runs.values())
                known = [one for one in own if one is not None and self.stands(one, node)]
                if not known:
                    continue
                head = known[0]
                looked_at |= {edge.target for edge in self.program.drawing.edges if edge.source == node}
            if self.state.heads.get(node) != (shown := Shown(head.id, self.parents(node))):
                self.show(node, shown)

    def undo(self) -> None:
        if self.state.before is not None:
            self.undone.append(self.state)
            self.state = self.state.before

    def redo(self) -> None:
        if self.undone:
            self.state = self.undone.pop()

    # ------------------------------------------------------------ selection

    def select(self, node: str, index: int) -> None:
        before, after = self.state, Model(self.program, self.state, self.runs, self.history)
        chosen = after._select_above(node, index)
        after._select_below(chosen, before)
        self.change(after.state)

    def _select_above(self, node: str, index: int) -> list[str]:
        """Inputs and heads as recorded, breadth first; the first path wins. What is shown stays as it is shown."""
        shown, inputs = self.state.heads, dict(self.state.inputs)
        is_shown = node in shown and self.place(node)[0] == index
        heads = {node: shown[node] if is_shown else self.history[node][index - 1].shown}
        as_shown, typed, order = {node} if is_shown else set(), set(), [node]
        for name in order:
            for given in self.runs[heads[name].run].inputs:
                ui = self.fields_of(name).get(given.port)
                if ui is not None and ui not in typed:
                    typed.add(ui)
                    if inputs.get(ui, self.program.defaults[ui]) != given.digest:
                        inputs[ui] = given.digest
            for edge in self.edges_to(name):
                if edge.source in heads:
                    continue
                order.append(edge.source)
                parent = heads[name].parents[edge.id]
                if name in as_shown and edge.source in shown and shown[edge.source].run == parent:
                    heads[edge.source] = shown[edge.source]
                    as_shown.add(edge.source)
                else:
                    heads[edge.source] = Shown(parent, self._newest_bindings(edge.source, parent))
        self.state = replace(self.state, inputs=inputs, heads={**shown, **heads})
        return order

    def _newest_bindings(self, node: str, run: bytes) -> Mapping[str, bytes]:
        for entry in self.history[node]:
            if entry.shown.run == run:
                return entry.shown.parents
        fed = {given.port: given.run for given in self.runs[run].inputs}
        return {edge.id: fed[edge.target_port] for edge in self.edges_to(node)}

    def _select_below(self, chosen: list[str], before: State) -> None:
        """Below what changed, the newest result that was made from all that is above now; else it keeps its own."""
        reached = set(chosen)
        for node in self.nodes:
            edges = self.edges_to(node)
            if node in chosen or not any(edge.source in reached for edge in edges):
                continue
            reached.add(node)
            moved = [e for e in edges if self.state.heads.get(e.source) != before.heads.get(e.source)]
            moved = [e for e in moved if self.state.heads[e.source].run != _run_of(before, e.source)]
            typed = [
                one
                for one in self.fields_of(node).values()
                if before.inputs.get(one, self.program.defaults[one]) != self.input(one)
            ]
            fitting = [
                (self._rank(entry, node, edges), at, entry)
                for at, entry in enumerate(self.history.get(node, []))
                if all(_consumed(self.runs[entry.shown.run], edge) == self.upstream(edge) is not None for edge in edges)
            ]
            if (moved or typed) and fitting:
                best = max(fitting, key=lambda one: one[:2])[2]
                shown = Shown(best.shown.run, self.parents(node))
                if self.state.heads.get(node) != shown:
                    self.show(node, shown)

    def _rank(self, entry: Entry, node: str, edges: list[Edge]) -> tuple[bool, bool, int]:
        """Better: what stands now; what was last seen below the very same runs; what was ever made from them."""
        run, parents = self.runs[entry.shown.run], self.parents(node)
        made_from = {given.run for given in run.inputs}
        same = [e for e in edges if entry.shown.parents.get(e.id) == parents[e.id] or parents[e.id] in made_from]
        return self.stands(run, node), dict(entry.shown.parents) == parents, len(same)


def _run_of(state: State, node: str) -> bytes | None:
    return state.heads[node].run if node in state.heads else None


def _consumed(run: Run, edge: Edge) -> bytes | None:
    return {given.port: given.digest for given in run.inputs}.get(edge.target_port)


def _asked(inputs: Iterable[Binding]) -> dict[str, tuple[bool, bytes]]:
    """What an L stands for, its fingerprint aside."""
    return {one.port: (True, one.provider) if one.source == "sampled" else (False, one.digest) for one in inputs}


def _key(run: Run) -> object:
    """What a K stands for."""
    return run.fingerprint, sorted((given.port, given.digest) for given in run.inputs)


# ---------------------------------------------------------------- a desk


class Desk:
    """A sheet in a real store. Its runs are written by hand: what they are given, the model says."""

    def __init__(self, store: Store, parts: tuple[Part, ...]) -> None:
        self.store = store
        self.parts = parts
        self.versions: dict[str, int] = {}
        self.load()
        self.sheet = self.sheets.all()[0].id
        self.model = Model(self.program, State({}, {}))

    def load(self, names: Mapping[str, str] | None = None) -> None:
        """Load the script again, as it is now."""
        staged: list[Staged] = []

        def stage(value: object) -> Any:
            staged.append(self.store.artifacts.stage(value))
            return staged[-1].digest

        self.program = define(
            drawing_of(build(self.parts, self.versions, names)), lambda field: stage(field.component.value)
        )
        self.store.put(staged)
        self.sheets = Sheets(self.store, self.program, "local")

    def keep(self, value: object) -> bytes:
        """Keep a value, such as one that a user types."""
        staged = self.store.artifacts.stage(value)
        self.store.put([staged])
        return staged.digest

    def edit(self, node: str) -> None:
        """Change a node's definition and load the script again; known results do not appear yet."""
        self.versions[node] = (self.versions.get(node, 0) + 1) % 2
        self.load()
        self.model.program = self.program

    def begin(self, node: str, seed: int) -> Callable[[int], Run] | None:
        """Begin a run on what is shown now; what it returns ends it. None if something above never ran."""
        bindings, parents = self.model.bindings(node, self.keep(seed)), None
        if bindings is None:
            return None
        program, parents = self.program, self.model.parents(node)

        def end(given: int) -> Run:
            values = self.outputs(node, bindings, given)
            staged = {port: self.store.artifacts.stage(value) for port, value in values.items()}
            made = run(program, node, bindings, {port: one.digest for port, one in staged.items()})

            def record(txn: Txn) -> None:
                runs.put(txn, made, {})
                self.sheets.adopt(txn, self.sheet, node, made, parents)

            self.store.write(record, staged.values())
            self.model.adopt(made, parents)
            return made

        return end

    def outputs(self, node: str, bindings: list[Binding], given: int) -> dict[str, object]:
        """What a node gives: `given`, if it is of the kind that gives anything."""
        kind = self.parts[int(node[1:])].kind
        seen: list[object] = [one.digest for one in sorted(bindings, key=lambda one: one.port)]
        if kind == "ignores":
            seen = []
        elif kind == "coarse":
            seen = [sum(one.digest[0] for one in bindings) % 2]
        elif kind == "random":
            seen = [given]
        return {"y": [node, *seen], "z": [node, len(seen)]}
