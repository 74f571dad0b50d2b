"""Programs that live dangerously: they use a store as daggr does, and say what was acknowledged.

`python -m tests.faults.writers nursery` takes an order a line (JSON, on standard input) and forks one of them for it,
since a fork is quicker than a new interpreter; all end when its standard input does. What a program was promised it
adds to a log of its own, a line with one `write` each, so that it is there after a kill.

`python -m tests.faults.writers steps ROOT SOCKET` is for strace: a few steps, always the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from daggr.errors import DaggrError, StoreError, StoreLockedError
from daggr.store import lease, pins, runs, sheets
from daggr.store.artifacts import Staged, identify
from daggr.store.gc import roots
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.records import Binding, Head, Output, Run, Sheet, new_id
from daggr.store.store import Store
from daggr.store.tables import CONDEMNED, Txn

NODES = ("a", "b", "c")
BEAT = 0.05
"""Seconds between two beats of a lease, so that gc removes things while the test looks."""
KEPT_SNAPSHOTS = 8
POOL = 40
"""Values that come again and again, so that gc gives up what somebody else is about to put."""

HOT = 24
"""Values that are put again while they are being removed."""

MOST_SHEETS = 3
MOST_PINS = 4


class Acks:
    """What a program was promised."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, **what: Any) -> None:
        os.write(self._file, json.dumps(what).encode() + b"\n")


def shared(number: int) -> str:
    """One of a few large values that many runs have in common."""
    return f"{number:04} " * (4_000 + number * 7919 % 8_000)


def made(graph: str, node: str, key: bytes, outputs: Sequence[bytes], inputs: Sequence[bytes] = ()) -> Run:
    """A run that succeeded."""
    return Run(
        id=new_id(),
        graph=graph,
        node=node,
        kind="fn",
        owner="local",
        scope="",
        fingerprint=hashlib.sha256(f"{graph}/{node}".encode()).digest(),
        key=key,
        lookup=hashlib.sha256(key).digest(),
        inputs=tuple(Binding(f"in{place}", digest, "ui") for place, digest in enumerate(inputs)),
        outputs=tuple(Output(f"out{place}", digest) for place, digest in enumerate(outputs)),
        status="done",
        started=time.time(),
        seconds=0.1,
    )


