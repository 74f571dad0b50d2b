"""Several processes on one store: at the same time, killed, forked; and a machine that went down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daggr.errors import ConfigError
from daggr.store import store as store_module
from daggr.store.fsck.check import check
from daggr.store.store import Store
from tests.unit.store.rooms import blob_files, has, keep, staged_files

LARGE = "x" * 50_000
PATIENCE = 15.0
PRELUDE = """
import gc, multiprocessing, os, signal, sys, threading, time, traceback
from pathlib import Path
from daggr.errors import StoreError
from daggr.store import lease, records
from daggr.store.fsck.check import check
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy

root = Path(sys.argv[1])

def large(name):
    return f"{name} " * 10_000

def keep(store, value):
    staged = store.artifacts.stage(value)
    store.put([staged])
    return staged.digest

def forked(work):
    "What a forked child says of itself: `ok`, or why not."
    reader, writer = os.pipe()
    if not (child := os.fork()):
        signal.alarm(20)
        try:
            said = work() or "ok"
        except BaseException:
            said = traceback.format_exc()
        os.write(writer, said.encode()[-3000:])
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        said = pipe.read()
    assert (os.waitpid(child, 0)[1], said) == (0, "ok"), said
"""


def start(root: Path, script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + script, str(root), *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(*processes: subprocess.Popen[str]) -> list[str]:
    """What processes print until they end well."""
    said = []
    for process in processes:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children, too
            raise
        assert process.returncode == 0, err[-3000:]
        said.append(out)
    return said


def run(root: Path, script: str, *arguments: object) -> str:
    return finished(start(root, script, *arguments))[0]


# ---------------------------------------------------------------- two at once


def test_two_processes_that_put_the_same_contents_at_once_keep_each_once(tmp_path: Path) -> None:
    script = """
with Store(root) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=lambda k=k: [keep(store, (n, "x" * n * 300)) for n in range(k, 200, 4)])
               for k in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for n in range(200):
        assert store.load(store.artifacts.stage((n, "x" * n * 300)).digest) == (n, "x" * n * 300)
"""
    processes = [start(tmp_path, script) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    finished(*processes)
    with Store(tmp_path) as store:
        assert check(store, "full").findings == []
        large = sum(store.artifacts.stage((n, "x" * n * 300)).blob is not None for n in range(200))
        assert len(blob_files(store)) == large > 100
    assert list((tmp_path / "tmp").iterdir()) == []


def test_two_processes_see_each_others_results_as_they_come(tmp_path: Path) -> None:
    script = """
with Store(root) as store:
    for line in sys.stdin:
        what, value = line.split()
        print(keep(store, large(value)).hex() if what == "put" else store.load(bytes.fromhex(value)).split()[0],
              flush=True)
"""
    processes = [start(tmp_path, script) for _ in range(2)]

    def ask(which: int, what: str) -> str:
        process = processes[which]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{what}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    for number in range(10):
        identity = ask(number % 2, f"put {number}")
        assert ask(1 - number % 2, f"get {identity}") == str(number)
    finished(*processes)


def churn(store: Store, times: int) -> None:
    """Write and remove again."""
    for number in range(times):
        name = b"%032d" % (number % 7)
        store.write(lambda txn, name=name: txn.put(store_module.META, name, store_module.Note(os.urandom(3000))))  # type: ignore[misc]


def test_the_pages_that_a_killed_reader_looked_at_are_used_again(tmp_path: Path) -> None:
    script = """
store = Store(root)
with store.read() as txn:
    print("reading", flush=True)
    sys.stdin.readline()
"""
    data = tmp_path / "meta" / "data.mdb"
    with Store(tmp_path) as store:
        churn(store, 50)
        process = start(tmp_path, script)
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        before = data.stat().st_size
        churn(store, 300)
        pinned = data.stat().st_size
        assert pinned > before + 300 * 4096, "as long as it reads, nothing is used again"
        process.kill()
        process.communicate()
        store.attendance.beat()
        churn(store, 300)
        assert data.stat().st_size < pinned + 100 * 4096
        assert store.index.check_readers() == 0


# ---------------------------------------------------------------- forks


def test_a_forked_child_reads_and_writes_through_the_same_store(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
with Store(root) as store:
    before = keep(store, large("before"))
    room = store.attendance.path()
    room.write_text("the parent's")
    def child():
        assert store.load(before) == large("before")
        assert store.load(keep(store, large("child"))) == large("child")
        assert room.exists()
        with store.scratch() as folder:
            assert folder.parent != room.parent
    for _ in range(3):
        forked(child)
        assert room.exists()
        assert store.load(store.artifacts.stage(large("child")).digest) == large("child")
        assert store.load(keep(store, large(os.urandom(4)))) is not None
    children = [multiprocessing.get_context("fork").Process(target=child) for _ in range(2)]
    [one.start() for one in children]
    [one.join(30) for one in children]
    assert [one.exitcode for one in children] == [0, 0]
    assert room.exists()
    room.unlink()
    assert check(store, "full").findings == []
""",
    )
    with Store(tmp_path) as store:
        assert staged_files(store) == []


