"""What does a collection cost in a large store: time, memory, and the patience of those who write meanwhile?

A store of many runs is made; then each step has a process of its own: opening, a plan that keeps the last runs of each
node, a plan that must get below half the size, and the first plan carried out while another process writes.

python benchmarks/store_gc.py [--full]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from daggr.errors import StoreError
from daggr.store import runs, sheets
from daggr.store.artifacts import Staged
from daggr.store.gc.execute import collecting, execute_gc
from daggr.store.gc.plan import plan_gc, size_of
from daggr.store.gc.policy import Policy
from daggr.store.records import Binding, Head, Output, Run, Sheet, new_id
from daggr.store.store import Store
from daggr.store.tables import Txn

SECONDS = 90.0
"""For a million runs, at most."""

MEMORY = 500
"""MB resident, at most, the pages of the index that are mapped included."""

PATIENCE = 100.0
"""Milliseconds that a writer waits, at the 99th percentile."""

NODES, TOGETHER, BLOB_SHARE, BLOB_SIZE = 20, 5000, 500, 20_000

# ---------------------------------------------------------------- a store as people would have it


def build(folder: Path, count: int) -> None:
    source = random.Random(1)
    made = _runs(count, source)
    with Store(folder, "relaxed") as store:
        questions = [store.artifacts.stage(f"question {number}") for number in range(max(1, count // 50))]
        store.put(questions)
        given = [question.digest for question in questions]
        fed = Output("y", given[0]), new_id()
        sheet = store.write(lambda txn: sheets.create(txn, "local", "graph 0"))
        while part := list(islice(made, TOGETHER)):
            staged: list[Staged] = []
            written: list[Run] = []
            for number, node in part:
                outputs = [store.artifacts.stage(value) for value in _values(number, source)]
                staged += outputs
                run = _run(number, node, source.choice(given), fed, [one.digest for one in outputs])
                written.append(run)
                fed = run.outputs[0], run.id
            sheet = store.write(lambda txn, sheet=sheet, written=written: _put(txn, sheet, written), staged)


def _runs(count: int, source: random.Random) -> Iterator[tuple[int, int]]:
    """The numbers of the runs, and of their nodes."""
    return ((number, source.randrange(NODES)) for number in range(count))


def _values(number: int, source: random.Random) -> list[object]:
    """One or two outputs: short texts, and now and then a picture's worth of bytes."""
    if number % BLOB_SHARE == 0:
        return [source.randbytes(BLOB_SIZE)]
    return [f"answer {number} {'word ' * source.randrange(2, 36)}" for _ in range(source.randrange(1, 3))]


def _run(number: int, node: int, question: bytes, fed: tuple[Output, bytes], outputs: list[bytes]) -> Run:
    action = hashlib.md5(b"%d" % number).digest()
    inputs = (
        Binding("question", question, "ui"),
        Binding("x", fed[0].digest, "edge", fed[1], fed[0].port, hashlib.sha256(b"%d" % node).digest()),
    )
    return Run(
        id=new_id(), graph=f"graph {node % 2}", node=f"node {node}", kind="fn", owner="local", scope="",
        fingerprint=hashlib.sha256(b"%d" % node).digest(), key=action, lookup=action, inputs=inputs,
        outputs=tuple(Output(port, digest) for port, digest in zip("yz", outputs, strict=False)), status="done",
        started=time.time(), seconds=(number % 97 + 1) / 10,
    )  # fmt: skip


def _put(txn: Txn, sheet: Sheet, written: list[Run]) -> Sheet:
    """A part of the runs; of each node the last one is shown on the sheet and told by its history."""
    for run in written:
        runs.put(txn, run, {"source": run.fingerprint})
    shown = {run.node: run for run in written if run.graph == sheet.graph}
    for node, run in shown.items():
        sheets.remember(txn, sheet.id, node, run, {})
    heads = {node: Head(run.id, {}) for node, run in shown.items()}
    inputs = {node: run.inputs[0].digest for node, run in shown.items()}
    return sheets.change(txn, sheet, inputs=inputs, heads=heads)


# ---------------------------------------------------------------- what is measured, each in a process of its own


def opening(folder: Path) -> dict[str, float]:
    started = time.perf_counter()
    store = Store(folder)
    figures = {"ms": (time.perf_counter() - started) * 1000}
    store.close()
    return figures


