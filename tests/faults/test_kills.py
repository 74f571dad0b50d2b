"""kill -9, over and over: of processes that write, and of the one that collects, at any moment."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.invariants import acknowledged, violations

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the programs are forked")

PROJECT = Path(__file__).parents[2]
WRITERS = 4


class Nursery:
    """Starts programs of `tests.faults.writers`, and kills them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, *order: str | int) -> int:
        """Start a program; its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.writers", "nursery"],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield Nursery(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def kill(pid: int) -> None:
    """Kill a process, and wait until it is gone with all that it held. If it failed before, its log says so."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.0005)
    raise AssertionError(f"process {pid} does not die")


class Ordeal:
    """A store with four writers and a collector that are killed and start anew."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.root = folder / "store"
        self.logs = [folder / f"writer{number}" for number in range(WRITERS)]
        self.collector = folder / "collector"
        self.random = random.Random(seed)
        self.kills = 0
        self._living: dict[Path, int] = {}

    def round(self, nursery: Nursery, kills: int) -> None:
        """Kill so many processes, one after another; at the end all at once."""
        for log in (*self.logs, self.collector):
            self._start(nursery, log)
        for _ in range(kills):
            time.sleep(self.random.choice((0.002, 0.02, 0.05, 0.1)) * self.random.random() * 2)
            log = self.random.choice([*self.logs, self.collector, self.collector])
            kill(self._living[log])
            self._start(nursery, log)
        for pid in self._living.values():
            kill(pid)
        self.kills += kills + len(self._living)

    def _start(self, nursery: Nursery, log: Path) -> None:
        program = "collect" if log == self.collector else "write"
        self._living[log] = nursery.start(program, str(self.root), str(log), self.random.randrange(2**32))

    def wrong(self) -> list[str]:
        """What is not as it should be."""
        return violations(self.root, [acknowledged(log) for log in (*self.logs, self.collector)])

    def tale(self) -> Counter[str]:
        """How much was done."""
        done: Counter[str] = Counter(kills=self.kills)
        for log in (*self.logs, self.collector):
            for ack in acknowledged(log):
                done[ack["op"]] += 1
                done["evicted"] += ack.get("evicted", 0)
                done["freed"] += ack.get("freed", 0)
        return done


def suffer(folder: Path, seed: int, *, kills: int, rounds: int) -> Counter[str]:
    """So many kills in each of so many rounds; what was done."""
    ordeal = Ordeal(folder, seed)
    with nursery() as programs:
        for number in range(rounds):
            ordeal.round(programs, kills)
            wrong = ordeal.wrong()
            assert not wrong, (
                f"seed {seed}, round {number}: {len(wrong)} violations after {dict(ordeal.tale())}\n"
                + "\n".join(wrong[:20])
            )
    return ordeal.tale()


def check_it_was_hard(tale: Counter[str]) -> None:
    """A test of kills proves something only if much was written, collected and killed."""
    assert tale["run"] > 100, tale
    assert tale["evicted"] > 20, tale
    assert tale["gc"] > 5, tale
    assert tale["sheet"] > 20, tale
    assert tale["pin"] > 5, tale


def test_what_was_acknowledged_survives_kills_while_gc_is_at_work(tmp_path: Path) -> None:
    tale = suffer(tmp_path, random.randrange(2**32), kills=50, rounds=12)
    check_it_was_hard(tale)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_what_was_acknowledged_survives_fifteen_hundred_kills(tmp_path: Path, seed: int) -> None:
    tale = suffer(tmp_path, seed, kills=45, rounds=3)
    print(dict(tale))
    check_it_was_hard(tale)