def test_a_fork_while_another_thread_writes_hangs_nobody(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
with Store(root) as store:
    before, over = keep(store, large("before")), threading.Event()
    def write():
        n = 0
        while not over.is_set():
            n += 1
            identity = keep(store, (n, "x" * (n % 5) * 9000))
            assert store.load(identity) == (n, "x" * (n % 5) * 9000)
    def child():
        assert store.load(before) == large("before")
        keep(store, large(os.getpid()))
    failed = []
    def watched():
        try:
            write()
        except BaseException:
            failed.append(traceback.format_exc())
    thread = threading.Thread(target=watched)
    thread.start()
    try:
        for _ in range(15):
            forked(child)
    finally:
        over.set()
        thread.join()
    assert failed == [], failed
    assert check(store, "full").findings == []
""",
    )


def test_a_read_transaction_of_another_thread_outlives_a_fork(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
with Store(root) as store:
    known = {keep(store, f"{n}" * 900): f"{n}" * 900 for n in range(50)}
    ready, go, read = threading.Event(), threading.Event(), []
    def look():
        with store.read() as txn:
            ready.set()
            go.wait()
            read.append({name: store.artifacts.load(txn, name) for name in known})
    thread = threading.Thread(target=look)
    thread.start()
    ready.wait()
    def child():
        try:
            keep(store, "child")
        except StoreError as error:
            assert "forked while its parent looked" in str(error)
        else:
            raise AssertionError("the child used what is the parent's")
    forked(child)
    for turn in range(30):
        store.write(lambda txn: [txn.delete(ARTIFACTS, name) for name in list(txn.keys(ARTIFACTS))])
        store.put([store.artifacts.stage(f"{turn} {n}" * 700) for n in range(30)])
    go.set()
    thread.join()
    assert read == [known]
""",
    )


@pytest.mark.parametrize("how", ["sys.exit(0)", "store.close(); os._exit(0)"])
def test_a_temporary_store_outlives_a_forked_child_that_ends(tmp_path: Path, how: str) -> None:
    run(
        tmp_path,
        f"""
store = Store(None)
identity = keep(store, large("mine"))
if not (child := os.fork()):
    {how}
os.waitpid(child, 0)
assert store.load(identity) == large("mine")
store.close()
""",
    )


def test_what_a_forked_child_holds_stays_there_for_it(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
store = Store(root)
identity = keep(store, large("old"))
ready, go = os.pipe(), os.pipe()
def child():
    with store.hold(), store.read() as txn:
        assert store.artifacts.has(txn, identity)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        assert store.artifacts.load(txn, identity) == large("old")
def collect():
    os.read(ready[0], 1)
    with collecting(store):
        execute_gc(store, plan_gc(store, Policy(), time.time() + 9000))
    for _ in range(3):
        store.attendance.beat()
    os.write(go[1], b"x")
collector = threading.Thread(target=collect)
collector.start()
forked(child)
collector.join()
store.close()
""",
    )


def test_a_forked_child_that_lives_on_does_not_keep_for_ever_what_gc_gave_up(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
lease.BEAT = 0.05
store = Store(root)
ready, go = os.pipe(), os.pipe()
if not (child := os.fork()):
    keep(store, large("child"))
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os._exit(0)
os.read(ready[0], 1)
keep(store, large("old"))
with collecting(store):
    execute_gc(store, plan_gc(store, Policy(), time.time() + 9000))
end = time.monotonic() + 3
while (left := len(list(root.glob("blobs/*/*")))) and time.monotonic() < end:
    time.sleep(0.05)
    store.attendance.beat()
os.write(go[1], b"x")
os.waitpid(child, 0)
store.close()
assert not left
""",
    )


