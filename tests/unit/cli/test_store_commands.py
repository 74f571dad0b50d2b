"""`daggr gc`, `daggr fsck` and `daggr store`: what they print, what they remove, and how they end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from daggr.store import runs
from daggr.store.records import Output, Run, new_id
from daggr.store.store import Store

WEEK = 7 * 86400.0


def daggr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "daggr.cli", *arguments],
        cwd=folder,
        env=os.environ | {"DAGGR_STORE": str(folder / "store")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def old_id(age: float) -> bytes:
    """An id as of long ago."""
    return (int((time.time() - age) * 1000) << 80 | int.from_bytes(os.urandom(9), "big")).to_bytes(16, "big")


def record(store: Store, value: Any, node: str = "node", age: float = WEEK) -> Run:
    """A run of long ago."""
    staged = store.artifacts.stage(value)
    made = old_id(age) if age else new_id()
    run = Run(
        made, "graph", node, "fn", "local", "", b"f" * 32, staged.digest[:16], staged.digest[16:], (),
        (Output("output", staged.digest),), "done", time.time() - age, 1.0,
    )  # fmt: skip
    store.write(lambda txn: runs.put(txn, run, {}), [staged])
    return run


def filled(folder: Path) -> list[str]:
    """A store with three old results of one node and one of another; the keys of what is there."""
    with Store(folder / "store") as store:
        for number in range(3):
            record(store, f"{number}" * 50_000)
        record(store, "other" * 10_000, "other")
    return names(folder)


def names(folder: Path) -> list[str]:
    with Store(folder / "store") as store, store.read() as txn:
        return sorted(run.id.hex() for node in ("node", "other") for run in runs.by_node(txn, "graph", node))


def blobs(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "store" / "blobs").rglob("*") if path.is_file())


# ---------------------------------------------------------------- gc


def test_gc_says_what_would_go_and_changes_nothing(tmp_path: Path) -> None:
    before, files = filled(tmp_path), blobs(tmp_path)
    done = daggr(tmp_path, "gc", "--dry-run", "--keep-last", "1")
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("graph/node: 2 of 3 results go", "To remove: 2 results", "stay: among the last of a node"):
        assert text in done.stdout
    assert "Removed" not in done.stdout
    assert (names(tmp_path), blobs(tmp_path)) == (before, files)


def test_gc_removes_when_told_yes(tmp_path: Path) -> None:
    before, files = filled(tmp_path), blobs(tmp_path)
    done = daggr(tmp_path, "gc", "--yes", "--keep-last", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Removed 2 results" in done.stdout
    assert len(names(tmp_path)) == 2
    assert set(names(tmp_path)) < set(before)
    # what was put within the last hour stays as content, although its run is old
    assert blobs(tmp_path) == files
    assert daggr(tmp_path, "fsck", "--full").returncode == 0


@pytest.mark.parametrize(("wish", "left"), [
    (["--older-than", "1d"], 2), (["--older-than", "30d"], 4), (["--max-size", "0"], 2), (["--max-size", "1GB"], 4),
    (["--keep-last", "1", "--node", "other"], 4), (["--keep-last", "1", "--node", "graph/node"], 2), ([], 4),
])  # fmt: skip
def test_gc_does_as_it_is_asked(tmp_path: Path, wish: list[str], left: int) -> None:
    filled(tmp_path)
    done = daggr(tmp_path, "gc", "-y", *wish)
    assert done.returncode == 0, done.stderr
    assert len(names(tmp_path)) == left


def test_gc_asks_nobody_where_nobody_is(tmp_path: Path) -> None:
    before = filled(tmp_path)
    done = daggr(tmp_path, "gc", "--keep-last", "1")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == before
    done = daggr(tmp_path, "gc", "--keep-last", "1", "--yes")
    assert "Removed 2 results" in done.stdout, "the first one left no lock behind"


@pytest.mark.parametrize(("arguments", "example"), [
    (["--max-size", "ten"], "10GB"), (["--max-size", "10XB"], "10GB"), (["--max-size", "-1"], "10GB"),
    (["--older-than", "soon"], "30d"), (["--older-than", "3y"], "30d"), (["--older-than", ""], "30d"),
    (["--keep-last", "-1"], "keep-last"), (["--keep-last", "few"], "keep-last"),
])  # fmt: skip
def test_what_is_no_size_or_time_is_answered_with_an_example(
    tmp_path: Path, arguments: list[str], example: str
) -> None:
    done = daggr(tmp_path, "gc", "--yes", *arguments)
    assert done.returncode == 2, done
    assert example in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("command", ["gc", "fsck", "store"])
def test_where_there_is_no_store_none_is_made(tmp_path: Path, command: str) -> None:
    done = daggr(tmp_path, command)
    assert done.returncode == 2
    assert f"There is no store at {tmp_path / 'store'}" in done.stderr
    assert "DAGGR_STORE" in done.stderr
    assert not (tmp_path / "store").exists()
    filled(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    assert daggr(tmp_path / "elsewhere", command, "--store", str(tmp_path / "store")).returncode == 0


WRITER = """
import sys
from pathlib import Path
from daggr.store.store import Store
with Store(Path(sys.argv[1])) as store:
    known = {}
    def put():
        n = len(known)
        staged = store.artifacts.stage((n, "x" * 20_000))
        store.put([staged])
        known[n] = staged.digest
    put()
    print("writing", flush=True)
    while "stop" not in known.values() and not Path(sys.argv[2]).exists():
        put()
    for n, digest in known.items():
        assert store.load(digest)[0] == n
    print(len(known), flush=True)
