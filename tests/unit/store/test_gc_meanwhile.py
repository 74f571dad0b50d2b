"""Garbage collection next to others who are at work, killed, in files that nobody knows, and in a damaged store."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from daggr.errors import ArtifactMissingError, StoreError, StoreLockedError
from daggr.store import pins, sheets
from daggr.store.fsck.check import check
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import GRACE, Policy
from daggr.store.records import Head
from daggr.store.store import Store
from daggr.store.tables import BARRIER, RECORDS
from tests.unit.store.rooms import blob_files, has, keep, staged_files
from tests.unit.store.test_gc import LARGE, found, gc, is_sound, large, later, marks, record, sheet_with, store, value

__all__ = ["store"]


# ---------------------------------------------------------------- those at work meanwhile


def test_who_holds_goes_on_loading_what_is_a_miss_for_everybody_else(store: Store, tmp_path: Path) -> None:
    run, kept = record(store, large("old")), record(store, large("new"))
    with Store(tmp_path / "store") as holder:
        with holder.hold():
            for _ in range(3):
                holder.attendance.beat()
            _, result = gc(store, keep_last=1)
            assert (result.freed, result.waiting) == (0, 2)
            for _ in range(3):
                store.attendance.beat()
                holder.attendance.beat()
            assert found(store, run, kept) == found(holder, run, kept) == [False, True]
            assert value(holder, run) == value(store, run) == large("old")
        for _ in range(2):
            holder.attendance.beat()
        assert marks(store) == 0
        assert len(blob_files(store)) == 1
        with pytest.raises(ArtifactMissingError):
            value(holder, run)
    assert is_sound(store)


@pytest.mark.parametrize("same", [True, False])
def test_who_looks_at_an_older_moment_still_loads_what_was_there_then(store: Store, tmp_path: Path, same: bool) -> None:
    run, _ = record(store, large("old")), record(store, large("new"))
    with Store(tmp_path / "store") as other:
        reader = store if same else other
        with reader.read() as txn:
            gc(store, keep_last=1)
            for _ in range(3):
                store.attendance.beat()
                other.attendance.beat()
            assert reader.artifacts.has(txn, run.outputs[0].digest)
            assert reader.artifacts.load(txn, run.outputs[0].digest) == large("old")
        for _ in range(3):
            other.attendance.beat()
            store.attendance.beat()
        assert len(blob_files(store)) == 1


HOLDER = """
import sys
from pathlib import Path
from daggr.store.store import Store
with Store(Path(sys.argv[1])) as store:
    with store.hold(), store.read() as txn:
        print("holding", flush=True)
        sys.stdin.readline()
        print(len(store.artifacts.load(txn, bytes.fromhex(sys.argv[2]))), flush=True)
    store.attendance.beat()
    store.attendance.beat()
    print("beaten", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("killed", [True, False])
def test_another_process_that_holds_is_waited_for_until_it_lets_go_or_dies(store: Store, killed: bool) -> None:
    run, _ = record(store, large("old")), record(store, large("new"))
    command = [sys.executable, "-c", HOLDER, str(store.root), run.outputs[0].digest.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "holding\n"
        _, result = gc(store, keep_last=1)
        for _ in range(3):
            store.attendance.beat()
        assert result.waiting == marks(store) == 2
        assert len(blob_files(store)) == 2
        if killed:
            process.kill()
            process.wait()
        else:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{len(large('old'))}\n"
            assert process.stdout.readline() == "beaten\n"
        for _ in range(2):
            store.attendance.beat()
        assert marks(store) == 0
        assert len(blob_files(store)) == 1
        process.kill()
    assert is_sound(store)


def test_content_that_is_put_again_after_it_was_given_up_is_back(store: Store, tmp_path: Path) -> None:
    run, _ = record(store, large("old")), record(store, large("new"))
    with Store(tmp_path / "store") as holder:
        with holder.hold():
            gc(store, keep_last=1)
            assert found(store, run) == [False]
            again = record(store, large("old"))
        for _ in range(3):
            holder.attendance.beat()
            store.attendance.beat()
        assert marks(store) == 0
        assert found(store, again) == [True]
        assert value(holder, again) == large("old")
    assert is_sound(store)


def test_an_input_that_was_given_up_is_back_when_a_run_or_a_sheet_refers_to_it(store: Store, tmp_path: Path) -> None:
    by_run, by_sheet, lost = (keep(store, large(name)) for name in ("by run", "by sheet", "lost"))
    with Store(tmp_path / "store") as holder:
        with holder.hold():
            gc(store)
            assert [has(store, one) for one in (by_run, by_sheet, lost)] == [False] * 3
            record(store, 1, given=(by_run,))
            sheet = sheet_with(store)
            store.write(lambda txn: sheets.change(txn, sheet, inputs={"a": by_sheet}, heads={}))
        for _ in range(3):
            holder.attendance.beat()
            store.attendance.beat()
        assert [has(store, one) for one in (by_run, by_sheet, lost)] == [True, True, False]
    assert is_sound(store)


# ---------------------------------------------------------------- between the plan and its execution


def test_what_is_put_or_referred_to_between_plan_and_execution_is_spared(store: Store) -> None:
    put, by_run, by_sheet, lost = (keep(store, large(name)) for name in ("put", "by run", "by sheet", "lost"))
    sheet = sheet_with(store)
    with collecting(store):
        plan = plan_gc(store, Policy(), later())
        assert len(plan.artifacts) == 4
        keep(store, large("put"))
        record(store, 1, given=(by_run,))
        store.write(lambda txn: sheets.change(txn, sheet, inputs={"a": by_sheet}, heads={}))
        execute_gc(store, plan)
    assert [has(store, one) for one in (put, by_run, by_sheet, lost)] == [True, True, True, False]
    assert store.load(put) == large("put")
    with store.read() as txn:
        assert txn.count(BARRIER) == 0
    assert is_sound(store)


@pytest.mark.parametrize("how", ["pin", "head", "parent", "history"])
def test_a_run_that_is_referred_to_between_plan_and_execution_stays_with_its_values(store: Store, how: str) -> None:
    run, last = record(store, large("run"), given=(keep(store, large("given")),)), record(store, 2)
    sheet = sheet_with(store)
    acts = {
        "pin": lambda txn: pins.put(txn, run.id),
        "head": lambda txn: sheets.change(txn, sheet, inputs={}, heads={"node": Head(run.id, {})}),
        "parent": lambda txn: sheets.change(txn, sheet, inputs={}, heads={"node": Head(last.id, {"e": run.id})}),
        "history": lambda txn: sheets.remember(txn, sheet.id, "node", run, {}),
    }
    with collecting(store):
        plan = plan_gc(store, Policy(keep_last=1), later())
        assert list(plan.evict) == [run.id]
        store.write(acts[how])
        execute_gc(store, plan)
    assert found(store, run, last) == [True, True]
    assert value(store, run) == large("run")
    assert is_sound(store)


def test_two_collections_exclude_each_other(store: Store, tmp_path: Path) -> None:
    with (
        Store(tmp_path / "store") as other,
        collecting(store),
        pytest.raises(StoreLockedError, match="Another `daggr gc` is at work"),
        collecting(other),
    ):
        pass
    with Store(tmp_path / "store") as other, collecting(other):
        pass


def test_execution_belongs_into_a_collection(store: Store) -> None:
    with pytest.raises(StoreError, match="collecting"):
        execute_gc(store, plan_gc(store, Policy()))


KILLED = """
import os, sys, time
from pathlib import Path
from daggr.store.gc import execute
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.store import Store
store = Store(Path(sys.argv[1]))
execute.TOGETHER = 1
left = int(sys.argv[2])
def progress(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
with execute.collecting(store):
    plan = plan_gc(store, Policy(keep_last=1), time.time() + 9000)
    progress()
    execute.execute_gc(store, plan, progress)
os._exit(0)
"""


@pytest.mark.parametrize("at", [1, 3, 7, 11])
def test_a_collection_that_was_killed_leaves_no_harm_and_the_next_one_takes_over(store: Store, at: int) -> None:
    made = [record(store, large(number)) for number in range(5)]
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.root), str(at)], check=False, timeout=60)
    assert done.returncode == -9
    assert check(store, "full").damage == []
    assert value(store, made[-1]) == large(4)
    again = record(store, large(0), node="other")  # writers go on, and what they put stays
    plan, _ = gc(store, keep_last=1)
    store.attendance.beat()
    assert plan.stay == {"among the last of a node": 2}
    assert found(store, *made, again) == [False] * 4 + [True, True]
    assert value(store, again) == large(0)
    assert (marks(store), len(blob_files(store))) == (0, 2)
    assert is_sound(store)


