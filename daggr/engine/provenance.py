"""Selecting a result: the inputs that made it come back upstream, matching results downstream. Look-ups only. Pure.

Upwards everything is exactly as recorded, even where it no longer stands, or its values are no longer kept. Downwards
only what lies below a change moves, and only to what can be shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from daggr.engine.bindings import Bound, bind, changed_ports, come_through
from daggr.engine.program import Program
from daggr.graph.edge import Edge
from daggr.store.artifacts import identify
from daggr.store.records import Binding, Head, HistoryEntry, Run


@dataclass(frozen=True)
class Past:
    """What is known of a sheet.

    Attributes:
        run: The run of an id, if its record is still there.
        newest: The distinct results of a node, newest first.
        keeps: Whether an input's value can still be referred to.
        usable: Whether everything that a run gave can still be loaded.
    """

    run: Callable[[bytes], Run | None]
    newest: Callable[[str], Iterable[HistoryEntry]]
    keeps: Callable[[bytes], bool]
    usable: Callable[[Run], bool]


@dataclass(frozen=True)
class Restored:
    """A sheet after a selection.

    Attributes:
        inputs: What is set, by input id.
        heads: What is shown, by node.
        missing: What could not be restored as it was recorded, each in a sentence.
        followed: The nodes below that show a result with other bindings than before.
    """

    inputs: Mapping[str, bytes]
    heads: Mapping[str, Head]
    missing: tuple[str, ...] = ()
    followed: frozenset[str] = frozenset()


def select(
    program: Program, node: str, head: Head, inputs: Mapping[str, bytes], heads: Mapping[str, Head], past: Past
) -> Restored:
    """Show a result of a node.

    Upwards, breadth first, inputs and heads are set to what the result was made from; where two paths want different
    things the first one wins. Downwards, where the inputs or the result above changed, a node takes its newest result
    that was made from what is there now.

    Args:
        program: What the sheet is over.
        node: The node.
        head: Its result: a history entry with its newest bindings; or what is shown for it now.
        inputs: What is set, by input id; the others are at their defaults.
        heads: What is shown.
        past: What is known.
    """
    above = _Above(program, inputs, heads, past)
    above.restore(node, head)
    program = program.at(above.inputs)
    below = _Below(program, {**program.defaults, **above.inputs}, dict(above.heads), past)
    below.restore(frozenset(above.chosen), {**program.defaults, **inputs}, heads)
    followed = frozenset(name for name, head in below.heads.items() if head != above.heads.get(name))
    return Restored(above.inputs, below.heads, tuple(above.missing), followed)


class _Above:
    """What a result was made from."""

    def __init__(self, program: Program, inputs: Mapping[str, bytes], heads: Mapping[str, Head], past: Past) -> None:
        self.inputs = dict(inputs)
        self.heads = dict(heads)
        self.chosen: dict[str, Head] = {}
        self.missing: list[str] = []
        self._program = program
        self._shown = heads
        self._past = past
        self._set: set[str] = set()

    def restore(self, node: str, head: Head) -> None:
        """Breadth first."""
        self.chosen[node] = head
        queue = deque([node])
        while queue:
            name = queue.popleft()
            run = self._past.run(self.chosen[name].run)
            if run is None:
                self.missing.append(f"The result of {name!r} is no longer there.")
            else:
                self.heads[name] = self.chosen[name]
                self._restore_variant(name, run)
                if not self._past.usable(run):
                    self.missing.append(f"The result of {name!r} is no longer kept: run it again.")
                for given in run.inputs:
                    self._restore_port(name, given)
            for edge in self._program.drawing.edges_to[name]:
                if edge.source not in self.chosen and (parent := self._parent(name, run, edge)) is not None:
                    self.chosen[edge.source] = parent
                    queue.append(edge.source)

    def _restore_variant(self, name: str, run: Run) -> None:
        """Select the variant of a choice that made a run."""
        field = self._program.drawing.choices.get(name)
        if field is None or field.id in self._set or run.variant not in self._program.variants[name]:
            return
        self._set.add(field.id)
        if self._program.selected[name] != run.variant:
            self.inputs[field.id] = identify(run.variant)
            self._program = self._program.choose({name: run.variant})

    def _restore_port(self, name: str, given: Binding) -> None:
        """Set the input of a port, whatever it was given by then."""
        drawing = self._program.drawing
        field = drawing.input_of.get((name, given.port))
        if field is not None and field.id not in self._set:
            self._set.add(field.id)
            value = given.whole or given.digest
            if not self._past.keeps(value):
                self.missing.append(f"What {name!r} was given as {given.port!r} is no longer kept.")
            elif self.inputs.get(field.id, self._program.defaults[field.id]) != value:
                self.inputs[field.id] = value
        if field is None and given.source in ("ui", "edge") and (name, given.port) not in drawing.edge_into:
            self.missing.append(f"{name!r} is no longer given {given.port!r}.")

    def _parent(self, name: str, run: Run | None, edge: Edge) -> Head | None:
        """The head that fed a node through an edge; None if it is not known any more."""
        head = self.chosen[name]
        given = run.input(edge.target_port) if run is not None else None
        parent = head.parents.get(edge.id) or self._by_another_name(given, edge)
        if parent is None:
            if given is not None:
                self.missing.append(f"{name!r} was not given {edge.target_port!r} by {edge.source!r}.")
            return None
        shown = self._shown.get(edge.source)
        if head is self._shown.get(name) and shown is not None and shown.run == parent:
            return shown  # what is shown is selected: it stays with all that is above it
        source = self._past.run(parent)
        if source is None and (equal := self._equal(name, run, edge.source)) is not None:
            self.missing.append(f"The result of {edge.source!r} is no longer there; an equal one is shown.")
            return Head(equal.run, equal.parents)
        return self._head_of(parent, source, edge.source)

    def _by_another_name(self, given: Binding | None, edge: Edge) -> bytes | None:
        """The run that fed a port, if it is of the definition that feeds the port now: nodes may be renamed."""
        source = self._past.run(given.run) if given is not None and given.run else None
        if source is None or source.fingerprint != self._program.definitions[edge.source].fingerprint.digest:
            return None
        return source.id

    def _head_of(self, run: bytes, source: Run | None, node: str) -> Head:
        """A run as a head: with the newest bindings of its history entry, else with those it was made with."""
        entry = next((entry for entry in self._past.newest(node) if entry.run == run), None)
        if entry is not None:
            return Head(run, entry.parents)
        return Head(run, _recorded_parents(self._program, node, source) if source is not None else {})

    def _equal(self, name: str, run: Run | None, node: str) -> HistoryEntry | None:
        """The newest result of a node that gave the same as one whose record is gone."""
        edges = [edge for edge in self._program.drawing.edges_to[name] if edge.source == node]
        for entry in self._past.newest(node):
            source = self._past.run(entry.run)
            if run is not None and source is not None and all(self._gave(source, edge, run) for edge in edges):
                return entry
        return None

    def _gave(self, source: Run, edge: Edge, run: Run) -> bool:
        """Whether a run was given through an edge what another run gave."""
        given = run.input(edge.target_port)
        return given is not None and given.digest == come_through(
            self._program, edge.target, edge.target_port, source, edge.source_port
        )


class _Below:
    """What follows from what is shown."""

    def __init__(self, program: Program, inputs: Mapping[str, bytes], heads: dict[str, Head], past: Past) -> None:
        self.heads = heads
        self._program = program
        self._inputs = inputs
        self._past = past

    def restore(self, chosen: frozenset[str], inputs: Mapping[str, bytes], heads: Mapping[str, Head]) -> None:
        """In topological order. What is neither above nor below what was `chosen` stays."""
        drawing = self._program.drawing
        moved = {name for name in chosen if not _same_run(heads.get(name), self.heads.get(name))}
        typed = {
            name for field in drawing.fields if inputs[field.id] != self._inputs[field.id] for name, _ in field.targets
        }
        below = set(chosen)
        for name in drawing.nodes:
            if name in chosen or not any(edge.source in below for edge in drawing.edges_to[name]):
                continue
            below.add(name)
            if name in typed or any(edge.source in moved for edge in drawing.edges_to[name]):
                head = self._match(name)
                if head is not None:
                    if not _same_run(self.heads.get(name), head):
                        moved.add(name)
                    self.heads[name] = head

    def _match(self, name: str) -> Head | None:
        """The newest result of a node that was made from what is above it now.

        One that also stands for its inputs and its definition of now is better; then one that was last seen below the
        very same runs, then one that was made from them.
        """
        bound = bind(self._program, name, self._inputs, self._shown)
        if bound.missing:
            return None
        others: list[HistoryEntry] = []
        for entry in self._past.newest(name):
            run = self._past.run(entry.run) if entry.parents == bound.parents else None
            if run is not None and self._stands(name, run, bound) and self._past.usable(run):
                return Head(run.id, bound.parents)  # none is better
            others.append(entry)
        best: tuple[tuple[bool, bool, int], Run] | None = None
        for entry in others:
            run = self._past.run(entry.run)
            if run is None or not _consumed(run, bound):
                continue
            rank = (self._stands(name, run, bound), entry.parents == bound.parents, _same_parents(run, entry, bound))
            if (best is None or rank > best[0]) and self._past.usable(run):
                best = rank, run
        return Head(best[1].id, bound.parents) if best is not None else None

    def _stands(self, name: str, run: Run, bound: Bound) -> bool:
        fingerprint = self._program.definitions[name].fingerprint.digest
        return run.fingerprint == fingerprint and not changed_ports(run, bound.bindings)

    def _shown(self, node: str) -> Run | None:
        return self._past.run(self.heads[node].run) if node in self.heads else None


def _recorded_parents(program: Program, node: str, run: Run) -> dict[str, bytes]:
    """The runs that a run was made from, by edge id."""
    fed = {given.port: given.run for given in run.inputs}
    return {e.id: fed[e.target_port] for e in program.drawing.edges_to[node] if fed.get(e.target_port)}


def _consumed(run: Run, bound: Bound) -> bool:
    """Whether a run was given over all edges what comes through them now."""
    given = {binding.port: binding.digest for binding in run.inputs}
    now = (binding for binding in bound.bindings if binding.source == "edge")
    return all(given.get(binding.port) == binding.digest for binding in now)


def _same_parents(run: Run, entry: HistoryEntry, bound: Bound) -> int:
    """How many of the runs that feed a node now are those that a result was last seen below, or made from."""
    made_from = {given.run for given in run.inputs}
    return sum(parent == entry.parents.get(edge) or parent in made_from for edge, parent in bound.parents.items())


def _same_run(one: Head | None, other: Head | None) -> bool:
    return (one.run if one is not None else None) == (other.run if other is not None else None)
