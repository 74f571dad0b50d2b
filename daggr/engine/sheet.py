"""A sheet of a program: its state, and the changes people make to it. All look-ups; nothing is executed here."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

import msgspec

from daggr.engine.explain import Explanation
from daggr.engine.freshness import Freshness, NodeFreshness, freshness, settle
from daggr.engine.lookup import Lookup
from daggr.engine.program import Program
from daggr.engine.provenance import Past, Restored, select
from daggr.engine.why import Shown, Why, changed_definition
from daggr.errors import ConfigError, GraphError, UnknownInputError, UnknownPortError, did_you_mean
from daggr.graph.nodes.base import Repo
from daggr.store import runs, sheets
from daggr.store.records import Head, HistoryEntry, Output, Run, Sheet, Snapshot, new_id
from daggr.store.store import Store
from daggr.store.tables import Txn


@dataclass(frozen=True)
class NodeResult:
    """The result that a sheet shows for a node, and its place in the node's history (from 1; 0 when not in it)."""

    run: Run
    index: int
    total: int


@dataclass(frozen=True)
class SheetState:
    """Everything a sheet says at one moment.

    Attributes:
        sheet: Its record.
        inputs: A digest for every input of the program, by the input's own id.
        results: What is shown for each node that was run.
        heads: The runs among them whose values can still be loaded.
        freshness: Which of them still stand.
    """

    sheet: Sheet
    inputs: Mapping[str, bytes]
    results: Mapping[str, NodeResult]
    heads: Mapping[str, Run]
    freshness: Freshness