"""


def test_gc_works_next_to_a_process_that_writes(tmp_path: Path) -> None:
    filled(tmp_path)
    command = [sys.executable, "-c", WRITER, str(tmp_path / "store"), str(tmp_path / "stop")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
            done = daggr(tmp_path, "gc", "--yes", "--keep-last", "1")
            assert "Open in 1 other process(es)." in daggr(tmp_path, "store").stdout
        finally:
            (tmp_path / "stop").touch()
        assert int(writer.stdout.readline()) > 10
        assert writer.wait(30) == 0
    assert (done.returncode, done.stderr) == (0, "")
    assert "Removed 2 results" in done.stdout
    assert daggr(tmp_path, "fsck", "--full").returncode == 0


# ---------------------------------------------------------------- fsck and store


def test_fsck_of_a_whole_store_ends_well_and_an_orphan_is_a_note(tmp_path: Path) -> None:
    filled(tmp_path)
    for depth in ([], ["--quick"], ["--full"]):
        done = daggr(tmp_path, "fsck", *depth)
        assert (done.returncode, done.stderr) == (0, "")
        assert "4 run" in done.stdout
        assert "0 damaged or missing" in done.stdout
    orphan = tmp_path / "store" / "blobs" / "ab" / ("ab" * 32)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left by a crash")
    done = daggr(tmp_path, "fsck", "--repair")
    assert done.returncode == 0
    assert "note: " in done.stdout
    assert "damage: " not in done.stdout
    assert orphan.exists()


def test_fsck_tells_damage_by_its_exit_code_and_repairs_it(tmp_path: Path) -> None:
    filled(tmp_path)
    path = blobs(tmp_path)[0]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert daggr(tmp_path, "fsck", "--quick").returncode == 0
    for depth in ([], ["--full"]):
        done = daggr(tmp_path, "fsck", *depth)
        assert done.returncode == 3
        assert "damage: a blob's bytes are not what was written" in done.stdout
    assert path.exists()
    done = daggr(tmp_path, "fsck", "--repair")
    assert done.returncode == 0, done
    assert "Repaired" in done.stdout
    assert "quarantine" in done.stdout
    assert not path.exists()
    assert daggr(tmp_path, "fsck", "--full").returncode == 0


def test_fsck_has_one_depth(tmp_path: Path) -> None:
    filled(tmp_path)
    done = daggr(tmp_path, "fsck", "--quick", "--full")
    assert (done.returncode, "exclude each other" in done.stderr) == (2, True)


def test_store_says_what_is_there(tmp_path: Path) -> None:
    filled(tmp_path)
    done = daggr(tmp_path, "store")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert rows["graph/node"][0] == "3"
    assert rows["graph/other"][0] == "1"
    assert rows["blobs"][0] == "4"
    assert rows["run"][0] == "4"
    assert f"{tmp_path / 'store'}" in done.stdout