def test_what_only_waits_to_be_removed_does_not_make_more_go(store: Store, tmp_path: Path) -> None:
    made = [record(store, large(number), seconds=2.0**number) for number in range(6)]
    room = plan_gc(store, Policy(), later()).used - 2 * len(large(0))
    with Store(tmp_path / "store") as holder, holder.hold():
        gc(store, max_size=room)
        kept = found(store, *made)
        gc(store, max_size=room)
        assert found(store, *made) == kept


# ---------------------------------------------------------------- files


def test_files_that_nobody_knows_go_when_they_are_old_and_are_adopted_when_put_again(store: Store) -> None:
    staged = [store.artifacts.stage(large(name)) for name in ("old", "new", "adopted", "meanwhile")]
    size = staged[0].artifact.size
    for item in staged:
        assert item.blob is not None
        assert item.blob.path is not None
        target = store.blobs.path(item.blob.sha256)
        target.parent.mkdir(exist_ok=True)
        os.replace(item.blob.path, target)
        os.utime(target, (time.time() - 2 * GRACE,) * 2 if item is not staged[1] else None)
    assert keep(store, large("adopted")) == staged[2].digest
    (store.root / "blobs" / "notes.txt").write_text("a stranger's")
    with collecting(store):
        plan = plan_gc(store, Policy())
        assert len(plan.orphans) == 2
        assert keep(store, large("meanwhile")) == staged[3].digest
        result = execute_gc(store, plan)
    assert result.freed == size
    assert [store.blobs.path(item.blob.sha256).exists() for item in staged if item.blob] == [False, True, True, True]
    assert store.load(staged[2].digest) == large("adopted")
    assert store.load(staged[3].digest) == large("meanwhile")
    assert (store.root / "blobs" / "notes.txt").exists()
    assert staged_files(store) == []


