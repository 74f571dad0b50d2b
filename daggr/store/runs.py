"""Runs: records of executions, found by id, by key and by lookup key, newest first."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache

import xxhash
from msgspec.structs import replace

from daggr.digest import encode
from daggr.store import items, references
from daggr.store.records import Definition, Run
from daggr.store.tables import BY_KEY, BY_LOOKUP, BY_NODE, DEFINITIONS, RUNS, USE, Marks, Txn

EDIT = "edit"
"""The kind of a run that a user made by overwriting what another gave."""


def get(txn: Txn, run: bytes) -> Run | None:
    """A run by its id."""
    return txn.get(RUNS, run)


def put(txn: Txn, run: Run, leaves: Mapping[str, bytes], sources: Mapping[str, str] | None = None) -> None:
    """Record a run, with the leaf map of its fingerprint and the source texts of its leaves, by leaf.

    Failed and uncached runs are not found by key; what a user has edited is found by no key at all.
    """
    txn.put(RUNS, run.id, run)
    if txn.get(DEFINITIONS, run.fingerprint) is None:
        txn.put(DEFINITIONS, run.fingerprint, Definition(dict(leaves), dict(sources or {})))
    for table, key in index_keys(run):
        txn.mark(table, key)
    references.to_artifacts(txn, references.artifacts_of(run))
    references.note(txn, [run.id, run.fingerprint])
    references.to_runs(txn, {run.edits, *(given.run for given in run.inputs)} - {b""})


def index_keys(run: Run) -> list[tuple[Marks, bytes]]:
    """Under what a run is found: by its node, and if it succeeded and is no edit by its lookup key and action key."""
    newest_first = inverted(run.id)
    found = [(BY_NODE, node_prefix(run.graph, run.node, run.is_item) + newest_first)]
    if run.status == "done" and run.kind != EDIT:
        scope = _scope_hash(run.scope)
        found.append((BY_LOOKUP, scope + run.lookup + newest_first))
        if not run.uncached:
            found.append((BY_KEY, scope + run.key + newest_first))
    return found


def is_found(txn: Txn, run: Run) -> bool:
    """Whether a run's results are still looked up: they no longer are once gc has evicted them."""
    return all(txn.marked(table, key) is not None for table, key in index_keys(run)) and not is_evicted(txn, run)


def is_evicted(txn: Txn, run: Run) -> bool:
    """Whether gc has taken a run's results and left its record, which a history tells of."""
    return txn.marked(BY_NODE, index_keys(run)[0][1]) == _EVICTED


def evict(txn: Txn, run: Run) -> None:
    """Look a run up no more; its record stays."""
    by_node, *by_keys = index_keys(run)
    for table, key in by_keys:
        txn.delete(table, key)
    txn.mark(*by_node, _EVICTED)
    if run.items > 0:
        items.delete(txn, run.id)


def disown(txn: Txn, run: bytes, why: str) -> None:
    """Find a run by its action key no more: it turned out that its results cannot be relied on."""
    if (found := get(txn, run)) is not None and not found.uncached:
        txn.delete(BY_KEY, _scope_hash(found.scope) + found.key + inverted(found.id))
        txn.put(RUNS, run, replace(found, uncached=why))


def delete(txn: Txn, run: Run) -> None:
    """Remove a run. Its keys in `by_key` and `by_lookup` then lead nowhere: see `delete_keys`."""
    txn.delete(*index_keys(run)[0])
    txn.delete(RUNS, run.id)
    txn.delete(USE, run.id)
    if run.items > 0:
        items.delete(txn, run.id)


def delete_keys(txn: Txn, table: Marks, after: bytes, gone: Container[bytes] | None, most: int) -> bytes | None:
    """Remove keys of runs that are gone from a part of `by_key` or `by_lookup`.

    Runs lie there in no order of time; to remove the keys of many in the order of the table touches each page once.

    Args:
        txn: A write transaction.
        table: Which of the two.
        after: Where the part begins: after this key.
        gone: The inverted ids of the runs that are gone; None looks for each run.
        most: How many keys the part has.

    Returns:
        The last key of the part; None if it was the last part.
    """
    keys = list(itertools.islice(txn.keys_after(table, after), most))
    for key in keys:
        if key[-16:] in gone if gone is not None else txn.get(RUNS, inverted(key[-16:])) is None:
            txn.delete(table, key)
    return keys[-1] if len(keys) == most else None


def by_key(txn: Txn, key: bytes, scope: str = "") -> Iterator[Run]:
    """Successful runs of an action key, newest first. Equal keys are a hint: compare what they stand for."""
    return _find(txn, BY_KEY, key, scope)


def by_lookup(txn: Txn, lookup: bytes, scope: str = "") -> Iterator[Run]:
    """Successful runs of a lookup key, newest first, those without a cacheable result included."""
    return _find(txn, BY_LOOKUP, lookup, scope)


def by_node(txn: Txn, graph: str, node: str, *, items: bool = False) -> Iterator[Run]:
    """All runs of a node, newest first; of a scattered node its groups, or with `items` its items."""
    for key in txn.keys(BY_NODE, node_prefix(graph, node, items)):
        run = txn.get(RUNS, inverted(key[-16:]))
        if run is not None and run.graph == graph and run.node == node:
            yield run


@lru_cache(1024)
def node_prefix(graph: str, node: str, is_item: bool = False) -> bytes:
    """What the keys of a node's runs begin with."""
    return xxhash.xxh3_128_digest(encode([graph, node, "items"] if is_item else [graph, node]))


def inverted(run: bytes) -> bytes:
    """An id whose order is the other way round, so that the newest comes first."""
    return (_ALL_ONES - int.from_bytes(run, "big")).to_bytes(16, "big")


def _find(txn: Txn, table: Marks, key: bytes, scope: str) -> Iterator[Run]:
    for found in txn.keys(table, _scope_hash(scope) + key):
        run = txn.get(RUNS, inverted(found[-16:]))
        if run is not None and run.scope == scope:
            yield run


def _scope_hash(scope: str) -> bytes:
    return xxhash.xxh3_64_digest(scope.encode())


_ALL_ONES = (1 << 128) - 1
_EVICTED = b"evicted"
