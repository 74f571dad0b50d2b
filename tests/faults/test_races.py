"""Moments that kills and faults hit by chance, made on purpose."""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daggr.errors import StoreError
from daggr.store import blobs, pins, runs, sheets, tables
from daggr.store.fsck.check import check
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.records import Binding, Head, Run
from daggr.store.store import Store
from daggr.store.tables import BLOBS, Txn
from tests.faults.invariants import violations
from tests.faults.writers import made
from tests.unit.store.rooms import blob_files, has, keep

PROJECT = Path(__file__).parents[2]
EVERYTHING = Policy(node="churn/node", keep_last=1, grace=0)
BLOB = "blob " * 10_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened
    assert violations(tmp_path / "store", []) == []


def record(store: Store, value: str) -> Run:
    """Record a run that was given a value and gave two, one of them large."""
    staged = [store.artifacts.stage(text) for text in (f"{value} given", f"{value} {BLOB}", value)]
    given, *outputs = [item.digest for item in staged]
    run = made("churn", "node", os.urandom(32), outputs, [given])
    store.write(lambda txn: runs.put(txn, run, {"leaf": bytes(32)}), staged)
    return run


def pin(txn: Txn, run: Run) -> None:
    pins.put(txn, run.id)


def show(txn: Txn, run: Run) -> None:
    sheets.change(txn, sheets.create(txn, "me", "churn"), inputs={}, heads={"node": Head(run.id, {})})


def show_what_it_fed(txn: Txn, run: Run) -> None:
    sheets.change(txn, sheets.create(txn, "me", "churn"), inputs={}, heads={"next": Head(run.id, {"edge": run.id})})


def remember(txn: Txn, run: Run) -> None:
    sheets.remember(txn, sheets.create(txn, "me", "churn").id, "node", run, {})


def feed(txn: Txn, run: Run) -> None:
    """Another run is given one of the things that it gave."""
    given = Binding("in", run.outputs[1].digest, "edge", run.id, "out1")
    runs.put(txn, msgspec.structs.replace(made("other", "next", os.urandom(32), []), inputs=(given,)), {})


@pytest.mark.parametrize("refer", [pin, show, show_what_it_fed, remember, feed])
def test_a_run_that_is_referred_to_after_the_plan_stays_with_all_that_it_names(
    store: Store, refer: Callable[[Txn, Run], None]
) -> None:
    old = record(store, "old")
    record(store, "new")
    with collecting(store):
        plan = plan_gc(store, EVERYTHING)
        assert list(plan.evict) == [old.id]
        store.write(lambda txn: refer(txn, old))
        execute_gc(store, plan)
    with store.read() as txn:
        found = list(runs.by_key(txn, old.key))
    if found:  # spared: then with all that it names
        assert [has(store, output.digest) for output in old.outputs] == [True, True]
        assert has(store, old.inputs[0].digest)
    else:
        assert refer is feed, "gone from under a pin, a sheet or a history"
        assert has(store, old.outputs[1].digest), "gone from under the run that was given it"


def test_what_is_put_between_the_beginning_of_a_collection_and_its_plan_stays_whole(store: Store) -> None:
    with collecting(store):
        old = record(store, "old")
        record(store, "new")
        loose = keep(store, BLOB)
        execute_gc(store, plan_gc(store, EVERYTHING))
        found = [has(store, digest) for digest in (*(output.digest for output in old.outputs), loose)]
    with store.read() as txn:
        assert not list(runs.by_key(txn, old.key)) or all(found)


def test_a_blob_that_goes_while_gc_plans_is_no_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process removes what is left of an earlier collection."""
    keep(store, BLOB)
    keep(store, BLOB * 2)
    real = os.scandir

    class Scan:
        def __init__(self, path: Any) -> None:
            with real(path) as entries:
                self.entries = list(entries)
            for entry in self.entries:
                if len(entry.name) == 64:
                    os.unlink(entry.path)

        def __enter__(self) -> Any:
            return self.entries

        def __exit__(self, *_: object) -> None:
            pass

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", Scan)
        plan_gc(store, EVERYTHING)
    for text in (BLOB, BLOB * 2):
        keep(store, text)


def test_a_blob_that_goes_while_its_twin_is_staged_is_no_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record(store, "old")
    with Store(store.root) as other:  # has not seen yet that the blob's bytes are right
        seen = blobs.has_size

        def sees(path: Path, size: int) -> bool:
            there = seen(path, size)
            path.unlink(missing_ok=True)
            return there

        with monkeypatch.context() as patched:
            patched.setattr(blobs, "has_size", sees)
            staged = other.artifacts.stage(f"old {BLOB}")
        other.put([staged])
        assert other.load(staged.digest) == f"old {BLOB}"


LOCKER = """
import sys
from pathlib import Path
from daggr.store.index import Index
index = Index(Path(sys.argv[1]))
for line in sys.stdin:
    index.write(lambda txn: None)
    print("it wrote", flush=True)
