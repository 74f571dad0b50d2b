"""Why: what the store knows of a node's past, read in one transaction and given to `explain`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from daggr.engine.bindings import Bound, bind
from daggr.engine.changes import Side, changes
from daggr.engine.explain import UNKNOWN, Asked, Explanation, Recorded, RunDiff, diff, explain, summarise
from daggr.engine.fingerprint.node import Fingerprint
from daggr.engine.freshness import Freshness
from daggr.engine.keys import identity_of
from daggr.engine.lookup import Lookup
from daggr.engine.plan import Given, Plan
from daggr.engine.program import Program
from daggr.errors import GraphError, StoreError, did_you_mean
from daggr.graph.nodes.base import Repo
from daggr.store import runs
from daggr.store.records import Definition, Run
from daggr.store.store import Store
from daggr.store.tables import DEFINITIONS, Txn

MOST_DEFINITIONS = 50
MOST_RUNS = 500
"""How far back the nearest run is looked for."""


@dataclass(frozen=True)
class Shown:
    """A sheet at one moment: a digest of every input by the input's own id, the run of each node, what still stands."""

    sheet: bytes
    inputs: Mapping[str, bytes]
    runs: Mapping[str, Run]
    freshness: Freshness


class Why:
    """Explains nodes, within one read transaction. Runs that were made with somebody else's token are not looked at.

    Args:
        txn: The transaction.
        store: What it reads.
        program: The nodes.
        owner: The user who asks.
        observed: The commits that Spaces and models are at, as far as they were seen.
    """

    def __init__(
        self, txn: Txn, store: Store, program: Program, owner: str, observed: Mapping[Repo, str] | None = None
    ) -> None:
        self._txn = txn
        self._observed = observed or {}
        self._store = store
        self._program = program
        self._owner = owner

    def of_sheet(self, node: str, shown: Shown, *, forced: bool = False) -> Explanation:
        """Why a node of a sheet would run or is stale; `forced` if it is to run in any case.

        Raises:
            GraphError: there is no such node.
        """
        check_node(self._program, node)
        bound = bind(self._program, node, shown.inputs, shown.runs.get)
        lookup = Lookup(self._txn, self._store, self._program, self._owner, shown.sheet)
        fingerprint = self._program.definitions[node].fingerprint.digest
        standing = None
        if not bound.missing:
            standing = lookup.by_lookup(node, identity_of(fingerprint, bound.bindings), False)
        head = shown.runs.get(node)
        asked = replace(
            self._asked(node, bound),
            standing=standing.id if standing is not None else b"",
            shown=head.id if head is not None else b"",
            forced=forced,
            missing=tuple(parent for parent, _ in bound.missing),
            stale=self._stale(node, shown.freshness),
        )
        return self._explain(asked, head)

    def of_call(self, node: str, inputs: Mapping[str, bytes]) -> Explanation:
        """Why a node would run for a call with these inputs, by input id; the others are at their defaults.

        Raises:
            GraphError: there is no such node.
        """
        check_node(self._program, node)
        lookup = Lookup(self._txn, self._store, self._program, self._owner)
        given = Given({**self._program.defaults, **inputs})
        plan = Plan(self._program, self._program.drawing.ancestors(node), given)
        plan.resolve(lookup.by_action)
        known = {name: step.run for name, step in plan.steps.items() if step.run is not None}
        bound = bind(self._program, node, given.inputs, known.get)
        ready = [step.node for step in plan.ready() if step.node != node]
        blocked = [parent for parent, _ in bound.missing]
        asked = replace(
            self._asked(node, bound),
            standing=known[node].id if node in known else b"",
            missing=tuple(ready or blocked) if bound.missing else (),
            is_call=True,
        )
        return self._explain(asked, known.get(node))

    def _asked(self, node: str, bound: Bound) -> Asked:
        definition = self._program.definitions[node]
        fingerprint = definition.fingerprint
        edges = self._program.drawing.edges_to[node]
        side = Side(
            fingerprint.leaves,
            fingerprint.sources,
            {**fingerprint.soft, **self._commit(node)},
            {given.port: given for given in bound.bindings},
            {edge.target_port: edge.source for edge in edges},
            frozenset(edge.target_port for edge in edges if bound.wires[edge.target_port][1] is None),
        )
        spec = definition.spec
        return Asked(node, fingerprint.digest, side, fingerprint.uncached, cache=spec.cache, now=time.time())

    def _commit(self, node: str) -> dict[str, str]:
        """The commit that what the node calls is at now, if it was seen."""
        repo = self._program.definitions[node].spec.repo
        return {str(repo): self._observed[repo]} if repo is not None and repo in self._observed else {}

    def _explain(self, asked: Asked, head: Run | None) -> Explanation:
        return explain(asked, self._past(asked.node, head), self._complete)

    def _stale(self, node: str, freshness: Freshness) -> tuple[tuple[str, str], ...]:
        """The nodes before a node where it begins that things are not up to date, and why."""
        drawing, stands = self._program.drawing, freshness.nodes
        above = drawing.ancestors(node) - {node}
        return tuple(
            (name, stands[name].reason)
            for name in drawing.nodes
            if name in above and not stands[name].fresh and all(stands[e.source].fresh for e in drawing.edges_to[name])
        )

    # ------------------------------------------------------------ runs

    def _past(self, node: str, head: Run | None) -> list[Recorded]:
        """What is shown and the newest runs of a node, newest first."""
        known: dict[bytes, Definition | None] = {}
        found: dict[bytes, Run] = {}
        newest = itertools.islice(runs.by_node(self._txn, self._program.graph, node), MOST_RUNS)
        for run in itertools.chain(newest, [head] if head is not None else []):
            if run.scope not in ("", self._owner) or run.id in found:
                continue
            if run.fingerprint not in known:
                if len(known) >= MOST_DEFINITIONS and run is not head:
                    continue
                known[run.fingerprint] = self._txn.get(DEFINITIONS, run.fingerprint)
            found[run.id] = run
        repo = self._program.definitions[node].spec.repo
        unseen = str(repo) if repo is not None and repo not in self._observed else ""
        return [_recorded(run, known[run.fingerprint], unseen) for run in found.values()]

    def _complete(self, recorded: Recorded) -> Recorded:
        """Add what fed a run, and whether its values are still there."""
        run = recorded.run
        if runs.is_evicted(self._txn, run):
            recorded = replace(recorded, loss="evicted")
        elif not all(self._store.artifacts.is_readable(self._txn, output.digest) for output in run.outputs):
            recorded = replace(recorded, loss="lost")
        return replace(recorded, side=replace(recorded.side, fed=fed_by(self._txn, run)))


