"""Garbage collection: what goes, what stays and why, and what happens to those who are at work meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daggr.errors import ArtifactMissingError
from daggr.store import pins, runs, sheets
from daggr.store.fsck.check import check
from daggr.store.gc.execute import GcResult, collecting, execute_gc
from daggr.store.gc.plan import GcPlan, plan_gc
from daggr.store.gc.policy import GRACE, KEPT_SNAPSHOTS, Policy
from daggr.store.records import Binding, Head, Output, Run, Sheet, new_id
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, BLOBS, CONDEMNED, RUNS, SNAPSHOTS
from tests.unit.store.rooms import blob_files, has, keep

LARGE = "x" * 50_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def large(name: object) -> str:
    return f"{name} " * 10_000


def record(store: Store, value: Any, node: str = "node", *, given: tuple[bytes, ...] = (), **fields: Any) -> Run:
    """A run that gave a value, put as the engine puts it."""
    staged = store.artifacts.stage(value)
    run_id = new_id()
    plain: dict[str, Any] = {
        "id": run_id, "graph": "graph", "node": node, "kind": "fn", "owner": "local", "scope": "",
        "fingerprint": node.encode().ljust(32, b"f"), "key": run_id[::-1], "lookup": run_id,
        "inputs": tuple(Binding(f"in{n}", digest, "ui") for n, digest in enumerate(given)),
        "outputs": (Output("output", staged.digest),), "status": "done", "started": time.time(), "seconds": 1.0,
    }  # fmt: skip
    run = Run(**plain | fields)
    store.write(lambda txn: runs.put(txn, run, {"fn": run.fingerprint}), [staged])
    return run


def later() -> float:
    """When nothing of now is new any more."""
    return time.time() + 2 * GRACE


def gc(store: Store, **wishes: Any) -> tuple[GcPlan, GcResult]:
    with collecting(store):
        plan = plan_gc(store, Policy(**wishes), later())
        return plan, execute_gc(store, plan)


def found(store: Store, *asked: Run) -> list[bool]:
    """Of each run whether it is a hit."""
    with store.read() as txn:
        return [
            run in list(runs.by_key(txn, run.key)) and all(store.artifacts.has(txn, out.digest) for out in run.outputs)
            for run in asked
        ]


def value(store: Store, run: Run) -> Any:
    return store.load(run.outputs[0].digest)


def marks(store: Store) -> int:
    with store.read() as txn:
        return txn.count(CONDEMNED)


def sheet_with(store: Store, *shown: Run, name: str = "Sheet 1") -> Sheet:
    """A sheet that showed these runs one after another in one node; undo leads back."""
    sheet = store.write(lambda txn: sheets.create(txn, "local", "graph", name))
    for run in shown:
        sheet = show(store, sheet, run)
    return sheet


def show(store: Store, sheet: Sheet, run: Run) -> Sheet:
    def act(txn: Any) -> Sheet:
        sheets.remember(txn, sheet.id, run.node, run, {})
        return sheets.change(txn, sheet, inputs={}, heads={run.node: Head(run.id, {})})

    return store.write(act)


def is_sound(store: Store) -> bool:
    return check(store, "full").findings == []


# ---------------------------------------------------------------- what goes and what stays


def test_of_each_node_the_last_ones_stay_and_older_ones_go_with_their_bytes(store: Store) -> None:
    made = [record(store, large(f"{number}{node}"), node) for number in range(5) for node in ("a", "b")]
    sizes = [path.stat().st_size for path in blob_files(store)]
    plan, result = gc(store, keep_last=2)
    assert found(store, *made) == [False] * 6 + [True] * 4
    assert len(blob_files(store)) == 4
    assert (result.evicted, result.waiting, plan.stay) == (6, 0, {"among the last of a node": 4})
    assert result.freed == sum(sizes) - sum(path.stat().st_size for path in blob_files(store))
    assert is_sound(store)


def test_only_what_nobody_made_or_used_for_that_long_goes(store: Store) -> None:
    now = time.time()
    old, used, newer, last = (record(store, n, started=now - age) for n, age in enumerate((9e6, 9e6, 5e6, 9e6)))
    store.uses.note(used.id)
    gc(store, older_than=7e6)
    assert found(store, old, used, newer, last) == [False, True, True, True]


def test_both_wishes_together_take_what_fits_both(store: Store) -> None:
    old = [record(store, number, started=time.time() - 9e6) for number in range(3)]
    new = [record(store, number + 10) for number in range(3)]
    gc(store, keep_last=1, older_than=7e6)
    assert found(store, *old, *new) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(("asked", "goes"), [("a", [True, True]), ("graph/a", [True, False]), ("b", [False, False])])
def test_a_named_node_alone_is_concerned(store: Store, asked: str, goes: list[bool]) -> None:
    first, other = record(store, 1, "a"), record(store, 2, "a", graph="other")
    for graph in ("graph", "other"):
        record(store, 3, "a", graph=graph)
        record(store, 4, "c", graph=graph)
        record(store, 5, "c", graph=graph)
    plan, _ = gc(store, keep_last=1, node=asked)
    assert found(store, first, other) == [not one for one in goes]
    assert plan.stay["of another node"] == 4 - sum(goes)


def test_over_the_budget_the_large_the_cheap_and_the_old_go_first(store: Store) -> None:
    small = record(store, "s" * 20_000)
    cheap = record(store, large("cheap"), seconds=0.01)
    dear = record(store, large("dear"), seconds=1000.0)
    old = record(store, large("old!"), started=time.time() - 9e6)
    record(store, "the last of the node")
    for room, gone in ((1, [old]), (2, [old, cheap]), (3, [old, cheap, small]), (4, [old, cheap, small, dear])):
        used = plan_gc(store, Policy(), later()).used
        plan, _ = gc(store, max_size=used - 100)
        assert [run for run in (small, cheap, dear, old) if not found(store, run)[0]] == [
            run for run in (small, cheap, dear, old) if run in gone
        ], (room, plan.stay)


def test_what_there_is_room_for_stays(store: Store) -> None:
    made = [record(store, large(number)) for number in range(3)]
    plan, result = gc(store)
    assert (all(found(store, *made)), result.evicted, plan.is_empty) == (True, 0, True)
    assert plan.stay == {"there is room": 2, "among the last of a node": 1}


def test_what_is_kept_on_purpose_stays_with_its_reason_even_without_room(store: Store) -> None:
    pinned, undo, shown, loose, last = (record(store, large(n)) for n in ("pin", "undo", "show", "loose", "last"))
    store.write(lambda txn: pins.put(txn, pinned.id))
    sheet_with(store, undo, shown)
    plan, _ = gc(store, max_size=0, keep_last=1)
    assert found(store, pinned, undo, shown, loose, last) == [True, True, True, False, True]
    assert plan.stay == {"pinned": 1, "kept for undo": 1, "shown on a sheet": 1, "among the last of a node": 1}
    assert is_sound(store)


def test_what_is_new_stays_whatever_is_asked_for(store: Store) -> None:
    made = [record(store, large(number)) for number in range(3)]
    loose = keep(store, large("uploaded"))
    with collecting(store):
        plan = plan_gc(store, Policy(max_size=0, keep_last=0))
        execute_gc(store, plan)
    assert found(store, *made) == [True] * 3
    assert plan.stay == {"new": 3}
    assert has(store, loose)
    assert plan.is_empty


def test_what_a_kept_run_was_given_by_people_stays_and_what_only_a_gone_one_was_given_goes(store: Store) -> None:
    asked, other, both = (keep(store, large(name)) for name in ("asked", "other", "both"))
    gone = record(store, 1, given=(other, both))
    kept = record(store, 2, given=(asked, both))
    gc(store, keep_last=1)
    assert found(store, gone, kept) == [False, True]
    assert [has(store, one) for one in (asked, other, both)] == [True, False, True]
    assert is_sound(store)


def test_equal_content_of_a_kept_and_a_gone_run_stays(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LARGE)
    one, other = (store.artifacts.stage_file(tmp_path / "a.txt", name) for name in ("a.txt", "b.txt"))
    store.put([one, other])
    gone = record(store, large("same"), outputs=(Output("output", one.digest),))
    kept = record(store, large("same"), outputs=(Output("output", other.digest),))
    gc(store, keep_last=1)
    assert found(store, gone, kept) == [False, True]
    assert [has(store, staged.digest) for staged in (one, other)] == [False, True]
    assert Path(store.load(other.digest)).read_text() == LARGE
    assert len(blob_files(store)) == 1


def test_a_failed_run_is_no_result_that_takes_the_place_of_the_last_one(store: Store) -> None:
    good = record(store, "the only result")
    record(store, "", status="failed", outputs=(), started=good.started)
    gc(store, keep_last=1)
    assert found(store, good) == [True]


def test_a_dry_run_changes_nothing(store: Store) -> None:
    made = [record(store, large(number)) for number in range(3)]
    before = [(path, path.read_bytes()) for path in blob_files(store)], store.index.last_txn()
    plan = plan_gc(store, Policy(keep_last=1), later())
    assert len(plan.evict) == 2
    assert ([(path, path.read_bytes()) for path in blob_files(store)], store.index.last_txn()) == before
    assert all(found(store, *made))


def test_a_second_collection_has_nothing_to_do(store: Store) -> None:
    for number in range(5):
        record(store, large(number))
    sheet_with(store, record(store, 1), record(store, 2))
    gc(store, keep_last=1)
    plan, result = gc(store, keep_last=1)
    assert plan.is_empty
    assert (result.evicted, result.freed) == (0, 0)


# ---------------------------------------------------------------- sheets


def test_a_history_goes_on_telling_of_a_result_that_went(store: Store) -> None:
    gone, kept = record(store, large("gone")), record(store, large("kept"))
    sheet = sheet_with(store, gone, kept)
    sheet = store.write(lambda txn: sheets.change(txn, sheet, inputs={}, heads={}, amend=True))
    with store.read() as txn:  # nothing shows it any more, and nothing leads back to it
        first = sheets.past(txn, sheet, 9)[-2]
    store.write(lambda txn: txn.delete(SNAPSHOTS, first.id))
    gc(store, keep_last=1)
    with store.read() as txn:
        assert [entry.run for entry in sheets.history(txn, sheet.id, "node")] == [gone.id, kept.id]
        assert runs.get(txn, gone.id) == gone
        assert list(runs.by_node(txn, "graph", "node")) == [kept, gone]
        assert runs.is_evicted(txn, gone)
    assert found(store, gone, kept) == [False, True]
    with pytest.raises(ArtifactMissingError):
        value(store, gone)
    assert is_sound(store)
    assert gc(store, keep_last=1)[0].is_empty


def test_steps_beyond_the_limit_go_and_undo_ends_there(store: Store) -> None:
    made = [record(store, number) for number in range(KEPT_SNAPSHOTS + 20)]

    def act(txn: Any) -> Sheet:
        sheet = sheets.create(txn, "local", "graph")
        for run in made:
            sheet = sheets.change(txn, sheet, inputs={}, heads={"node": Head(run.id, {})})
        return sheet

    sheet = store.write(act)
    plan, _ = gc(store, keep_last=1)
    assert len(plan.snapshots) == 21
    steps, state = 0, sheet
    while (before := store.write(lambda txn, state=state: sheets.undo(txn, state))) is not None:  # type: ignore[misc]
        steps, state = steps + 1, before
    assert steps == KEPT_SNAPSHOTS - 1
    assert found(store, *made) == [False] * 20 + [True] * KEPT_SNAPSHOTS
    with store.read() as txn:
        assert sheets.snapshot(txn, state).heads == {"node": Head(made[20].id, {})}
    assert is_sound(store)


def test_a_duplicate_keeps_what_it_shares_with_a_deleted_sheet(store: Store) -> None:
    first, second, last = (record(store, large(n)) for n in (1, 2, 3))
    sheet = sheet_with(store, first, second)
    copy = store.write(lambda txn: sheets.duplicate(txn, sheet, "copy"))
    store.write(lambda txn: sheets.delete(txn, sheet))
    gc(store, keep_last=0)
    assert found(store, first, second, last) == [True, True, False]
    assert store.write(lambda txn: sheets.undo(txn, copy)) is not None
    store.write(lambda txn: sheets.delete(txn, copy))
    gc(store, keep_last=0)
    assert found(store, first, second) == [False, False]
    with store.read() as txn:
        assert (txn.count(RUNS), txn.count(SNAPSHOTS), txn.count(ARTIFACTS), txn.count(BLOBS)) == (0, 0, 0, 0)


def test_undo_goes_on_after_a_redo_over_a_state_that_a_run_had_amended(store: Store) -> None:
    first, second, third, amended = (record(store, n) for n in range(4))
    sheet: Sheet | None = sheet_with(store, first, second, third)

    def step(act: Any) -> Sheet:
        moved = store.write(lambda txn: act(txn, sheets.get(txn, sheet.id)))  # type: ignore[union-attr]
        assert moved is not None, f"{act} leads nowhere"
        return moved  # type: ignore[no-any-return]

    step(sheets.undo)
    step(lambda txn, at: sheets.change(txn, at, inputs={}, heads={"node": Head(amended.id, {})}, amend=True))
    gc(store, keep_last=0)
    step(sheets.redo)
    step(sheets.undo)
    step(sheets.undo)