def test_a_lock_that_another_thread_held_at_the_fork_is_free_in_the_child(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
with Store(root) as store:
    held, go = threading.Event(), threading.Event()
    def hold():
        with records._lock:
            held.set()
            go.wait()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    def child():
        signal.alarm(2)
        assert records.new_id()
        keep(store, 1)
    try:
        forked(child)
    finally:
        go.set()
        thread.join()
""",
    )


def test_a_closed_store_cannot_be_read_and_keeps_nobody_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    identity = keep(store, 1)
    store.close()
    try:
        with pytest.raises(store_module.StoreError, match="closed"):
            store.load(identity)
        with Store(tmp_path) as again:
            assert again.load(identity) == 1
    finally:
        store.index.close()


# ---------------------------------------------------------------- durability


def test_one_folder_has_one_durability_in_a_process(tmp_path: Path) -> None:
    with Store(tmp_path, "relaxed") as store:
        with pytest.raises(ConfigError, match="'relaxed'; given: 'full'"):
            Store(tmp_path)
        assert has(store, keep(store, 1))
    with Store(tmp_path) as store, pytest.raises(ConfigError, match="'full'; given: 'relaxed'"):
        Store(tmp_path, "relaxed")


def boot(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(store_module, "boot_id", lambda: name)


def lose(path: Path, how: str) -> None:
    size = path.stat().st_size
    path.chmod(0o644)
    path.write_bytes(bytes(size) if how == "zeros" else b"" if how == "empty" else path.read_bytes()[: size // 2])


def relaxed_and_lost(root: Path, how: str) -> tuple[bytes, bytes]:
    """Two values; the disk has lost the bytes of the second."""
    with Store(root, "relaxed") as store:
        whole = keep(store, LARGE + "whole")
        kept = set(blob_files(store))
        lost = keep(store, LARGE + "lost!")
        lose(next(path for path in blob_files(store) if path not in kept), how)
    return whole, lost


@pytest.mark.parametrize("how", ["zeros", "empty", "half"])
@pytest.mark.parametrize("durability", ["full", "relaxed"])
def test_after_the_machine_went_down_what_the_disk_lost_is_a_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, durability: store_module.Durability
) -> None:
    boot(monkeypatch, "first")
    whole, lost = relaxed_and_lost(tmp_path, how)
    boot(monkeypatch, "second")
    with Store(tmp_path, durability) as store:
        assert (has(store, whole), has(store, lost)) == (True, False)
        assert store.load(whole) == LARGE + "whole"
        assert keep(store, LARGE + "lost!") == lost
        assert has(store, lost)
        assert store.load(lost) == LARGE + "lost!"


@pytest.mark.parametrize("opened", [
    ["full", "full"], ["relaxed", "relaxed"],
    ["relaxed", "full"],
])  # fmt: skip
def test_a_store_stays_careful_after_the_machine_went_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[store_module.Durability]
) -> None:
    boot(monkeypatch, "first")
    whole, lost = relaxed_and_lost(tmp_path, "zeros")
    boot(monkeypatch, "second")
    for durability in opened:
        with Store(tmp_path, durability) as store:
            pass
    with Store(tmp_path, opened[-1]) as store:
        assert (has(store, whole), has(store, lost)) == (True, False)


def test_in_the_same_start_of_the_machine_nothing_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot(monkeypatch, "first")
    _, lost = relaxed_and_lost(tmp_path, "zeros")
    with Store(tmp_path, "relaxed") as store:
        assert has(store, lost), "that is what being careful costs, and here nobody was"


# ---------------------------------------------------------------- kills


def test_a_writer_that_is_killed_at_any_moment_has_what_it_acknowledged(tmp_path: Path) -> None:
    script = """
store = Store(root)
for n in range(100_000):
    print(keep(store, (n, "x" * (n % 3) * 20_000)).hex(), flush=True)
"""
    said: list[str] = []
    for wait in (0.0, 0.02, 0.07, 0.15):
        process = start(tmp_path, script)
        assert process.stdout is not None
        said.append(process.stdout.readline().strip())
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        said += process.communicate()[0].split("\n")[:-1]
    with Store(tmp_path) as store:
        assert check(store, "full").damage == []
        assert all(has(store, bytes.fromhex(name)) for name in said if len(name) == 64)
        assert len(said) >= 4
        assert staged_files(store) == []