def test_shared_copies_go_when_they_are_old_and_their_artifact_is_gone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(LARGE)
    staged = [store.artifacts.stage_file(tmp_path / "a.txt", name) for name in ("gone.txt", "new.txt", "kept.txt")]
    store.put(staged)
    copies = [Path(store.load(item.digest)) for item in staged]
    record(store, 1, given=(staged[2].digest,))
    for copy in (copies[0], copies[2]):
        os.utime(copy.parent, (time.time() - 2 * GRACE,) * 2)
    gc(store)
    assert [copy.exists() for copy in copies] == [False, True, True]
    store.put([store.artifacts.stage_file(tmp_path / "a.txt", "gone.txt")])
    assert Path(store.load(staged[0].digest)).read_text() == LARGE


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("table", ["pin", "sheet", "snapshot"])
def test_a_collection_does_not_begin_where_a_root_is_damaged(store: Store, table: str) -> None:
    run, _ = record(store, large("run")), record(store, 2)
    if table == "pin":
        store.write(lambda txn: pins.put(txn, run.id))
    else:
        sheet_with(store, run)
    damaged = next(one for one in RECORDS if one.name == table.encode())

    def flip(txn: Any) -> None:
        for key in list(txn.keys(damaged)):
            data = bytearray(txn.raw(table, key))
            data[-1] ^= 1
            txn.mark(damaged, key, bytes(data))

    store.write(flip)
    with pytest.raises(StoreError, match="fsck"):
        gc(store, keep_last=1)
    assert found(store, run) == [True]
