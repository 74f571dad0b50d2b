"""Sheets, their snapshots and histories, and the runs they name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daggr.store import runs, sheets
from daggr.store.records import Head, Output, Run, Sheet, new_id
from daggr.store.store import Store
from daggr.store.tables import DEFINITIONS, SNAPSHOTS, Txn


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def made(**fields: Any) -> Run:
    plain: dict[str, Any] = {
        "id": new_id(), "graph": "graph", "node": "node", "kind": "fn", "owner": "local", "scope": "",
        "fingerprint": b"f" * 32, "key": b"k" * 16, "lookup": b"l" * 16, "inputs": (), "outputs": (),
        "status": "done", "started": 0.0, "seconds": 0.0,
    }  # fmt: skip
    return Run(**plain | fields)


# ---------------------------------------------------------------- ids


def test_ids_are_uuids_of_version_7_that_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(uuid.UUID(bytes=one).version, uuid.UUID(bytes=one).variant) for one in ids} == {(7, uuid.RFC_4122)}


# ---------------------------------------------------------------- runs


def test_runs_are_found_by_key_newest_first_if_they_can_be_reused(store: Store) -> None:
    done = [made() for _ in range(3)]
    others = [made(key=b"x" * 16, lookup=b"y" * 16), made(status="failed"), made(status="cancelled")]
    uncached = made(uncached="not cached: fn holds a Foo")
    store.write(lambda txn: [runs.put(txn, run, {"leaf": b"1" * 32}) for run in [*done, *others, uncached]])
    with store.read() as txn:
        assert list(runs.by_key(txn, b"k" * 16)) == done[::-1]
        assert list(runs.by_lookup(txn, b"l" * 16)) == [uncached, *done[::-1]]
        assert list(runs.by_node(txn, "graph", "node")) == [uncached, *others[::-1], *done[::-1]]
        assert list(runs.by_node(txn, "graph", "nod")) == []
        assert runs.get(txn, done[0].id) == done[0]
        assert runs.get(txn, new_id()) is None


def test_a_run_made_with_a_personal_token_serves_its_owner_only(store: Store) -> None:
    mine, everybodys = made(scope="ada"), made()
    store.write(lambda txn: [runs.put(txn, run, {}) for run in (mine, everybodys)])
    with store.read() as txn:
        for find, key in ((runs.by_key, b"k" * 16), (runs.by_lookup, b"l" * 16)):
            assert list(find(txn, key)) == [everybodys]
            assert list(find(txn, key, "ada")) == [mine]
            assert list(find(txn, key, "bob")) == []


def test_a_definition_is_stored_once_and_keeps_its_leaves(store: Store) -> None:
    store.write(lambda txn: [runs.put(txn, made(), {"fn": b"1" * 32}) for _ in range(2)])
    with store.read() as txn:
        definition = txn.get(DEFINITIONS, b"f" * 32)
        assert definition is not None
        assert definition.leaves == {"fn": b"1" * 32}


# ---------------------------------------------------------------- sheets


def test_a_user_sees_the_own_sheets_of_one_graph_oldest_first(store: Store) -> None:
    wanted = (("ada", "graph", "b"), ("ada", "graph", "a"), ("bob", "graph"), ("ada", "other graph"))
    first, second, *_ = store.write(lambda txn: [sheets.create(txn, *sheet) for sheet in wanted])
    with store.read() as txn:
        assert sheets.of_owner(txn, "ada", "graph") == [first, second]
        assert sheets.of_owner(txn, "eve", "graph") == []
        assert [sheet.name for sheet in sheets.of_owner(txn, "bob", "graph")] == ["Sheet 1"]


def test_a_change_makes_a_new_snapshot_and_the_old_one_stays_as_it_was(store: Store) -> None:
    empty = store.write(lambda txn: sheets.create(txn, "ada", "graph"))
    heads = {"a": Head(b"run", {})}
    changed = store.write(lambda txn: sheets.change(txn, empty, inputs={"a__x": b"1"}, heads=heads))
    with store.read() as txn:
        now = sheets.snapshot(txn, changed)
        assert sheets.get(txn, empty.id) == changed
        assert (now.inputs, now.heads, now.parent) == ({"a__x": b"1"}, {"a": Head(b"run", {})}, empty.snapshot)
        before = txn.get(SNAPSHOTS, empty.snapshot)
        assert before is not None
        assert (before.inputs, before.heads, before.parent) == ({}, {}, b"")
    assert (changed.version, changed.id, changed.created) == (empty.version + 1, empty.id, empty.created)


def test_a_finished_run_amends_the_snapshot_and_leaves_nothing_to_undo(store: Store) -> None:
    def act(txn: Txn) -> tuple[Sheet, Sheet, Sheet]:
        empty = sheets.create(txn, "ada", "graph")
        changed = sheets.change(txn, empty, inputs={"a__x": b"1"}, heads={})
        heads = {"a": Head(b"run", {})}
        return empty, changed, sheets.change(txn, changed, inputs={"a__x": b"1"}, heads=heads, amend=True)

    empty, changed, amended = store.write(act)
    with store.read() as txn:
        now = sheets.snapshot(txn, amended)
        assert (now.id, now.parent) == (changed.snapshot, empty.snapshot)
        assert now.heads == {"a": Head(b"run", {})}
    assert amended.version == changed.version + 1


# ---------------------------------------------------------------- history


def outputs(digest: bytes) -> tuple[Output, ...]:
    return (Output("output", digest),)


def test_an_equal_result_joins_its_entry_with_the_newest_bindings(store: Store) -> None:
    first, other = made(outputs=outputs(b"1")), made(outputs=outputs(b"2"))
    again = made(outputs=outputs(b"1"))
    other_inputs = made(outputs=outputs(b"1"), key=b"K" * 16)
    shown = ((first, {"e": b"p1"}), (other, {}), (again, {"e": b"p2"}), (other_inputs, {}))

    def act(txn: Txn) -> bytes:
        sheet = sheets.create(txn, "ada", "graph").id
        for run, parents in shown:
            sheets.remember(txn, sheet, "node", run, parents)
        return sheet

    sheet = store.write(act)
    with store.read() as txn:
        entries = sheets.history(txn, sheet, "node")
        assert [(entry.run, entry.parents) for entry in entries] == [
            (again.id, {"e": b"p2"}),
            (other.id, {}),
            (other_inputs.id, {}),
        ]
        assert [sheets.position(entries, run) for run in (first, other, again, other_inputs)] == [1, 2, 1, 3]
        assert sheets.position(entries, made(outputs=outputs(b"3"))) == 0
        assert sheets.history(txn, sheet, "another node") == []


def test_outputs_are_compared_with_their_ports() -> None:
    one = made(outputs=(Output("a", b"1"), Output("b", b"2")))
    turned = made(outputs=(Output("a", b"2"), Output("b", b"1")))
    assert sheets.outputs_hash(one) != sheets.outputs_hash(turned)
    assert sheets.outputs_hash(one) == sheets.outputs_hash(msgspec.structs.replace(one, id=new_id()))
