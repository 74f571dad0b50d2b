"""fsck: what it finds, what it mends, and what it leaves alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import pytest

from daggr.errors import StoreLockedError
from daggr.store import runs, sheets, tables
from daggr.store.fsck.check import check
from daggr.store.fsck.findings import Report
from daggr.store.fsck.repair import repair
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.records import Head, Run
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, BLOBS, BY_KEY, BY_NODE, BY_OWNER, LEASES, RUNS, SHEETS, SNAPSHOTS, Txn
from tests.unit.store.rooms import blob_files, has, keep
from tests.unit.store.test_gc import found, large, later, record, sheet_with, value


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def kinds(report: Report) -> set[str]:
    return {finding.kind for finding in report.damage}


def mended(store: Store) -> Report:
    """Check and repair as `daggr fsck --repair` does; the last check."""
    report, rounds = check(store), 0
    while report.damage and rounds < 3:
        repair(store, report)
        report, rounds = check(store), rounds + 1
    return report


def raw_of(txn: Txn, table: str, key: bytes) -> bytes:
    data = txn.raw(table, key)
    assert data is not None
    return data


def test_a_whole_store_has_nothing_to_be_found_and_everything_is_looked_at(store: Store) -> None:
    sheet_with(store, record(store, large(1)), record(store, 2))
    for depth in ("quick", "normal", "full"):
        report = check(store, depth)  # type: ignore[arg-type]
        assert report.findings == []
        assert (report.looked_at["run"], report.looked_at["artifact"], report.looked_at["files"]) == (2, 2, 1)


Break = Callable[[Store, Txn, Run], object]
BREAKS: dict[str, tuple[Break, str]] = {
    "a value's record": (lambda s, txn, run: txn.delete(ARTIFACTS, run.outputs[0].digest), "lost value"),
    "a blob's record": (lambda s, txn, run: [txn.delete(BLOBS, key) for key in list(txn.keys(BLOBS))], "lost value"),
    "a run's record": (lambda s, txn, run: txn.delete(RUNS, run.id), "lost run"),
    "a run's key": (lambda s, txn, run: [txn.delete(BY_KEY, key) for key in list(txn.keys(BY_KEY))], "not indexed"),
    "a run's node": (lambda s, txn, run: [txn.delete(BY_NODE, key) for key in list(txn.keys(BY_NODE))], "not indexed"),
    "a sheet's state": (
        lambda s, txn, run: [txn.delete(SNAPSHOTS, k) for k in list(txn.keys(SNAPSHOTS))],
        "lost state",
    ),
    "a sheet": (lambda s, txn, run: [txn.delete(SHEETS, key) for key in list(txn.keys(SHEETS))], "lost state"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_is_gone_from_the_index_is_found_and_forgotten(store: Store, what: str) -> None:
    broken, other = record(store, large(1)), record(store, large(2), "other")
    sheet_with(store, broken)
    breaks, kind = BREAKS[what]
    if what != "a blob's record":
        store.write(lambda txn: breaks(store, txn, broken))
    else:
        name = store.artifacts.stage(large(1)).artifact.blob
        assert name is not None
        store.write(lambda txn: txn.delete(BLOBS, name))
    assert kind in kinds(check(store, "quick"))
    assert mended(store).damage == []
    assert value(store, other) == large(2)
    again = record(store, large(1))
    assert found(store, again, other) == [True, True]
    if kind == "not indexed":
        assert found(store, broken) == [True]


@pytest.mark.parametrize("table", ["run", "artifact", "blob", "sheet", "snapshot", "history", "definition", "lease"])
def test_a_damaged_record_is_found_set_aside_and_a_miss(store: Store, table: str) -> None:
    run, other = record(store, large(1)), record(store, large(2), "other")
    sheet_with(store, run)
    found_in = next(one for one in tables.ALL if one.name == table.encode())

    def flip(txn: Txn) -> None:
        for key in list(txn.keys(found_in)):
            data = bytearray(raw_of(txn, table, key))
            data[-1] ^= 1
            txn.mark(found_in, key, bytes(data))  # type: ignore[arg-type]
            if table in ("blob", "artifact", "run"):
                return

    store.write(flip)
    assert "damaged record" in kinds(check(store, "quick"))
    assert mended(store).damage == []
    assert [path for path in (store.root / "quarantine").iterdir() if path.name.startswith(table)]
    assert True in found(store, run, other) or table == "definition"
    assert found(store, record(store, large(1))) == [True]


def test_a_store_whose_lease_was_damaged_gets_a_new_one(store: Store, tmp_path: Path) -> None:
    token = store.attendance.token.encode()
    store.write(lambda txn: txn.delete(LEASES, token))
    for _ in range(2):
        store.attendance.beat()
    with store.read() as txn:
        assert txn.get(LEASES, token) is not None


@pytest.mark.parametrize(("how", "depths"), [
    ("gone", ["quick", "normal", "full"]), ("cut", ["quick", "normal", "full"]), ("flip", ["normal", "full"]),
])  # fmt: skip
def test_a_damaged_blob_is_found_at_the_depths_that_can_and_repaired_to_a_miss(
    store: Store, how: str, depths: list[str]
) -> None:
    run, other = record(store, large(1)), record(store, large(2))
    name = store.artifacts.stage(large(1)).artifact.blob
    assert name is not None
    path = store.blobs.path(name)
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.chmod(0o644)
    path.unlink() if how == "gone" else path.write_bytes(data[:-1] if how == "cut" else data)
    for depth in ("quick", "normal", "full"):
        assert (check(store, depth).damage != []) == (depth in depths)  # type: ignore[arg-type]
    assert mended(store).damage == []
    assert found(store, run, other) == [False, True]
    assert len(list((store.root / "quarantine").glob("blob-*"))) == (how != "gone")
    assert found(store, record(store, large(1))) == [True]


def test_a_file_that_nobody_knows_is_a_note_and_stays(store: Store) -> None:
    keep(store, large(1))
    orphan = store.blobs.folder / "ab" / ("ab" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left by a crash")
    report = check(store)
    assert ([str(finding.kind) for finding in report.findings], report.damage) == (["orphan"], [])
    repair(store, report)
    assert orphan.exists()


def test_a_check_changes_nothing(store: Store) -> None:
    run = record(store, large(1))
    store.write(lambda txn: txn.delete(ARTIFACTS, run.outputs[0].digest))
    before = store.index.last_txn(), [path.read_bytes() for path in blob_files(store)]
    assert check(store, "full").damage
    assert (store.index.last_txn(), [path.read_bytes() for path in blob_files(store)]) == before
    assert [path.name for path in store.root.rglob("*") if "quarantine" in path.name] == []


# ---------------------------------------------------------------- an index that is written anew


def broken_index(store: Store) -> Report:
    report = Report()
    report.add("index", "", b"", "a test says so")
    return report


def test_an_index_that_is_written_anew_has_everything_and_the_old_one_is_kept(store: Store) -> None:
    made = [record(store, large(number)) for number in range(5)]
    sheet = sheet_with(store, *made[:3])
    repair(store, broken_index(store))
    assert check(store, "full").findings == []
    assert found(store, *made) == [True] * 5
    with store.read() as txn:
        assert sheets.snapshot(txn, sheet).heads == {"node": Head(made[2].id, {})}
        assert len(sheets.history(txn, sheet.id, "node")) == 3
        assert list(runs.by_node(txn, "graph", "node")) == made[::-1]
        assert [one.id for one in sheets.of_owner(txn, "local", "graph")] == [sheet.id]
        assert txn.count(BY_OWNER) == 1
    assert len(list((store.root / "quarantine").glob("meta-*"))) == 1
    assert has(store, keep(store, large("after")))


def test_an_index_that_somebody_else_has_open_is_not_written_anew(store: Store, tmp_path: Path) -> None:
    with Store(tmp_path / "store"), pytest.raises(StoreLockedError, match="has the store open"):
        repair(store, broken_index(store))
    repair(store, broken_index(store))


def test_gc_goes_on_after_the_index_was_written_anew(store: Store) -> None:
    for _ in range(100):
        keep(store, os.urandom(8))
    gone, kept = record(store, large("gone")), record(store, large("kept"))
    repair(store, broken_index(store))
    with collecting(store):
        execute_gc(store, plan_gc(store, Policy(keep_last=1), later()))
    for _ in range(2):
        store.attendance.beat()
    assert found(store, gone, kept) == [False, True]
    assert len(blob_files(store)) == 1


def test_what_gc_gave_up_before_the_index_was_written_anew_goes_afterwards(store: Store) -> None:
    for _ in range(100):
        keep(store, os.urandom(8))
    record(store, large("gone"))
    record(store, large("kept"))
    with store.hold(), collecting(store):
        execute_gc(store, plan_gc(store, Policy(keep_last=1), later()))
    assert len(blob_files(store)) == 2
    repair(store, broken_index(store))
    for _ in range(3):
        store.attendance.beat()
    assert len(blob_files(store)) == 1


def test_an_end_while_the_index_is_written_anew_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    made, calls = record(store, 1), []
    rename = os.replace

    def ends(source: Path, target: Path) -> None:
        if Path(source).parent.name == "meta.new":
            calls.append(time.time())
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", ends)
    with pytest.raises(KeyboardInterrupt):
        store.index.rebuild()
    monkeypatch.setattr(os, "replace", rename)
    assert calls
    store.close()
    with Store(tmp_path / "store") as again:
        assert found(again, made) == [True]


def test_a_check_goes_on_behind_a_page_that_cannot_be_read(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        made = [record(store, number, f"node{number}") for number in range(200)]
    data = bytearray((tmp_path / "meta" / "data.mdb").read_bytes())
    for page in {at // 4096 for at in range(0, len(data), 2) if data[at : at + 16] == made[100].id}:
        data[page * 4096 + 10] ^= 0x01  # the flags that say what kind of page it is
    (tmp_path / "meta" / "data.mdb").write_bytes(data)
    with Store(tmp_path) as store:
        assert check(store).damage
        assert mended(store).damage == []
        assert found(store, made[0], made[-1]) == [True, True]


def test_lmdb_is_still_the_one_that_the_checks_were_written_for() -> None:
    assert lmdb.version(subpatch=False) >= (0, 9)
