"""What only a folder can show: crashes, rights, foreign files."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daggr.errors import SyncError
from daggr.store.backends.base import Item, Stat
from daggr.store.backends.local import LocalBackend

WRITER = """
import sys
from pathlib import Path
from daggr.store.backends.base import Item
from daggr.store.backends.local import LocalBackend

def items():
    number = 0
    while True:
        yield Item(f"idx/{number}", bytes([number % 256]) * 300_000)
        number += 1
        print(number, flush=True)

LocalBackend(sys.argv[1]).put_many(items(), last=[Item("last", b"")])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011])
def test_a_killed_writer_leaves_no_part(tmp_path: Path, delay: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    backend = LocalBackend(tmp_path)
    keys = [stat.key for stat in backend.list()]
    assert len(keys) >= 4
    assert "last" not in keys
    for key in keys:
        assert backend.get(key) == bytes([int(key.removeprefix("idx/")) % 256]) * 300_000


def test_what_killed_writers_left_is_swept_after_a_day(tmp_path: Path) -> None:
    (tmp_path / ".tmp").mkdir()
    old, young = tmp_path / ".tmp" / "old", tmp_path / ".tmp" / "young"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    LocalBackend(tmp_path).put_many([Item("key", b"")])
    assert [path.name for path in (tmp_path / ".tmp").iterdir()] == ["young"]


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this user may read but not write; who may do everything is somebody else meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="daggr-read-only-"))
    user = os.geteuid()
    try:
        LocalBackend(folder).put_many([Item("key", b"value")])
        for path in (folder, folder / ".tmp"):
            path.chmod(0o555)
        if user == 0:
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(user)
        for path in (folder, folder / ".tmp"):
            path.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such rights there")
def test_a_read_only_folder(read_only: Path) -> None:
    backend = LocalBackend(read_only)
    assert backend.get("key") == b"value"
    assert list(backend.list()) == [Stat("key", 5)]
    for call in (lambda: backend.put_many([Item("new", b"")]), lambda: backend.delete_many(["key"])):
        with pytest.raises(SyncError) as raised:
            call()
        assert not raised.value.retryable
        assert "make this one writable" in raised.value.hint


@pytest.mark.parametrize(
    ("number", "retryable", "word"),
    [
        (errno.EROFS, False, "folder"),
        (errno.EACCES, False, "folder"),
        (errno.ENOSPC, False, "room"),
        (errno.EBUSY, True, "again"),
        (errno.ETIMEDOUT, True, "again"),
    ],
)
def test_what_the_disk_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, retryable: bool, word: str
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(number, os.strerror(number), str(target))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(SyncError) as raised:
        LocalBackend(tmp_path).put_many([Item("key", b"")], last=[Item("last", b"")])
    assert raised.value.retryable is retryable
    assert word in raised.value.hint
    assert "'key'" in raised.value.message
    monkeypatch.undo()
    assert [path.name for path in tmp_path.rglob("*")] == [".tmp"]


def test_a_file_in_place_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SyncError) as raised:
        LocalBackend(tmp_path / "file" / "remote").put_many([Item("key", b"")])
    assert not raised.value.retryable
    assert list(LocalBackend(tmp_path / "file" / "remote").list()) == []


def test_a_key_that_is_a_folder_of_another_is_refused(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    backend.put_many([Item("a/b", b"1")])
    for key in ("a", "a/b/c"):
        with pytest.raises(SyncError) as raised:
            backend.put_many([Item(key, b"2")])
        assert not raised.value.retryable
    assert list(backend.list()) == [Stat("a/b", 1)]


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "remote")
    assert backend.get("key") is None
    assert list(backend.list()) == []
    backend.delete_many(["key"])
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_not_listed(tmp_path: Path) -> None:
    for name in (".DS_Store", "README.txt", "a b", "ok"):
        (tmp_path / name).touch()
    (tmp_path / "Folder").mkdir()
    (tmp_path / "Folder" / "a").touch()
    assert [stat.key for stat in LocalBackend(tmp_path).list()] == ["ok"]


def test_items_are_durable_before_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is synced before it is moved, and the folders before anything of `last` is."""
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append("sync folder" if os.path.isdir(f"/dev/fd/{descriptor}") else "sync file")
        fsync(descriptor)

    def noted_replace(source: Path, target: Path) -> None:
        steps.append(f"move {target.name}")
        replace(source, target)

    backend = LocalBackend(tmp_path)
    backend.put_many([Item("warm", b""), Item("idx/warm", b"")])
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "fdatasync", noted_fsync, raising=False)
    monkeypatch.setattr(os, "replace", noted_replace)
    backend.put_many([Item("a", b""), Item("idx/b", b"")], last=[Item("last", b"")])
    if sys.platform == "linux":
        assert steps == [
            *("sync file", "move a", "sync file", "move b", "sync folder", "sync folder"),
            *("sync file", "move last", "sync folder"),
        ]


def test_two_processes_worth_of_backends_share_a_folder(tmp_path: Path) -> None:
    backends = [LocalBackend(tmp_path / "deep" / "remote") for _ in range(8)]
    start = threading.Barrier(len(backends))

    def put(number: int) -> None:
        start.wait()
        backends[number].put_many([Item("idx/same", b"x"), Item(f"idx/{number}", b"y")])

    crew = [threading.Thread(target=put, args=(number,)) for number in range(len(backends))]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert len(list(backends[0].list("idx/"))) == 9
