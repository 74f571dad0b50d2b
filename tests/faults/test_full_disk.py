"""Full disks and full maps, real ones: what does not fit is refused, all else goes on, and gc makes room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daggr import Graph
from daggr.digest import Digest
from daggr.errors import StoreFullError
from daggr.store import artifacts, environment, runs
from daggr.store.fsck.check import check
from daggr.store.gc.execute import GcResult, collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.store import Store
from tests.faults.invariants import violations
from tests.faults.writers import made
from tests.handmade import Field, node
from tests.serving import serving
from tests.unit.store.rooms import blob_files, has, keep, staged_files

PROJECT = Path(__file__).parents[2]
INLINE = "inline " * 1_700
BLOB = "blob " * 10_000
SMALL = 16 * 2**20


@contextmanager
def small_disk(folder: Path, size: int = SMALL) -> Iterator[Path]:
    """A disk of so many bytes; skips the test where none can be mounted."""
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk can be mounted on Linux by root only")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "daggr-tests", str(folder)]
    if (tried := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def fill(disk: Path, leave: int = 0) -> None:
    """Fill a disk up, but for so many bytes."""
    with open(disk / "ballast", "wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    if leave:
        os.truncate(disk / "ballast", os.path.getsize(disk / "ballast") - leave)


def record(store: Store, graph: str, *values: Any) -> tuple[bytes, list[Digest]]:
    """Record a run that gave some values; its id, and their digests."""
    staged = [store.artifacts.stage(value) for value in values]
    run = made(graph, "node", os.urandom(32), [item.digest for item in staged])
    store.write(lambda txn: runs.put(txn, run, {}), staged)
    return run.id, [item.digest for item in staged]


def until_full(work: Callable[[int], object], most: int = 5_000) -> int:
    """Do something until there is no room for it; how often there was."""
    for number in range(most):
        try:
            work(number)
        except StoreFullError as error:
            if "daggr gc" not in error.hint:
                raise
            return number
    raise AssertionError(f"{most} times were not enough to fill it")


def garbage(store: Store, monkeypatch: pytest.MonkeyPatch, count: int) -> list[Digest]:
    """Values that nothing refers to, put long ago: large and small ones."""
    with monkeypatch.context() as past:
        past.setattr(artifacts, "time", SimpleNamespace(time=lambda: 1.0))
        staged = [store.artifacts.stage(f"{number} {BLOB if number % 3 == 0 else number}") for number in range(count)]
        store.put(staged)
    return [item.digest for item in staged]


def collect(store: Store) -> GcResult:
    with collecting(store):
        return execute_gc(store, plan_gc(store, Policy()))


# ---------------------------------------------------------------- a full disk


def test_a_full_disk_refuses_what_does_not_fit_and_reads_on(disk: Path) -> None:
    with Store(disk / "store") as store:
        _, known = record(store, "keep", BLOB, INLINE, "small")
        fill(disk)
        for size in (17_000, 50_000, 500_000, 20_000_000):
            with pytest.raises(StoreFullError, match="No space left") as caught:
                store.artifacts.stage("x" * size)
            assert "daggr gc" in caught.value.hint
        for size in (1, 100, 100_000):  # less than what Python buffers, and more
            with pytest.raises(StoreFullError):
                store.blobs.stage([b"x" * size])
        (disk.parent / "large").write_bytes(b"x" * 20_000_000)
        with pytest.raises(StoreFullError):
            store.artifacts.stage_file(disk.parent / "large")
        until_full(lambda number: record(store, "keep", f"{number} {INLINE}"))
        assert staged_files(store) == []
        assert [store.load(digest) for digest in known] == [BLOB, INLINE, "small"]
        (disk / "ballast").unlink()
        record(store, "keep", "there is room again", BLOB * 2)
    assert violations(disk / "store", []) == []


def test_a_full_disk_can_be_closed_and_opened(disk: Path) -> None:
    before = set(threading.enumerate())
    with Store(disk / "store") as store:
        run, known = record(store, "keep", BLOB, INLINE)
        fill(disk)
        until_full(lambda number: record(store, "keep", f"{number} {INLINE}"))
        store.uses.note(run)
    assert list((disk / "store" / "tmp").iterdir()) == []
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "daggr-lease"]
    with Store(disk / "store") as store:
        assert [store.load(digest) for digest in known] == [BLOB, INLINE]
    (disk / "ballast").unlink()
    assert violations(disk / "store", []) == []


def test_a_full_disk_is_not_taken_for_damage(disk: Path) -> None:
    with Store(disk / "store") as store:
        record(store, "keep", BLOB, INLINE)
        fill(disk)
        with suppress(StoreFullError):  # it may say that it has no room to look
            assert check(store, "full").damage == []
        assert staged_files(store) == []


def test_a_file_for_which_there_is_no_room_is_an_error_of_the_store(disk: Path) -> None:
    with Store(disk / "store") as store:
        staged = store.artifacts.stage_blob(store.blobs.stage([b"file " * 10_000]), "file.txt")
        store.put([staged])
        fill(disk)
        with pytest.raises(StoreFullError), store.scratch() as folder:
            store.load(staged.digest, folder)
        with pytest.raises(StoreFullError):
            store.load(staged.digest)
        assert [path for path in (disk / "store" / "files").rglob("*") if path.is_file()] == []
        (disk / "ballast").unlink()
        assert Path(store.load(staged.digest)).read_bytes() == b"file " * 10_000


@pytest.mark.parametrize("count", [30, 300, 3_000])
def test_gc_makes_room_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    with small_disk(tmp_path / "disk", SMALL + count * 25_000) as disk:
        with Store(disk / "store") as store:
            _, known = record(store, "keep", BLOB, INLINE)
            lost = garbage(store, monkeypatch, count)
            fill(disk)
            until_full(lambda number: record(store, "keep", f"{number} {INLINE}"))
        done = subprocess.run(
            [sys.executable, "-m", "daggr.cli", "gc", "--yes", "--store", str(disk / "store")],
            cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        with Store(disk / "store") as store:
            assert not any(has(store, digest) for digest in lost)
            for number in range(count // 6):
                record(store, "keep", f"{number} {BLOB}")
            assert [store.load(digest) for digest in known] == [BLOB, INLINE]
        (disk / "ballast").unlink()
        assert violations(disk / "store", []) == []


def test_of_several_that_share_a_commit_those_that_fit_are_kept(disk: Path) -> None:
    with Store(disk / "store") as store:
        fill(disk, leave=400_000)
        go = threading.Event()
        first: Future[bool] = store.submit(lambda txn: go.wait(10))
        staged = [store.artifacts.stage(f"{number} {INLINE}") for number in range(60)]
        waiting = [store.submit(lambda txn: None, [item]) for item in staged]
        go.set()
        wait([first, *waiting], timeout=60)
        kept = [item.digest for item, future in zip(staged, waiting, strict=True) if future.exception() is None]
        refused = [item.digest for item in staged if item.digest not in kept]
        assert kept
        assert refused
        assert all(isinstance(future.exception(), (StoreFullError, type(None))) for future in waiting)
        (disk / "ballast").unlink()
    with Store(disk / "store") as store:
        assert all(has(store, digest) for digest in kept)
        assert not any(has(store, digest) for digest in refused)
    assert violations(disk / "store", []) == []


def test_blobs_without_a_record_leave_no_damage(disk: Path) -> None:
    """They were renamed into place; then the index had no room."""
    with Store(disk / "store") as store:
        staged = [store.artifacts.stage(f"{number} {BLOB}") for number in range(20)]
        fill(disk)
        until_full(lambda number: record(store, "keep", f"{number} {INLINE}"))
        outcomes = [store.submit(lambda txn: None, [item]).exception() for item in staged]
        assert all(isinstance(outcome, (StoreFullError, type(None))) for outcome in outcomes)
        assert staged_files(store) == []
        kept = [item.digest for item, outcome in zip(staged, outcomes, strict=True) if outcome is None]
        (disk / "ballast").unlink()
        assert all(has(store, digest) for digest in kept)
        again = [keep(store, f"{number} {BLOB}") for number in range(20)]
        assert [item.digest for item in staged] == again
    assert violations(disk / "store", []) == []


LIMITED = """
import resource, sys
from pathlib import Path
from daggr.errors import StoreFullError
from daggr.store.store import Store
with Store(Path(sys.argv[1])) as store:
    small = store.artifacts.stage("small " * 5_000)
    store.put([small])
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
    for size in (2**20 + 1, 2**22):
        try:
            store.put([store.artifacts.stage("x" * size)])
        except StoreFullError as error:
            print("daggr gc" in error.hint)
    print(store.load(small.digest) == "small " * 5_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.put([store.artifacts.stage("x" * size)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="such limits are those of POSIX")
def test_a_limit_on_the_size_of_files_is_like_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "store")],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["True"] * 3, "")
    assert violations(tmp_path / "store", []) == []