class Life:
    """A writer's: what it does next is drawn from a seed."""

    def __init__(self, store: Store, acks: Acks, name: str, seed: int) -> None:
        self.store = store
        self.acks = acks
        self.owner = name
        self.random = random.Random(seed)
        self.known: list[Run] = []
        self.hot = {bytes(identify(shared(2 * POOL + number))): number for number in range(HOT)}
        with store.read() as txn:
            self.pinned = [run for run, pin in pins.all_pins(txn) if pin.label == name]

    def step(self) -> None:
        """One of the things that people and runs do."""
        deeds = {
            self.record: 8, self.record_many: 3, self.refer_again: 5, self.put_and_read: 8, self.pin: 3, self.edit: 5,
            self.show: 3, self.show_known: 3, self.travel: 3, self.duplicate: 1, self.delete: 1,
        }  # fmt: skip
        self.random.choices(list(deeds), list(deeds.values()))[0]()

    # ------------------------------------------------------------ runs

    def record(self) -> None:
        run, staged = self._new_run()
        self.store.write(lambda txn: runs.put(txn, run, {"leaf": run.fingerprint}), staged)
        self._acknowledged(run)

    def record_many(self) -> None:
        """Several that may share a commit."""
        waiting = []
        for _ in range(self.random.randrange(2, 6)):
            run, staged = self._new_run()
            waiting.append((run, self.store.submit(lambda txn, run=run: runs.put(txn, run, {}), staged)))
        for run, future in waiting:
            future.result()
            self._acknowledged(run)

    def refer_again(self) -> None:
        """Name what is there, without its bytes, as a run does whose inputs were results before."""
        if not self.known:
            return
        old = self.random.choice(self.known[-8:])
        with self.store.hold():
            with self.store.read() as txn:
                there = [output.digest for output in old.outputs if self.store.artifacts.has(txn, output.digest)]
            if there:
                time.sleep(self.random.choice((0, 0.01, 0.1)))
                run = made(self._graph(), self._node(), self._key(), there, there[:1])
                self.store.write(lambda txn: runs.put(txn, run, {}))
                self._acknowledged(run)

    def put_and_read(self) -> None:
        """What nothing refers to is garbage at once; but not for who holds it."""
        staged = self.store.artifacts.stage(shared(2 * POOL + self._about_to_go()))
        with self.store.hold():
            self.store.put([staged])
            self.store.load(staged.digest)
        self.acks.add(op="read")

    def _about_to_go(self) -> int:
        """One of the hot values, if possible one that gc has given up and is just about to remove."""
        with self.store.read() as txn:
            names = [key[9:] for key in txn.keys(CONDEMNED)]
        going = [self.hot[name] for name in names if name in self.hot]
        return self.random.choice(going[:6] or range(HOT))

    def pin(self) -> None:
        if len(self.pinned) >= MOST_PINS:
            self.unpin()
        elif self.known:
            run = self.random.choice(self.known).id
            try:
                self.store.write(lambda txn: pins.put(txn, run, self.owner))
            except StoreError as error:
                if "There is no run" not in str(error):
                    raise
            else:
                self.pinned.append(run)
                self.acks.add(op="pin", run=run.hex())

    def unpin(self) -> None:
        run = self.pinned.pop(self.random.randrange(len(self.pinned)))
        self.acks.add(op="unpinning", run=run.hex())
        self.store.write(lambda txn: pins.delete(txn, run))

    # ------------------------------------------------------------ sheets

    def edit(self) -> None:
        """Set an input: as a step that can be undone, or in place, which makes the old one garbage."""
        staged = self.store.artifacts.stage(self._value("sheet"))
        field, amend = self.random.choice("xyz"), self.random.random() < 0.5

        def change(txn: Txn) -> Sheet:
            sheet = self._sheet(txn)
            state = sheets.snapshot(txn, sheet)
            inputs = {**state.inputs, field: staged.digest}
            return sheets.change(txn, sheet, inputs=inputs, heads=state.heads, amend=amend)

        self._changed(self.store.write(change, [staged]))

    def show(self) -> None:
        """A run that ends, and is shown."""
        run, staged = self._new_run("sheet")

        def change(txn: Txn) -> Sheet:
            runs.put(txn, run, {})
            return self._show(txn, run)

        sheet = self.store.write(change, staged)
        self._acknowledged(run)
        self._changed(sheet)

    def show_known(self) -> None:
        """A hit."""
        if not self.known:
            return
        old = self.random.choice(self.known)

        def change(txn: Txn) -> Sheet | None:
            run = next((run for run in runs.by_key(txn, old.key) if run.id == old.id), None)
            if run is None or not all(self.store.artifacts.has(txn, output.digest) for output in run.outputs):
                return None
            return self._show(txn, run)

        self._changed(self.store.write(change))

    def travel(self) -> None:
        back = self.random.random() < 0.6
        self._changed(self.store.write(lambda txn: (sheets.undo if back else sheets.redo)(txn, self._sheet(txn))))

    def duplicate(self) -> None:
        def change(txn: Txn) -> Sheet | None:
            if len(sheets.of_owner(txn, self.owner, "churn")) >= MOST_SHEETS:
                return None
            return sheets.duplicate(txn, self._sheet(txn), "another")

        self._changed(self.store.write(change))

    def delete(self) -> None:
        with self.store.read() as txn:
            mine = sheets.of_owner(txn, self.owner, "churn")
        if len(mine) == MOST_SHEETS:
            self.acks.add(op="deleting", sheet=mine[0].id.hex())
            self.store.write(lambda txn: sheets.delete(txn, mine[0]))

    # ------------------------------------------------------------ parts

    def _new_run(self, purpose: str = "") -> tuple[Run, list[Staged]]:
        graph = self._graph()
        values = [self._value(purpose or graph) for _ in range(self.random.randrange(2, 4))]
        staged = [self.store.artifacts.stage(value) for value in values]
        outputs, given = [item.digest for item in staged[1:]], staged[0].digest
        return made(graph, self._node(), self._key(), outputs, [given]), staged

    def _value(self, purpose: str) -> str:
        """Small or large, often the same as somebody else's. What `churn` is given nothing else keeps for long."""
        kind, number = self.random.random(), self.random.randrange(POOL)
        if kind < 0.6:
            return shared(number if purpose == "churn" else POOL + number % 8)
        if kind < 0.7:
            return f"small {purpose} {number}"
        unique = self.random.randbytes(8).hex()
        return unique if kind < 0.93 else unique * self.random.randrange(1_250, 3_750)

    def _graph(self) -> str:
        return "keep" if self.random.random() < 0.25 else "churn"

    def _node(self) -> str:
        return self.random.choice(NODES)

    def _key(self) -> bytes:
        wide = self.random.random() < 0.5
        return hashlib.sha256(self.random.randbytes(8) if wide else bytes([self.random.randrange(40)])).digest()

    def _sheet(self, txn: Txn) -> Sheet:
        mine = sheets.of_owner(txn, self.owner, "churn")
        return mine[-1] if mine else sheets.create(txn, self.owner, "churn")

    def _show(self, txn: Txn, run: Run) -> Sheet:
        sheet = self._sheet(txn)
        state = sheets.snapshot(txn, sheet)
        sheets.remember(txn, sheet.id, run.node, run, {})
        return sheets.change(txn, sheet, inputs=state.inputs, heads={**state.heads, run.node: Head(run.id, {})})

    def _acknowledged(self, run: Run) -> None:
        self.known = [*self.known[-60:], run]
        outputs = [output.digest.hex() for output in run.outputs]
        self.acks.add(op="run", graph=run.graph, run=run.id.hex(), key=run.key.hex(), outputs=outputs)

    def _changed(self, sheet: Sheet | None) -> None:
        if sheet is not None:
            self.acks.add(op="sheet", sheet=sheet.id.hex(), version=sheet.version)