class Sheets:
    """The sheets over a program, for one user."""

    def __init__(self, store: Store, program: Program, owner: str, observed: Mapping[Repo, str] | None = None) -> None:
        self._store = store
        self._observed = observed
        self._program = program
        self.owner = owner

    def all(self) -> list[Sheet]:
        """The user's sheets, oldest first; the first one is made when there is none."""
        with self._store.read() as txn:
            found = sheets.of_owner(txn, self.owner, self._program.graph)
        if found:
            return found

        def first(txn: Txn) -> list[Sheet]:
            known = sheets.of_owner(txn, self.owner, self._program.graph)
            return known or [sheets.create(txn, self.owner, self._program.graph)]

        return self._store.write(first)

    def has(self, sheet: bytes) -> bool:
        """Whether the user has this sheet."""
        with self._store.read() as txn:
            found = sheets.get(txn, sheet)
        return found is not None and found.owner == self.owner and found.graph == self._program.graph

    def state(self, sheet: bytes) -> SheetState:
        """What the sheet says now, seen in one transaction."""
        with self._store.read() as txn:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            inputs = self._inputs(snapshot.inputs)
            shown = self._shown(txn, snapshot)
            places = sheets.places(txn, sheet, shown)
            lookup = Lookup(txn, self._store, self._program, self.owner)
            heads = {name: run for name, run in shown.items() if lookup.usable(run)}
            judged = self._judged(txn, inputs, shown)
        gone = {name: NodeFreshness(False, "its value is no longer kept") for name in shown if name not in heads}
        results = {name: NodeResult(run, *places[name]) for name, run in shown.items()}
        return SheetState(record, inputs, results, heads, replace(judged, nodes={**judged.nodes, **gone}))

    def why(self, sheet: bytes, node: str, *, forced: bool = False) -> Explanation:
        """Why a node would run or is stale; `forced` if it is to run in any case.

        Raises:
            GraphError: there is no such sheet or node.
        """
        with self._store.read() as txn:
            snapshot = sheets.snapshot(txn, self._get(txn, sheet))
            inputs, shown = self._inputs(snapshot.inputs), self._shown(txn, snapshot)
            seen = Shown(sheet, inputs, shown, self._judged(txn, inputs, shown))
            why = Why(txn, self._store, self._program.at(inputs), self.owner, self._observed)
            return why.of_sheet(node, seen, forced=forced)

    def history(self, sheet: bytes, node: str) -> list[tuple[HistoryEntry, Run]]:
        """The distinct results of a node, oldest first."""
        with self._store.read() as txn:
            self._get(txn, sheet)
            entries = sheets.history(txn, sheet, node)
            return [(entry, run) for entry in entries if (run := runs.get(txn, entry.run)) is not None]

    # ------------------------------------------------------------ changes

    def set_inputs(self, sheet: bytes, digests: Mapping[str, bytes]) -> Sheet:
        """Set inputs by their own ids; known results for them appear at once."""

        def change(txn: Txn) -> Sheet:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            changed = {name: digest for name, digest in digests.items() if snapshot.inputs.get(name) != digest}
            if not changed:
                return record
            if any(not self._store.artifacts.is_kept(txn, digest) for digest in changed.values()):
                raise UnknownInputError("A value that was given is no longer kept.", "Give it again.")
            inputs = {**snapshot.inputs, **changed}
            fields = [field for field in self._program.at(inputs).drawing.fields if field.id in changed]
            touched = {node for field in fields for node, _ in field.targets}
            touched |= {choice for choice, field in self._program.drawing.choices.items() if field.id in changed}
            heads = self._settled(txn, sheet, inputs, snapshot.heads, touched)
            return sheets.change(txn, record, inputs=inputs, heads=heads)

        return self._store.write(change)

    def settle(self, sheet: bytes) -> Sheet:
        """Let known results appear, as after a new load of the script."""

        def appear(txn: Txn) -> Sheet:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            heads = self._settled(txn, sheet, snapshot.inputs, snapshot.heads)
            if heads == snapshot.heads:
                return record
            return sheets.change(txn, record, inputs=snapshot.inputs, heads=heads, amend=True)

        return self._store.write(appear)

    def select(self, sheet: bytes, node: str, index: int) -> Restored:
        """Show entry `index` (from 1) of a node's history, with the inputs that made it. What is shown already stays.

        Raises:
            ConfigError: there is no such entry.
        """

        def show(txn: Txn) -> Restored:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            past = self._past(txn, sheet)
            entries = sheets.history(txn, sheet, node)
            if not 1 <= index <= len(entries):
                raise ConfigError(f"{node!r} has {len(entries)} result(s); there is no number {index}.")
            head = snapshot.heads.get(node)
            shown = past.run(head.run) if head is not None else None
            if head is None or shown is None or sheets.position(entries, shown) != index:
                head = Head(entries[index - 1].run, entries[index - 1].parents)
            restored = select(self._at(snapshot), node, head, snapshot.inputs, snapshot.heads, past)
            if restored.inputs != snapshot.inputs or restored.heads != snapshot.heads:
                for name, moved in restored.heads.items():
                    if name in restored.followed and (run := past.run(moved.run)) is not None:
                        sheets.remember(txn, sheet, name, run, moved.parents)
                sheets.change(txn, record, inputs=restored.inputs, heads=restored.heads)
            return restored

        return self._store.write(show)

    def edit(self, sheet: bytes, node: str, outputs: Mapping[str, bytes]) -> Run:
        """Put other values in place of what a result gave, by port. What the user says is a result of its own.

        It stands for what the result stood for, is seen in this sheet only, and names the result that was edited.

        Raises:
            GraphError: there is no such sheet, or nothing to edit.
            UnknownPortError: the node has no such output.
            UnknownInputError: a value is not kept.
        """

        def change(txn: Txn) -> Run:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            head = snapshot.heads.get(node)
            shown = runs.get(txn, head.run) if head is not None else None
            if head is None or shown is None:
                raise GraphError(f"{node!r} has no result to edit.", "Run it first.")
            valid = [output.port for output in shown.outputs]
            for port, digest in outputs.items():
                if port not in valid:
                    hint = did_you_mean(port, valid)
                    raise UnknownPortError(f"{node!r} gave no {port!r}. It gave: {', '.join(valid)}. {hint}".rstrip())
                if not self._store.artifacts.is_kept(txn, digest):
                    raise UnknownInputError("A value that was given is no longer kept.", "Give it again.")
            edited = _edited(shown, outputs)
            runs.put(txn, edited, {})
            sheets.remember(txn, sheet, node, edited, head.parents)
            heads = {**snapshot.heads, node: Head(edited.id, head.parents)}
            below = {edge.target for edge in self._at(snapshot).drawing.edges_from[node]}
            heads = self._settled(txn, sheet, snapshot.inputs, heads, below)
            sheets.change(txn, record, inputs=snapshot.inputs, heads=heads)
            return edited

        return self._store.write(change)

    def undo(self, sheet: bytes) -> Sheet | None:
        """Go back to before the user's last change; None if there is nothing to undo."""
        return self._store.write(lambda txn: sheets.undo(txn, self._get(txn, sheet)))

    def redo(self, sheet: bytes) -> Sheet | None:
        """Take the last undo back; None if there is none, or something was changed since."""
        return self._store.write(lambda txn: sheets.redo(txn, self._get(txn, sheet)))

    def adopt(self, txn: Txn, sheet: bytes, node: str, run: Run, parents: Mapping[str, bytes]) -> None:
        """Show a run for a node, within a write transaction; what is known downstream appears, too.

        Each finished run calls it, so only what the run changes is looked at.
        """
        if sheets.get(txn, sheet) is None:  # it was removed while the node ran; the run is kept all the same
            return
        record = self._get(txn, sheet)
        snapshot = sheets.snapshot(txn, record)
        heads = {**snapshot.heads, node: Head(run.id, dict(parents))}
        sheets.remember(txn, sheet, node, run, parents)
        touched = {node, *(edge.target for edge in self._at(snapshot).drawing.edges_from[node])}
        heads = self._settled(txn, sheet, snapshot.inputs, heads, touched)
        sheets.change(txn, record, inputs=snapshot.inputs, heads=heads, amend=True)

    # ------------------------------------------------------------ parts

    def _get(self, txn: Txn, sheet: bytes) -> Sheet:
        record = sheets.get(txn, sheet)
        if record is None or record.owner != self.owner or record.graph != self._program.graph:
            raise GraphError(f"There is no sheet {sheet.hex()}.")
        return record

    def _shown(self, txn: Txn, snapshot: Snapshot) -> dict[str, Run]:
        return {
            name: run
            for name in self._program.drawing.nodes
            if name in snapshot.heads and (run := runs.get(txn, snapshot.heads[name].run)) is not None
        }

    def _judged(self, txn: Txn, inputs: Mapping[str, bytes], shown: Mapping[str, Run]) -> Freshness:
        """What still stands; where a definition is another one by now, what has changed in it."""
        program = self._program.at(inputs)
        judged = freshness(program, inputs, shown, time.time())
        prints = {name: program.definitions[name].fingerprint for name in shown}
        changed = {
            name: NodeFreshness(False, changed_definition(txn, run.fingerprint, prints[name]))
            for name, run in shown.items()
            if run.fingerprint != prints[name].digest
        }
        return replace(judged, nodes={**judged.nodes, **changed}) if changed else judged

    def _at(self, snapshot: Snapshot) -> Program:
        """The program as the sheet's selections make it."""
        return self._program.at(snapshot.inputs)

    def _inputs(self, given: Mapping[str, bytes]) -> dict[str, bytes]:
        return {name: given.get(name, default) for name, default in self._program.defaults.items()}

    def _past(self, txn: Txn, sheet: bytes) -> Past:
        """What is known of a sheet; a run is read once."""
        return Past(
            run=cache(lambda run: runs.get(txn, run)),
            newest=lambda node: sheets.newest(txn, sheet, node),
            keeps=lambda digest: self._store.artifacts.is_kept(txn, digest),
            usable=Lookup(txn, self._store, self._program, self.owner).usable,
        )

    def _settled(
        self,
        txn: Txn,
        sheet: bytes,
        inputs: Mapping[str, bytes],
        heads: Mapping[str, Head],
        touched: Collection[str] | None = None,
    ) -> dict[str, Head]:
        """The heads after known results have appeared: everywhere, or where something was touched and below."""
        program = self._program.at(inputs)
        lookup = Lookup(txn, self._store, program, self.owner, sheet)

        @cache
        def shown(node: str) -> Run | None:
            run = runs.get(txn, heads[node].run) if node in heads else None
            return run if run is not None and lookup.usable(run) else None

        result = dict(heads)
        standing = settle(program, self._inputs(inputs), shown, lookup.by_lookup, touched)
        for name, (run, parents) in standing.items():
            if result.get(name) != (head := Head(run.id, parents)):
                result[name] = head
                sheets.remember(txn, sheet, name, run, parents)
        return result


def _edited(shown: Run, outputs: Mapping[str, bytes]) -> Run:
    """What a user made of a run."""
    given = tuple(Output(output.port, outputs.get(output.port, output.digest)) for output in shown.outputs)
    return msgspec.structs.replace(
        shown,
        id=new_id(),
        kind="edit",
        outputs=given,
        edits=shown.id,
        status="done",
        error="",
        items=-1,
        started=time.time(),
        seconds=0.0,
        log="",
    )
