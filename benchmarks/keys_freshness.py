"""How long does it take to say what is fresh on a sheet of a thousand nodes, and to show one more result?

Three shapes, each on a store on disk, with five results in every node's history: all nodes in a row, all under one, and
diamonds in a row. `state` is what a page needs: results, their places in the histories, and whether each node and edge
still stands. `adopt` is what each finished run does: its result appears, and what is known below it.
Beside them, in the same run, the floor: plain LMDB gets of the same records. All is processor time.

python benchmarks/keys_freshness.py [--full]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from daggr import FnNode, Graph
from daggr.engine.bindings import bind
from daggr.engine.keys import identity_of
from daggr.engine.program import Program, define
from daggr.engine.sheet import Sheets
from daggr.graph.drawing import Drawing
from daggr.graph.graph import drawing_of
from daggr.store import runs, sheets
from daggr.store.artifacts import INLINE_LIMIT, Staged
from daggr.store.records import Head, Output, Run, new_id
from daggr.store.store import Store
from daggr.store.tables import HISTORY, Txn

BUDGET = 50.0
"""Milliseconds for the state of a sheet of a thousand nodes, at most."""

ADOPT_BUDGET = 5.0
"""Milliseconds for what a finished run changes, at most."""

ROUNDS = 5
LARGE_EVERY = 10
"""Each so manieth result is a file of its own."""

SHAPES: dict[str, Callable[[int], list[int]]] = {
    "a row": lambda n: [n - 1],
    "under one": lambda n: [0],
    "diamonds": lambda n: [n - 2, n - 1] if n % 3 == 0 else [n - n % 3],
}
"""The nodes that feed a node, by its number."""


class Text:
    """The least that daggr takes for a component."""

    def __init__(self, value: str) -> None:
        self.value = value

    def get_block_name(self) -> str:
        """What it is."""
        return "textbox"

    def get_config(self) -> dict[str, Any]:
        """What it was made with."""
        return {"value": self.value, "visible": True}


def work(**inputs: str) -> str:
    return "".join(inputs.values())


def drawn(shape: str, nodes: int) -> Drawing:
    """A graph: the first node and every tenth after it take an input."""
    made: list[FnNode] = []
    for number in range(nodes):
        above = SHAPES[shape](number) if number else []
        inputs: dict[str, Any] = {f"from_{up}": made[up].y for up in above}
        if number % 10 == 0:
            inputs["text"] = Text("round 0")
        made.append(FnNode(work, name=f"n{number}", inputs=inputs, outputs={"y": None}))
    return drawing_of(Graph("Sheet", nodes=made))


@dataclass
class Desk:
    """A sheet of a program in which every node was run in each round, on another text each time."""

    store: Store
    program: Program
    sheets: Sheets
    sheet: bytes


@contextmanager
def desk(folder: Path, shape: str, nodes: int, rounds: int = ROUNDS) -> Iterator[Desk]:
    """A sheet with histories. The last round is shown, and the first node's history leads through all of them."""
    with Store(folder, "relaxed") as store:
        staged: list[Staged] = []

        def stage(value: object) -> Any:
            staged.append(store.artifacts.stage(value))
            return staged[-1].digest

        program = define(drawn(shape, nodes), lambda field: stage("round 0"))
        view = Sheets(store, program, "local")
        sheet = view.all()[0].id
        for number in range(rounds):
            inputs = {name: stage(f"round {number}") for name in program.defaults}
            made: dict[str, Run] = {}
            for place, name in enumerate(program.drawing.nodes):
                text = f"{name} in round {number} "
                output = stage(text * (INLINE_LIMIT // 8) if place % LARGE_EVERY == 1 else text)
                made[name] = run_of(program, name, inputs, made, output)
            store.write(lambda txn, made=made, inputs=inputs: _keep(txn, program, sheet, made, inputs), staged)  # type: ignore[misc]
            staged.clear()
        yield Desk(store, program, view, sheet)


def run_of(program: Program, name: str, inputs: dict[str, bytes], made: dict[str, Run], output: bytes) -> Run:
    """A run of a node on what was made before it."""
    bound = bind(program, name, inputs, made.get)
    identity = identity_of(program.definitions[name].fingerprint.digest, bound.bindings)
    return Run(
        id=new_id(), graph=program.graph, node=name, kind="fn", owner="local", scope="",
        fingerprint=identity.fingerprint, key=identity.action, lookup=identity.lookup, inputs=tuple(bound.bindings),
        outputs=(Output("y", output),), status="done", started=time.time(), seconds=0.1,
    )  # fmt: skip


def parents_of(program: Program, name: str, made: dict[str, Run]) -> dict[str, bytes]:
    """The runs that feed a node, by edge id."""
    return {edge.id: made[edge.source].id for edge in program.drawing.edges_to[name]}


def _keep(txn: Txn, program: Program, sheet: bytes, made: dict[str, Run], inputs: dict[str, bytes]) -> None:
    for name, run in made.items():
        runs.put(txn, run, {})
        sheets.remember(txn, sheet, name, run, parents_of(program, name, made))
    heads = {name: Head(run.id, parents_of(program, name, made)) for name, run in made.items()}
    record = sheets.get(txn, sheet)
    assert record is not None
    sheets.change(txn, record, inputs=inputs, heads=heads)


# ---------------------------------------------------------------- measuring


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Of processor time, the median of several rounds. Nothing here waits for the disk, and others do not count."""
    rounds = []
    for _ in range(times):
        start = time.process_time()
        work()
        rounds.append((time.process_time() - start) * 1e3)
    return statistics.median(rounds)


def floor(folder: Path, made: Desk) -> Callable[[], object]:
    """One get for each run that is shown, each of its outputs, and each entry of a history: the same bytes."""
    environment = lmdb.open(str(folder), map_size=2**30)
    copied: dict[bytes, bytes | None] = {}
    with made.store.read() as txn:
        record = sheets.get(txn, made.sheet)
        assert record is not None
        copied[record.snapshot] = txn.raw("snapshot", record.snapshot)
        for head in sheets.snapshot(txn, record).heads.values():
            copied[head.run] = txn.raw("run", head.run)
            run = runs.get(txn, head.run)
            assert run is not None
            copied |= {output.digest: txn.raw("artifact", output.digest) for output in run.outputs}
        copied |= dict(txn.scan_raw(HISTORY, made.sheet))
    with environment.begin(write=True) as raw:
        for key, data in copied.items():
            raw.put(key, data or b"")

    def read() -> None:
        with environment.begin() as raw:
            for key in copied:
                raw.get(key)

    return read


def adoption(made: Desk) -> Callable[[], object]:
    """A node of the middle is run again and again, and gives something new each time."""
    nodes = list(made.program.drawing.nodes)
    name = nodes[len(nodes) // 2]
    state = made.sheets.state(made.sheet)
    number = iter(range(10**9))

    def adopt(txn: Txn, run: Run) -> None:
        runs.put(txn, run, {})
        made.sheets.adopt(txn, made.sheet, name, run, parents_of(made.program, name, dict(state.heads)))

    def finish() -> None:
        staged = made.store.artifacts.stage(f"another result, number {next(number)}")
        run = run_of(made.program, name, dict(state.inputs), dict(state.heads), staged.digest)
        made.store.write(lambda txn: adopt(txn, run), [staged])

    return finish


def measure(shape: str, nodes: int, times: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, desk(Path(folder) / "store", shape, nodes) as made:
        state = made.sheets.state(made.sheet)
        assert all(one.fresh for one in state.freshness.nodes.values())
        assert {(one.index, one.total) for one in state.results.values()} == {(ROUNDS, ROUNDS)}
        figures = {
            "state": milliseconds(lambda: made.sheets.state(made.sheet), times),
            "LMDB gets (floor)": milliseconds(floor(Path(folder) / "floor", made), times),
        }
        figures["adopt"] = milliseconds(adoption(made), times)
        return figures


def main() -> int:
    nodes, times = (1000, 31) if "--full" in sys.argv else (1000, 7)
    missed = False
    for shape in SHAPES:
        figures = measure(shape, nodes, times)
        for name, figure in figures.items():
            print(f"{shape:<10} {name:<18} {figure:8.2f} ms   {figure / figures['state']:8.4f} × state")
        missed = missed or figures["state"] > BUDGET or figures["adopt"] > ADOPT_BUDGET
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
