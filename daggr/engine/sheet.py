"""A sheet of a program: its state, and the changes people make to it. All look-ups; nothing is executed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from daggr.engine.freshness import Freshness, NodeFreshness, freshness, settle
from daggr.engine.lookup import Lookup
from daggr.engine.program import Program
from daggr.engine.provenance import select
from daggr.errors import ConfigError, GraphError, UnknownInputError
from daggr.store import runs, sheets
from daggr.store.records import Head, HistoryEntry, Run, Sheet
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

    def __init__(self, store: Store, program: Program, owner: str) -> None:
        self._store = store
        self._program = program
        self._owner = owner

    def all(self) -> list[Sheet]:
        """The user's sheets, oldest first; the first one is made when there is none."""
        with self._store.read() as txn:
            found = sheets.of_owner(txn, self._owner, self._program.graph)
        if found:
            return found

        def first(txn: Txn) -> list[Sheet]:
            known = sheets.of_owner(txn, self._owner, self._program.graph)
            return known or [sheets.create(txn, self._owner, self._program.graph)]

        return self._store.write(first)

    def has(self, sheet: bytes) -> bool:
        """Whether the user has this sheet."""
        with self._store.read() as txn:
            found = sheets.get(txn, sheet)
        return found is not None and found.owner == self._owner and found.graph == self._program.graph

    def state(self, sheet: bytes) -> SheetState:
        """What the sheet says now, seen in one transaction."""
        with self._store.read() as txn:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            inputs = self._inputs(snapshot.inputs)
            results = {}
            for name in self._program.drawing.nodes:
                head = snapshot.heads.get(name)
                run = runs.get(txn, head.run) if head is not None else None
                if run is not None:
                    entries = sheets.history(txn, sheet, name)
                    results[name] = NodeResult(run, sheets.position(entries, run), len(entries))
            lookup = Lookup(txn, self._store, self._program)
            heads = {name: result.run for name, result in results.items() if lookup.usable(result.run)}
            judged = freshness(self._program, inputs, heads)
            gone = {name: NodeFreshness(False, "its value is no longer kept") for name in results if name not in heads}
            return SheetState(record, inputs, results, heads, replace(judged, nodes={**judged.nodes, **gone}))

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
            heads = self._settled(txn, sheet, inputs, snapshot.heads)
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

    def select(self, sheet: bytes, node: str, index: int) -> Sheet:
        """Show entry `index` (from 1) of a node's history, with the inputs that made it.

        Raises:
            ConfigError: there is no such entry.
        """

        def show(txn: Txn) -> Sheet:
            record = self._get(txn, sheet)
            snapshot = sheets.snapshot(txn, record)
            entries = sheets.history(txn, sheet, node)
            if not 1 <= index <= len(entries):
                raise ConfigError(f"{node!r} has {len(entries)} result(s); there is no number {index}.")
            restored = select(
                self._program,
                node,
                entries[index - 1],
                snapshot.inputs,
                snapshot.heads,
                lambda run: runs.get(txn, run),
                lambda name: sheets.history(txn, sheet, name),
            )
            return sheets.change(txn, record, inputs=restored.inputs, heads=restored.heads)

        return self._store.write(show)

    def adopt(self, txn: Txn, sheet: bytes, node: str, run: Run, parents: Mapping[str, bytes]) -> None:
        """Show a run for a node, within a write transaction; what is known downstream appears, too."""
        if sheets.get(txn, sheet) is None:  # it was removed while the node ran; the run is kept all the same
            return
        record = self._get(txn, sheet)
        snapshot = sheets.snapshot(txn, record)
        heads = {**snapshot.heads, node: Head(run.id, dict(parents))}
        sheets.remember(txn, sheet, node, run, parents)
        heads = self._settled(txn, sheet, snapshot.inputs, heads)
        sheets.change(txn, record, inputs=snapshot.inputs, heads=heads, amend=True)

    # ------------------------------------------------------------ parts

    def _get(self, txn: Txn, sheet: bytes) -> Sheet:
        record = sheets.get(txn, sheet)
        if record is None or record.owner != self._owner or record.graph != self._program.graph:
            raise GraphError(f"There is no sheet {sheet.hex()}.")
        return record

    def _inputs(self, given: Mapping[str, bytes]) -> dict[str, bytes]:
        return {name: given.get(name, default) for name, default in self._program.defaults.items()}

    def _settled(
        self, txn: Txn, sheet: bytes, inputs: Mapping[str, bytes], heads: Mapping[str, Head]
    ) -> dict[str, Head]:
        found = {name: runs.get(txn, head.run) for name, head in heads.items()}
        lookup = Lookup(txn, self._store, self._program, sheet)
        shown = {name: run for name, run in found.items() if run is not None and lookup.usable(run)}
        settled = settle(self._program, self._inputs(inputs), shown, lookup.by_lookup)
        result = dict(heads)
        for name, run in settled.items():
            if name in shown and shown[name].id == run.id:
                continue
            parents = {edge.id: settled[edge.source].id for edge in self._program.drawing.edges_to[name]}
            result[name] = Head(run.id, parents)
            sheets.remember(txn, sheet, name, run, parents)
        return result