def planning(folder: Path, policy: Callable[[Store], Policy]) -> dict[str, float]:
    with Store(folder) as store:
        chosen = policy(store)
        started = time.perf_counter()
        plan = plan_gc(store, chosen)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "evict": len(plan.evict), "freed_mb": plan.freed / 1e6, **memory()}


def executing(folder: Path) -> dict[str, float]:
    with Store(folder) as store:
        started = time.perf_counter()
        with collecting(store):
            result = execute_gc(store, plan_gc(store, last_runs(store)))
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "evict": result.evicted, "freed_mb": result.freed / 1e6, **memory()}


def writing(folder: Path) -> dict[str, float]:
    """Put one value after the other until told to end; how long each waited. What gc gives up it lets go at once."""
    waited = []
    with Store(folder) as store:
        print("ready", flush=True)
        threading.Thread(target=_beat, args=[store], daemon=True).start()
        while not _told_to_end():
            staged = store.artifacts.stage(f"meanwhile {len(waited)}")
            started = time.perf_counter()
            store.put([staged])
            waited.append((time.perf_counter() - started) * 1000)
            time.sleep(0.002)
    parts = statistics.quantiles(waited, n=100)
    return {"median": statistics.median(waited), "p99": parts[98], "max": max(waited), "puts": len(waited)}


def _beat(store: Store) -> None:
    with contextlib.suppress(StoreError):  # it is closed
        while True:
            time.sleep(0.2)
            store.attendance.beat()


def _told_to_end() -> bool:
    os.set_blocking(0, False)
    with contextlib.suppress(BlockingIOError):
        return os.read(0, 1) == b""
    return False


def last_runs(store: Store) -> Policy:
    return Policy(keep_last=100, grace=0)


def half_the_size(store: Store) -> Policy:
    with store.read() as txn:
        return Policy(max_size=size_of(store, txn) // 2, grace=0)


def memory() -> dict[str, float]:
    """Megabytes that were resident at most, and those of them that are no file's, as of now."""
    if sys.platform != "linux":
        return {"peak_mb": 0.0, "anonymous_mb": 0.0}
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "peak_mb": int(lines["VmHWM"].split()[0]) / 1024,
        "anonymous_mb": int(lines["RssAnon"].split()[0]) / 1024,
    }


STEPS: dict[str, Callable[[Path], dict[str, float]]] = {
    "open": opening,
    "plan": lambda folder: planning(folder, last_runs),
    "budget": lambda folder: planning(folder, half_the_size),
    "collect": executing,
    "write": writing,
}


def in_a_process(step: str, folder: Path) -> dict[str, float]:
    found = subprocess.run([sys.executable, __file__, step, str(folder)], check=True, capture_output=True, text=True)
    return dict(json.loads(found.stdout))


def beside_a_writer(step: str, folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    with subprocess.Popen(
        [sys.executable, __file__, "write", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        figures = in_a_process(step, folder)
        writer.stdin.close()
        return figures, dict(json.loads(writer.stdout.read()))


def show(what: str, figures: dict[str, float]) -> None:
    print(f"{what:<34} " + "   ".join(f"{name} {figure:,.1f}" for name, figure in figures.items()))


def main() -> int:
    if len(sys.argv) == 3:
        print(json.dumps(STEPS[sys.argv[1]](Path(sys.argv[2]))))
        return 0
    count = 1_000_000 if "--full" in sys.argv else 50_000
    folder = Path(tempfile.mkdtemp())
    try:
        store = folder / "store"
        started = time.perf_counter()
        build(store, count)
        used = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
        show(f"a store of {count:,} runs", {"seconds": time.perf_counter() - started, "mb": used / 1e6})
        show("open", in_a_process("open", store))
        plan, budget = in_a_process("plan", store), in_a_process("budget", store)
        show("plan, the last 100 of each node", plan)
        show("plan, down to half the size", budget)
        collected, waited = beside_a_writer("collect", store)
        show("plan and execution, 100 of each", collected)
        show("a writer beside it, milliseconds", waited)
        show("the rest, when it has left", in_a_process("collect", store))
    finally:
        shutil.rmtree(folder)
    good = max(plan["seconds"], budget["seconds"], collected["seconds"]) <= SECONDS
    good &= max(plan["peak_mb"], budget["peak_mb"], collected["peak_mb"]) <= MEMORY
    return 0 if good and waited["p99"] <= PATIENCE else 1


if __name__ == "__main__":
    sys.exit(main())