"""


def test_files_come_and_go_under_blobs_only_while_nobody_else_can_write(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a blob goes from under a row that somebody has just written."""
    seen: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(store.root / "meta")],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
    ) as other:  # fmt: skip
        assert other.stdin is not None
        assert other.stdout is not None
        say, answers = other.stdin, other.stdout

        asked: list[int] = []

        def could_write(seconds: float) -> bool:
            if not asked:
                say.write(b"write\n")
                asked.append(1)
            if not select.select([answers], [], [], seconds)[0]:
                return False
            answers.readline()
            asked.clear()
            return True

        def watched(call: Callable[..., None]) -> Callable[..., None]:
            def instead(*paths: Any, **options: Any) -> None:
                if any(str(path).startswith(str(store.blobs.folder)) for path in paths):
                    seen.append(call.__name__)
                    assert not could_write(0.2), f"{call.__name__} while others can write"
                call(*paths, **options)

            return instead

        try:
            assert could_write(20)
            for name in ("unlink", "replace", "rename"):
                monkeypatch.setattr(os, name, watched(getattr(os, name)))
            one = keep(store, BLOB)
            assert could_write(20)
            two = keep(store, BLOB * 2)
            assert could_write(20)
            with collecting(store):
                execute_gc(store, plan_gc(store, EVERYTHING))
            assert not has(store, one)
            assert not has(store, two)
            assert could_write(20)
            assert keep(store, BLOB) == one
            assert could_write(20)
            blob = next(path for path in blob_files(store))
            blob.chmod(0o644)
            blob.write_bytes(b"damaged")
            with pytest.raises(StoreError):
                store.load(one)
            store.put([])
            monkeypatch.undo()
        finally:
            other.kill()
    assert sorted(seen) == ["replace"] * 4 + ["unlink"] * 2
    keep(store, BLOB)


# ---------------------------------------------------------------- opening and closing


OPENER = """
import sys
from pathlib import Path
from daggr.store.store import Store
sys.stdin.readline()
with Store(Path(sys.argv[1])) as store:
    store.put([store.artifacts.stage("from " + sys.argv[2])])
"""


def test_many_may_make_a_store_at_once(tmp_path: Path) -> None:
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path / "store"), str(number)],
            cwd=PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(6)
    ]  # fmt: skip
    try:
        for process in crowd:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outcomes = [process.communicate(timeout=60)[1] for process in crowd]
        assert outcomes == [""] * len(crowd)
    finally:
        for process in crowd:
            process.kill()
            process.communicate()
    assert violations(tmp_path / "store", []) == []


def test_a_store_that_somebody_else_is_just_making_is_none_of_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process makes it between the look whether there is one and the look what else is there."""
    exists = Path.exists

    def too_early(path: Path, **options: Any) -> bool:
        if path.name == "FORMAT" and not exists(path):
            monkeypatch.undo()
            Store(tmp_path / "store").close()
            return False
        return exists(path, **options)

    monkeypatch.setattr(Path, "exists", too_early)
    with Store(tmp_path / "store") as store:
        keep(store, BLOB)


def test_a_closed_index_stays_closed(tmp_path: Path) -> None:
    """LMDB must not be open twice in a process; a thread that comes too late must not open it again."""
    with Store(tmp_path / "store") as store:
        keep(store, BLOB)
    for late in (store.index.last_txn, store.index.check_readers, store.attendance.beat, lambda: has(store, bytes(32))):
        with pytest.raises(StoreError):
            late()
    with Store(tmp_path / "store") as store:
        keep(store, "still there")


def test_a_store_that_could_not_be_opened_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(tmp_path / "store").close()
    before = threading.active_count()
    real = os.mkdir

    def fails(path: Any, *rest: Any, **options: Any) -> None:
        if Path(path).parent.name == "tmp":
            raise OSError(errno.EIO, "Input/output error", str(path))
        real(path, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", fails)
        with pytest.raises(StoreError):
            Store(tmp_path / "store")
    assert threading.active_count() <= before
    with Store(tmp_path / "store") as store:
        keep(store, BLOB)
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


# ---------------------------------------------------------------- durability


def test_what_was_committed_is_acknowledged_even_if_a_staged_file_cannot_be_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Any, **options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", fails)
        run = record(store, "value")
    with store.read() as txn:
        assert runs.get(txn, run.id) == run


@pytest.mark.parametrize("state", ["lost", "condemned"])
def test_a_blob_that_comes_back_is_as_durable_as_a_new_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """A kill between the removal of a file and its commit leaves a row without a file."""
    keep(store, BLOB)
    (path,) = blob_files(store)
    name = bytes.fromhex(path.name)
    path.unlink()
    if state == "condemned":

        def condemn(txn: Txn) -> None:
            row = txn.get(BLOBS, name)
            assert row is not None
            txn.put(BLOBS, name, type(row)(row.size, row.xxh3, True, row.ref_txn))

        store.write(condemn)
    synced: list[Path] = []
    real = tables.sync_folder
    monkeypatch.setattr(tables, "sync_folder", lambda folder: (synced.append(folder), real(folder)))
    keep(store, BLOB)
    assert path.parent in synced


REBUILDER = """
import os, sys
from pathlib import Path
from daggr.store.store import Store
store, left = Store(Path(sys.argv[1])), int(sys.argv[2])
real = os.replace
def replace(*paths):
    global left
    left -= 1
    if not left:
        os._exit(7)
    real(*paths)
os.replace = os.rename = replace
store.index.rebuild()
"""


@pytest.mark.parametrize("moment", [1, 2])
def test_a_kill_while_the_index_is_written_anew_loses_nothing(tmp_path: Path, moment: int) -> None:
    with Store(tmp_path / "store") as store:
        run, loose = record(store, "value"), keep(store, BLOB * 2)
    done = subprocess.run(
        [sys.executable, "-c", REBUILDER, str(tmp_path / "store"), str(moment)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 7), done.stderr
    with Store(tmp_path / "store") as store:
        assert check(store, "full").findings == []
        assert has(store, loose)
        with store.read() as txn:
            assert runs.get(txn, run.id) == run
