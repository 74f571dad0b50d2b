"""What several processes want from one store is executed once, and a killed owner is in nobody's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from daggr.engine.engine import Engine
from daggr.errors import StoreError
from daggr.store.claims import Claims
from daggr.store.store import Store
from tests.unit.engine.making import PATIENCE, ask, executed, go, load, making, square, wait_until

SOON = 1.0
"""Seconds until what a killed process had claimed is free, and executed by another one, at most."""

KEY = bytes(range(16))

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

PRELUDE = """
import os, random, sys, time
from pathlib import Path
from daggr.engine.engine import Engine
from daggr.store.store import Store
from tests.unit.engine.making import ask, ask_all, load, making, square

root, told = Path(sys.argv[1]), Path(sys.argv[2])
"""

SEVERAL = """
workers, keys = int(sys.argv[3]), int(sys.argv[4])
go, children = told.with_name("go"), []
for seed in range(workers):
    if child := os.fork():
        children.append(child)
        continue
    with Store(root) as store:
        engine = Engine(store)
        program = load(engine, making(told, concurrent=bool(seed % 2)))
        numbers = list(range(keys))
        random.Random(seed).shuffle(numbers)
        told.with_name(f"ready{seed}").touch()
        while not go.exists():
            time.sleep(0.001)
        ask_all(engine, program, numbers)
        engine.close()
    os._exit(0)
while not all(told.with_name(f"ready{seed}").exists() for seed in range(workers)):
    time.sleep(0.001)
go.touch()
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""

OWNER = """
with Store(root) as store:
    engine = Engine(store)
    future = ask(engine, load(engine, making(told, 60)), 7)
    while not told.exists():
        time.sleep(0.001)
    if sys.argv[3] == "with a child" and not os.fork():
        time.sleep(60)  # such as a worker of a pool, which outlives its parent
    print("claimed", flush=True)
    future.result()
"""


@contextmanager
def started(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process, and at the end all of its children are gone, too."""
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


@needs_fork
def test_eight_processes_that_want_the_same_500_results_compute_each_once(tmp_path: Path) -> None:
    root, told = tmp_path / "store", tmp_path / "told"
    with started(SEVERAL, root, told, 8, 500) as running:
        _, err = running.communicate(timeout=120)
    assert running.returncode == 0, err[-3000:]
    assert sorted(executed(told)) == list(range(500))
    left = [path for path in root.iterdir() if path.name not in ("FORMAT", "meta", "blobs", "files", "tmp")]
    assert [(path.name, path.stat().st_size) for path in left] == [("claims", 0)], "nothing piles up"
    assert list((root / "tmp").iterdir()) == []


@needs_fork
@pytest.mark.parametrize("child", ["alone", "with a child"])
def test_a_killed_owner_frees_its_key_at_once(tmp_path: Path, child: str) -> None:
    root, told = tmp_path / "store", tmp_path / "told"
    with started(OWNER, root, told, child) as owner, Store(root) as store:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "claimed\n"
        engine = Engine(store)
        waiting = ask(engine, load(engine, making(told, 60)), 7)
        time.sleep(0.2)
        assert executed(told) == [7], "it waits"
        os.kill(owner.pid, signal.SIGKILL)
        assert wait_until(lambda: executed(told) == [7, 7]) < SOON
        go(told)
        assert square(engine, waiting.result(PATIENCE)) == 49
        engine.close()
    assert executed(told) == [7, 7]


# ---------------------------------------------------------------- claims


def test_a_claim_excludes_every_store_of_the_folder_until_it_is_released(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    with Store(tmp_path / "store") as one, Store(tmp_path / "link") as two, Store(tmp_path / "else") as third:
        claim = one.claims.take(KEY)
        assert claim is not None
        assert [store.claims.take(KEY) for store in (one, two)] == [None, None]
        assert third.claims.take(KEY) is not None
        assert two.claims.take(bytes(reversed(KEY))) is not None
        claim.release()
        again = two.claims.take(KEY)
        assert again is not None
        claim.release()  # the first one's, which is over: not the second one's
        assert one.claims.take(KEY) is None


def test_a_store_that_is_closed_does_not_end_the_claims_of_another_one(tmp_path: Path) -> None:
    with Store(tmp_path) as one:
        assert one.claims.take(KEY) is not None
        with Store(tmp_path) as two:
            assert two.claims.take(KEY) is None
        assert taken_elsewhere(tmp_path, KEY)
        with pytest.raises(StoreError, match="closed"):
            two.claims.take(KEY)
    assert not taken_elsewhere(tmp_path, KEY)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_no_claims_and_ends_none(tmp_path: Path) -> None:
    claims, other = Claims(tmp_path), bytes(reversed(KEY))
    held = [claims.take(KEY), claims.take(other)]
    asked, answered = os.pipe(), os.pipe()
    if not (child := os.fork()):
        signal.alarm(20)
        refused = claims.take(KEY) is None
        if held[1] is not None:
            held[1].release()  # as `finally` blocks of the parent may do here
        os.write(answered[1], b"x")
        os.read(asked[0], 1)
        os._exit(0 if refused and claims.take(KEY) is not None else 1)
    os.read(answered[0], 1)
    assert taken_elsewhere(tmp_path, KEY)
    assert taken_elsewhere(tmp_path, other)
    assert held[0] is not None
    held[0].release()
    os.write(asked[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    for end in (*asked, *answered):
        os.close(end)
    assert not taken_elsewhere(tmp_path, KEY)
    claims.close()
    assert not taken_elsewhere(tmp_path, other)


def test_what_cannot_be_claimed_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    with pytest.raises(StoreError, match="fsck"):
        Claims(tmp_path).take(KEY)


def taken_elsewhere(root: Path, key: bytes) -> bool:
    """Whether a process of its own finds a key claimed."""
    script = "from daggr.store.claims import Claims; sys.exit(Claims(root).take(bytes.fromhex(sys.argv[2])) is None)"
    return bool(subprocess.run([sys.executable, "-c", PRELUDE + script, root, key.hex()], check=False).returncode)
