"""Faults of the system, one at a time: the k-th write, sync, rename … of a program fails, or is its last (strace)."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from daggr.store import runs
from daggr.store.records import new_id
from daggr.store.store import Store
from daggr.store.tables import RUNS
from tests.faults.invariants import violations
from tests.faults.writers import made
from tests.unit.store.rooms import keep

PROJECT = Path(__file__).parents[2]
CALLS = ("write", "pwrite64", "writev", "fdatasync", "fsync", "rename", "mkdir", "unlink")
FAULTS = ("KILL", "ENOSPC", "EIO")
SPREAD = 4
"""Places that are tried in a normal run, for each call and fault."""


@functools.cache
def why_not() -> str:
    """Why strace cannot be used here; empty if it can."""
    if (strace := shutil.which("strace")) is None:
        return "strace is not installed"
    tried = subprocess.run(
        [strace, "-f", "-o", os.devnull, "-e", "inject=getppid:error=EIO:when=9", sys.executable, "-c", ""],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return f"strace cannot trace or inject here: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.fixture(autouse=True)
def strace_works() -> None:
    if reason := why_not():
        pytest.skip(reason)


class Outcome:
    """What a traced program said, and how it ended."""

    def __init__(self, said: list[dict[str, Any]], code: int, trace: list[str]) -> None:
        self.said = said
        self.code = code
        self.trace = trace

    def of(self, op: str) -> list[dict[str, Any]]:
        return [what for what in self.said if what["op"] == op]

    def runs(self, op: str) -> set[str]:
        return {what["run"] for what in self.of(op) if what["run"]}


def run_steps(root: Path, *options: str) -> Outcome:
    """Run the steps under strace."""
    ours, theirs = socket.socketpair()
    program = [sys.executable, "-m", "tests.faults.writers", "steps", str(root), str(theirs.fileno())]
    trace = root.with_name("trace")
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    with ours, ours.makefile("rb") as said, theirs, subprocess.Popen(
        ["strace", "-f", "-o", str(trace), *options, *program],
        cwd=PROJECT, env=environment, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        theirs.close()
        try:
            lines = [json.loads(line) for line in said]
            code = process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return Outcome(lines, code, trace.read_text(errors="replace").splitlines())


@functools.cache
def counts(folder: Path, fresh: bool) -> Counter[str]:
    """How often the steps make each call, in the thread that makes it most: strace counts threads apart."""
    root = store_in(folder / f"dry-{fresh}", fresh=fresh)
    outcome = run_steps(root, f"-etrace={','.join(CALLS)}", "--seccomp-bpf")
    assert outcome.code == 0
    assert outcome.of("closed"), outcome.said
    assert not outcome.of("failed"), outcome.said
    found: Counter[str] = Counter()
    for (_, call), number in Counter(
        (match[1], match[2]) for line in outcome.trace if (match := re.match(r"(\d+) +(\w+)\(", line))
    ).items():
        found[call] = max(found[call], number)
    return found


def store_in(folder: Path, *, fresh: bool) -> Path:
    """Where the steps shall have their store: there is none yet, or one with a past."""
    folder.mkdir(parents=True)
    if not fresh:
        with Store(folder / "store") as store:
            for number in range(20):
                value = f"past {number}" * (3_000 if number % 4 == 0 else 30)
                run = made("past", "a", new_id() * 2, [keep(store, value)])
                store.write(lambda txn, run=run: runs.put(txn, run, {}))  # type: ignore[misc]
    return folder / "store"


def try_at(folder: Path, call: str, fault: str, when: str, *, fresh: bool) -> bool:
    """Run the steps with a fault, and look at what they left. Whether there was a fault: the steps vary a little."""
    root = store_in(folder, fresh=fresh)
    what = "signal=KILL" if fault == "KILL" else f"error={fault}"
    quick = [] if fault == "KILL" else ["--seccomp-bpf"]  # with which strace 6.1 sends no signals
    outcome = run_steps(root, *quick, f"-etrace={','.join(CALLS)}", f"-einject={call}:{what}:when={when}")
    injected = [line for line in outcome.trace if "INJECTED" in line or "SIGKILL" in line]
    wrong = violations(root, [outcome.said]) + list(broken_order(root, outcome))
    if fault != "KILL":
        wrong += list(not_survived(outcome, fault))
    assert not wrong, "\n".join(
        [f"{fault} at {call} number {when}, fresh={fresh}:", *wrong, *injected[:6], *map(str, outcome.said[-12:])]
    )
    shutil.rmtree(folder)
    return bool(injected)


def broken_order(root: Path, outcome: Outcome) -> list[str]:
    """Runs that are there although they should not be."""
    begun, done, failed = (outcome.runs(op) for op in ("begin", "run", "failed"))
    with Store(root) as store, store.read() as txn:
        there = {run.id.hex() for _, run in txn.scan(RUNS) if run.graph != "past"}
    wrong = [f"the run {run[:12]} was said to have failed, and is there" for run in there & failed]
    wrong += [f"the run {run[:12]} is there, and was never begun" for run in there - begun]
    order = [what["run"] for what in outcome.of("begin")]
    last = max((order.index(run) for run in done), default=-1)
    late = [run for run in there - done - failed if order.index(run) > last + 4]
    return wrong + [f"the run {run[:12]} is there, long after the last that was acknowledged" for run in late]


def not_survived(outcome: Outcome, fault: str) -> list[str]:
    """What a process that met a fault should have been able to do."""
    kinds = {what["kind"] for op in ("failed", "unopened") for what in outcome.of(op)}
    wrong = (
        []
        if fault != "ENOSPC" or kinds <= {"StoreFullError", "StoreAccessError"}
        else [f"raised {kinds} when the disk was full"]
    )
    if fault == "EIO" and "StoreFullError" in kinds:
        wrong.append("raised StoreFullError when the disk failed")
    wrong += [f"could not read any more: {what}" for what in outcome.of("unread")]
    if outcome.of("given up"):
        return wrong
    if outcome.code != 0 or not outcome.of("closed"):
        wrong.append(f"did not come to its end: exit code {outcome.code}")
    last = [what["op"] for what in outcome.said if what["op"] in ("run", "failed")][-1:]
    return wrong if last == ["run"] else [*wrong, "the last write failed, too"]


def places(most: int) -> list[int]:
    """Where to inject in a normal run: spread over all calls."""
    return sorted({1 + round(place * (most - 1) / (SPREAD - 1)) for place in range(SPREAD)} if most else set())


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("steps")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_at_most_what_was_not_acknowledged(tmp_path: Path, room: Path, call: str, fault: str) -> None:
    tried = [
        try_at(tmp_path / str(number), call, fault, str(number), fresh=False)
        for number in places(counts(room, False)[call])
    ]
    assert sum(tried) > len(tried) // 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_a_store_is_made_leaves_one_that_opens(tmp_path: Path, room: Path, fault: str) -> None:
    for call, most in counts(room, True).items():
        number = 1 + most // 3
        assert try_at(tmp_path / f"{call}{number}", call, fault, str(number), fresh=True)


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
def test_a_disk_that_fails_for_a_while_is_survived(tmp_path: Path, room: Path, fault: str) -> None:
    for call in ("pwrite64", "writev", "fdatasync"):
        number = counts(room, False)[call] // 3
        assert try_at(tmp_path / call, call, fault, f"{number}..{number + 3}", fresh=False)


# ---------------------------------------------------------------- power cuts


class Disk:
    """What of a store's files the disk has for certain, by a trace of what was done to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self._dirty: dict[str, str] = {}
        self._next: dict[str, str] = {}
        """What is being done for the next commit, while another thread acknowledges the last one."""
        self._waits: set[str] = set()
        """Descriptors whose writes wait for the disk."""

    def follow(self, trace: list[str]) -> None:
        """Look at each call when it has ended."""
        begun: dict[str, str] = {}
        for line in trace:
            pid, _, text = line.partition(" ")
            text = text.strip()
            if text.endswith("<unfinished ...>"):
                begun[pid] = text.removesuffix("<unfinished ...>")
            elif text.startswith("<... "):
                self._done(begun.pop(pid, "") + text.partition("resumed>")[2], line)
            else:
                self._done(text, line)

    def _done(self, text: str, line: str) -> None:
        call, paths = text.partition("(")[0], re.findall(r'[<"](/[^>"]*)[>"]', text)
        path = paths[0] if paths else ""
        if call == "sendto" and r"{\"op\": \"run\"" in text:
            self._must_be_clean("acknowledged", line)
        if call == "openat" and "O_DSYNC" in text:
            self._waits.add(text.rpartition("= ")[2].partition("<")[0])
        if not path.startswith(str(self.root)):
            return
        index = path.endswith("data.mdb")
        if call == "pwrite64" and ", 120, " in text:  # the page of LMDB's that makes a commit
            self._dirty |= self._next
            self._next.clear()
            self._must_be_clean("committed", line)
            if text.partition("(")[2].partition("<")[0] not in self._waits:
                self._dirty[path] = line
        elif call in ("write", "pwrite64", "writev") and (index or "/tmp/" in path.removeprefix(str(self.root))):
            self._next[path] = line
        elif call in ("fsync", "fdatasync"):
            self.seen["synced"] += 1
            self._dirty.pop(path, None)
            self._next.pop(path, None)
        elif call == "rename" and "/blobs/" in paths[1]:
            self.seen["renamed"] += 1
            if paths[0] in self._dirty or paths[0] in self._next:
                self.wrong.append(f"renamed before it was synced: {line}")
            self._next[os.path.dirname(paths[1])] = line
        elif call == "mkdir" and os.path.dirname(path).endswith("/blobs"):
            self._next[os.path.dirname(path)] = line

    def _must_be_clean(self, what: str, line: str) -> None:
        self.seen[what] += 1
        if self._dirty:
            self.wrong.append(f"{what} by {line}\n  before this was durable: {list(self._dirty.values())}")


@pytest.mark.parametrize("fresh", [True, False])
def test_what_is_acknowledged_would_survive_a_power_cut(tmp_path: Path, fresh: bool) -> None:
    root = store_in(tmp_path / "room", fresh=fresh)
    outcome = run_steps(root, "--seccomp-bpf", "-y", f"-etrace={','.join(CALLS)},sendto,openat")
    disk = Disk(root)
    disk.follow(outcome.trace)
    assert not disk.wrong, "\n".join(disk.wrong[:5])
    assert disk.seen["acknowledged"] == len(outcome.of("run")) > 8
    assert disk.seen["committed"] > 8
    assert disk.seen["renamed"] > 5


# ---------------------------------------------------------------- everything


@pytest.mark.long
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("fresh", [True, False])
def test_a_fault_at_any_place(tmp_path: Path, room: Path, call: str, fault: str, fresh: bool) -> None:
    most = counts(room, fresh)[call]
    tried = [try_at(tmp_path / str(number), call, fault, str(number), fresh=fresh) for number in range(1, most + 1)]
    assert sum(tried) > most // 2