def check_node(program: Program, node: str) -> None:
    """See to it that a program has a node.

    Raises:
        GraphError: it does not; with the closest name that it has.
    """
    if node not in program.definitions:
        valid = list(program.definitions)
        raise GraphError(
            f"There is no node {node!r}. Nodes: {', '.join(valid) or 'none'}. {did_you_mean(node, valid)}".rstrip()
        )


def compare(txn: Txn, before: bytes, after: bytes) -> RunDiff:
    """What differs between two recorded runs.

    Raises:
        StoreError: there is no such run.
    """
    sides = []
    for wanted in (before, after):
        run = runs.get(txn, wanted)
        if run is None:
            raise StoreError(f"There is no run {wanted.hex()}.", "It may have been removed by `daggr gc`.")
        recorded = _recorded(run, txn.get(DEFINITIONS, run.fingerprint))
        sides.append(replace(recorded, side=replace(recorded.side, fed=fed_by(txn, run))))
    return diff(sides[0], sides[1])


def fed_by(txn: Txn, run: Run) -> dict[str, str]:
    """The nodes that a run was fed by, by port; without those whose runs are gone."""
    sources = {given.port: runs.get(txn, given.run) for given in run.inputs if given.run}
    return {port: source.node for port, source in sources.items() if source is not None}


def _recorded(run: Run, definition: Definition | None, unseen: str = "") -> Recorded:
    """A run as it is compared; `unseen` is left out, since nobody knows what it is now."""
    leaves, sources = (definition.leaves, definition.sources) if definition is not None else ({}, {})
    soft = {name: value for name, value in run.soft.items() if name != unseen}
    side = Side(leaves, sources, soft, {given.port: given for given in run.inputs})
    return Recorded(run, side, is_known=definition is not None)


# ---------------------------------------------------------------- what a card says

KEPT = 4096
_said: dict[tuple[bytes, bytes], str] = {}


def changed_definition(txn: Txn, before: bytes, now: Fingerprint) -> str:
    """What changed since a definition of that fingerprint, in a line; found out once for each two."""
    known = _said.get((before, now.digest))
    if known is None:
        known = _changed(txn.get(DEFINITIONS, before), now)
        if len(_said) >= KEPT:
            _said.clear()
        _said[before, now.digest] = known
    return known


def _changed(before: Definition | None, now: Fingerprint) -> str:
    if before is None:
        return UNKNOWN
    found = changes(Side(before.leaves, before.sources), Side(now.leaves, now.sources), diffs=False)
    return summarise(found) or now.uncached or UNKNOWN