# ---------------------------------------------------------------- programs


def write(root: Path, log: Path, seed: int, parent: int) -> None:
    """Live until killed."""
    acks = Acks(log)
    with Store(root) as store:
        life = Life(store, acks, log.stem, seed)
        while os.getppid() == parent:
            life.step()


def collect(root: Path, log: Path, seed: int, parent: int) -> None:
    """Collect until killed."""
    acks, draw = Acks(log), random.Random(seed)
    with Store(root) as store:
        while os.getppid() == parent:
            try:
                with collecting(store):
                    plan = plan_gc(store, Policy(node=f"churn/{draw.choice(NODES)}", keep_last=1, grace=0))
                    time.sleep(draw.choice((0, 0, 0.02)))
                    result = execute_gc(store, plan)
                acks.add(op="gc", evicted=result.evicted, freed=result.freed, waiting=result.waiting)
            except StoreLockedError:  # the one before is not quite dead
                acks.add(op="locked")
            time.sleep(draw.random() * 0.1)


PROGRAMS = {"write": write, "collect": collect}


def _born(program: str, root: str, log: str, seed: int, parent: int) -> None:
    lease.BEAT, roots.KEPT_SNAPSHOTS = BEAT, KEPT_SNAPSHOTS
    try:
        PROGRAMS[program](Path(root), Path(log), seed, parent)
    except Exception:  # noqa: BLE001  (the test reads it)
        Acks(Path(log)).add(op="error", text=traceback.format_exc())