# ---------------------------------------------------------------- a full map


@pytest.fixture
def small_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "MAP_SIZE", 2**20)
    monkeypatch.setattr(environment, "LEAST_MAP_SIZE", 2**20)


@pytest.mark.usefixtures("small_map")
def test_a_full_map_refuses_what_does_not_fit_and_gc_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "store") as store:
        _, known = record(store, "keep", BLOB, INLINE)
        lost = garbage(store, monkeypatch, 60)
        fitted = until_full(lambda number: record(store, "keep", f"{number} {INLINE}"))
        assert fitted > 5
        assert [store.load(digest) for digest in known] == [BLOB, INLINE]
        assert staged_files(store) == []
        assert not [path for path in blob_files(store) if path.stat().st_size == 0]
    with Store(tmp_path / "store") as store:
        assert [store.load(digest) for digest in known] == [BLOB, INLINE]
        collect(store)
        assert not any(has(store, digest) for digest in lost)
        record(store, "keep", "there is room again", BLOB)
    assert violations(tmp_path / "store", []) == []


# ---------------------------------------------------------------- over HTTP


def echo() -> Graph:
    """A graph whose only node is given a text."""
    return Graph("echo", nodes=[node("echo", text=Field("", label="text"))])


def is_problem(answer: Any) -> bool:
    """Whether an answer says in the way of RFC 9457 that the store is full."""
    assert answer.status_code == 507, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == 507
    return "full" in problem["title"] and "daggr gc" in answer.text


def test_an_upload_to_a_full_disk_is_answered_with_507(disk: Path) -> None:
    with serving(echo(), disk / "store") as served:
        there = served.http.put("/api/uploads", params={"name": "a.bin"}, content=b"a" * 50_000).json()["url"]
        fill(disk)
        for size in (100, 50_000, 5_000_000):
            assert is_problem(served.http.put("/api/uploads", params={"name": "b.bin"}, content=b"b" * size))
        assert served.http.get(there).content == b"a" * 50_000
        (disk / "ballast").unlink()
        assert served.http.put("/api/uploads", params={"name": "b.bin"}, content=b"b" * 5_000_000).is_success


@pytest.mark.usefixtures("small_map")
def test_a_call_that_the_store_has_no_room_for_is_answered_with_507(tmp_path: Path) -> None:
    with serving(echo(), tmp_path / "store") as served:
        answers = [served.call({"echo__text": "known"})]
        while answers[-1].is_success and len(answers) < 500:
            answers.append(served.call({"echo__text": f"{len(answers)} {INLINE}"}))
        assert is_problem(answers[-1])
        assert served.call({"echo__text": "known"}).json() == answers[0].json()
