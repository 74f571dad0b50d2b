"""Runs: records of executions, found by id, by key and by lookup key, newest first."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import xxhash

from daggr.digest import encode
from daggr.errors import ArtifactCorruptError
from daggr.store.index import BY_KEY, BY_LOOKUP, BY_NODE, DEFINITIONS, RUNS, Marks, Txn
from daggr.store.records import Definition, Run

log = logging.getLogger("daggr.store")


def get(txn: Txn, run: bytes) -> Run | None:
    """A run by its id."""
    return txn.get(RUNS, run)


def put(txn: Txn, run: Run, leaves: Mapping[str, bytes]) -> None:
    """Record a run, with the leaf map of its fingerprint. Failed and uncached runs are not found by key."""
    txn.put(RUNS, run.id, run)
    if txn.get(DEFINITIONS, run.fingerprint) is None:
        txn.put(DEFINITIONS, run.fingerprint, Definition(dict(leaves)))
    newest_first = _inverted(run.id)
    txn.mark(BY_NODE, _name_hash(run.graph, run.node) + newest_first)
    if run.status == "done":
        scope = _scope_hash(run.scope)
        txn.mark(BY_LOOKUP, scope + run.lookup + newest_first)
        if not run.uncached:
            txn.mark(BY_KEY, scope + run.key + newest_first)


def by_key(txn: Txn, key: bytes, scope: str = "") -> Iterator[Run]:
    """Successful runs of an action key, newest first. Equal keys are a hint: compare what they stand for."""
    return _find(txn, BY_KEY, key, scope)


def by_lookup(txn: Txn, lookup: bytes, scope: str = "") -> Iterator[Run]:
    """Successful runs of a lookup key, newest first, those without a cacheable result included."""
    return _find(txn, BY_LOOKUP, lookup, scope)


def by_node(txn: Txn, graph: str, node: str) -> Iterator[Run]:
    """All runs of a node, newest first."""
    for key in txn.keys(BY_NODE, _name_hash(graph, node)):
        run = txn.get(RUNS, _inverted(key[-16:]))
        if run is not None and run.graph == graph and run.node == node:
            yield run


def _find(txn: Txn, table: Marks, key: bytes, scope: str) -> Iterator[Run]:
    for found in txn.keys(table, _scope_hash(scope) + key):
        try:
            run = txn.get(RUNS, _inverted(found[-16:]))
        except ArtifactCorruptError as error:
            log.warning("%s It counts as not there.", error.message)
            continue
        if run is not None and run.scope == scope:
            yield run


def _inverted(run: bytes) -> bytes:
    return bytes(255 - byte for byte in run)


def _scope_hash(scope: str) -> bytes:
    return xxhash.xxh3_64_digest(scope.encode())


def _name_hash(graph: str, node: str) -> bytes:
    return xxhash.xxh3_128_digest(encode((graph, node)))