def nursery(orders: Iterable[str]) -> None:
    """Fork a program for each order; its process id is the answer. The end of the orders is the end of all."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    own = os.getpid()
    for order in orders:
        pid = os.fork()
        if pid == 0:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _born(*json.loads(order), own)
            finally:
                os._exit(0)
        print(pid, flush=True)
    os.killpg(0, signal.SIGKILL)


# ---------------------------------------------------------------- under strace


class Steps:
    """Does one thing after another, and says over a socket what came of each; so no `write` is its own.

    What fails is not tried again, but the next thing is; after each failure it reads what it was promised before.
    """

    def __init__(self, root: Path, channel: int) -> None:
        self._root = root
        self._channel = socket.socket(fileno=channel)
        self._promised: list[Run] = []
        self._has_failed = False

    def say(self, **what: Any) -> None:
        self._channel.sendall(json.dumps(what).encode() + b"\n")

    def go(self) -> None:
        lease.BEAT = 3600.0
        for _ in range(3):
            try:
                store = Store(self._root)
            except DaggrError as error:
                self.say(op="unopened", kind=type(error).__name__, text=str(error))
            else:
                break
        else:
            self.say(op="given up")  # strace counts for each thread, and the index has a new one each time
            return
        with store:
            self.say(op="opened")
            large, other = "large " * 5_000, "other " * 6_000
            self._record(store, "churn", large, "small")
            self._record(store, "keep", other, "new")
            self._record(store, "churn", "the last of the node")
            self._together(store)
            self._try(store, lambda: _collect(store))  # `large` goes
            self._record(store, "keep", large)  # and comes again
            self._try(store, lambda: store.write(lambda txn: _edit(txn, self._promised)))
            self._file(store)
            for number in range(8):
                self._record(store, "keep", f"later {number}" * 3_000)
                if number > 0 and not self._has_failed:
                    break
        self.say(op="closed")

    def _record(self, store: Store, graph: str, *values: str) -> None:
        run = made(graph, "a", os.urandom(32), [identify(value) for value in values])
        self._begin(run)

        def record() -> None:
            staged = [store.artifacts.stage(value) for value in values]
            store.write(lambda txn: runs.put(txn, run, {}), staged)

        self._try(store, record, run)

    def _together(self, store: Store) -> None:
        """A group that shares a commit; each is told what became of it."""
        waiting = []
        for number in range(4):
            value = f"together {number}" * (10 if number % 2 else 3_000)
            run = made("keep", "b", os.urandom(32), [identify(value)])
            self._begin(run)
            try:
                staged = store.artifacts.stage(value)
            except StoreError as error:
                self._failed(store, error, run)
            else:
                waiting.append((run, store.submit(lambda txn, run=run: runs.put(txn, run, {}), [staged])))
        for run, future in waiting:
            self._try(store, future.result, run)

    def _file(self, store: Store) -> None:
        def upload() -> None:
            staged = store.artifacts.stage_file(Path(__file__))
            run = made("keep", "c", os.urandom(32), [staged.digest])
            self._begin(run)
            store.write(lambda txn: runs.put(txn, run, {}), [staged])
            self._succeeded(run)

        self._try(store, upload)

    def _try(self, store: Store, work: Callable[[], object], run: Run | None = None) -> None:
        try:
            work()
        except StoreError as error:
            self._failed(store, error, run)
        else:
            self._has_failed = False
            if run is not None:
                self._succeeded(run)

    def _begin(self, run: Run) -> None:
        self.say(op="begin", run=run.id.hex())

    def _succeeded(self, run: Run) -> None:
        outputs = [output.digest.hex() for output in run.outputs]
        self.say(op="run", graph=run.graph, run=run.id.hex(), key=run.key.hex(), outputs=outputs)
        if run.graph == "keep":
            self._promised.append(run)

    def _failed(self, store: Store, error: StoreError, run: Run | None) -> None:
        self._has_failed = True
        self.say(op="failed", run=run and run.id.hex(), kind=type(error).__name__, text=str(error))
        try:
            for promised in self._promised:
                for output in promised.outputs:
                    with store.read() as txn:
                        file = store.artifacts.file(txn, output.digest)
                    if file is None:
                        store.load(output.digest)
        except StoreError as unread:
            self.say(op="unread", kind=type(unread).__name__, text=str(unread))


def _collect(store: Store) -> None:
    with collecting(store):
        execute_gc(store, plan_gc(store, Policy(node="churn/a", keep_last=1, grace=0)))


def _edit(txn: Txn, promised: list[Run]) -> None:
    sheet = sheets.create(txn, "local", "keep")
    for run in promised:
        pins.put(txn, run.id)
        sheet = sheets.change(txn, sheet, inputs={}, heads={run.node: Head(run.id, {})})


def _main(program: str, *arguments: str) -> None:
    if program == "nursery":
        nursery(sys.stdin)
        return
    steps = Steps(Path(arguments[0]), int(arguments[1]))
    try:
        steps.go()
    except Exception:  # noqa: BLE001  (the test reads it)
        steps.say(op="error", text=traceback.format_exc())


if __name__ == "__main__":
    _main(*sys.argv[1:])
