"""Limits are for the whole process, and a Stop stops: over real threads and processes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, Graph, NodeFailedError, RunTimeoutError
from daggr.engine.engine import Engine
from daggr.engine.events import JobEnded, StepCancelled, StepEvent, StepFailed, StepFinished, StepQueued, StepSkipped
from daggr.engine.runners.base import Call, Returned
from daggr.graph.graph import drawing_of
from daggr.store.store import Store
from tests.handmade import Number
from tests.unit.engine.desk import Desk
from tests.unit.engine.making import PATIENCE, tell, wait_until

ENDS = (StepFinished, StepFailed, StepCancelled, StepSkipped)


def spans(told: Path) -> list[tuple[float, float]]:
    """When executions began and ended, from what they told."""
    begun: dict[str, float] = {}
    found = []
    for line in told.read_text().splitlines():
        what, name, at = line.split()
        if what == "begin":
            begun[name] = float(at)
        else:
            found.append((begun.pop(name), float(at)))
    return sorted(found)


def at_once(told: Path) -> int:
    """How many ran at the same time, at most."""
    moments = [(at, step) for begin, end in spans(told) for at, step in ((begin, 1), (end, -1))]
    most = running = 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    return most


def telling(told: Path, seconds: float) -> Callable[[int], int]:
    path = str(told)

    def work(x: int) -> int:
        name = f"{threading.get_ident()}-{x}"
        tell(path, f"begin {name} {time.monotonic()}")
        try:
            time.sleep(seconds)
        finally:
            tell(path, f"end {name} {time.monotonic()}")
        return x

    return work


def three(fn: Callable[..., Any], **how: Any) -> Graph:
    nodes = [FnNode(fn, name=f"n{i}", inputs={"x": Number(value=i)}, **how) for i in range(3)]
    return Graph("Three", nodes=nodes)


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2)])
def test_a_groups_limit_is_for_all_sessions_together(engine: Engine, tmp_path: Path, limit: int, most: int) -> None:
    told = tmp_path / "told"
    graph = three(telling(told, 0.03), concurrency_group=f"gpu {tmp_path}", max_concurrent=limit, cache=False)
    program = engine.load(drawing_of(graph))
    nodes = frozenset(program.drawing.nodes)
    asked = [engine.call(program, f"user {n}", {}, nodes) for n in range(3)]
    for future in asked:
        future.result(PATIENCE)
    assert len(spans(told)) == 9
    assert at_once(told) == most


def test_a_users_functions_run_one_at_a_time_and_other_users_beside_them(engine: Engine, tmp_path: Path) -> None:
    graphs = {user: tmp_path / user for user in ("ann", "bob")}
    asked = []
    for user, told in graphs.items():
        program = engine.load(drawing_of(three(telling(told, 0.1), cache=False)))
        asked += [engine.call(program, user, {}, frozenset(program.drawing.nodes)) for _ in range(2)]
    for future in asked:
        future.result(PATIENCE)
    assert [at_once(told) for told in graphs.values()] == [1, 1]
    one, other = (spans(told) for told in graphs.values())
    assert one[0][0] < other[-1][1]
    assert other[0][0] < one[-1][1]


def test_concurrent_functions_run_at_once(engine: Engine, tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = engine.load(drawing_of(three(telling(told, 0.3), concurrent=True)))
    engine.call(program, "ann", {}, frozenset(program.drawing.nodes)).result(PATIENCE)
    assert at_once(told) == 3


def test_stop_then_run_never_runs_two_at_once(engine: Engine, tmp_path: Path) -> None:
    told = tmp_path / "told"
    desk = Desk(engine, three(telling(told, 3.5), cache=False))  # it sleeps: a thread cannot be woken
    engine.executor.grace = 0.2
    job, future = engine.start(desk.program, "local", desk.id, "n0", "to_here")
    wait_until(told.exists)
    engine.stop(job)
    _, again = engine.start(desk.program, "local", desk.id, "n1", "to_here")
    stopped = future.result(PATIENCE)
    assert "stopped" in str(stopped)
    live = engine.live.of(desk.id)["n0"]
    assert live.status == "stopped"
    assert "cannot be stopped" in str(live.error)
    assert "isolate=True" in str(live.error)
    assert engine.live.of(desk.id)["n1"].status == "queued"
    assert again.result(PATIENCE) is None
    assert len(spans(told)) == 2
    assert at_once(told) == 1


def test_a_loop_stops_and_every_step_ends_once(engine: Engine, tmp_path: Path) -> None:
    def forever(x: int) -> int:
        while True:
            x += 1

    first = FnNode(forever, name="first", inputs={"x": 1}, outputs={"y": None})
    second = FnNode(lambda y: y, name="second", inputs={"y": first.y}, outputs={"z": None})
    desk = Desk(engine, Graph("Loop", nodes=[FnNode(lambda z: z, name="third", inputs={"z": second.z})]))
    told: list[StepEvent] = []
    engine.observe(told.append)
    engine.executor.grace = 0.2
    job, future = engine.start(desk.program, "local", desk.id, None, "all")
    wait_until(lambda: engine.live.of(desk.id)["first"].status == "running")
    engine.stop(job)
    engine.stop(job)  # an impatient person
    assert "stopped" in str(future.result(PATIENCE))
    for node in ("first", "second", "third"):
        own = [event for event in told if event.node == node]
        assert [type(event) for event in own if isinstance(event, StepQueued)] == [StepQueued]
        assert len([event for event in own if isinstance(event, ENDS)]) == 1
    assert isinstance(told[-1], JobEnded)
    assert not engine.stop(job)


def test_what_is_stopped_before_it_has_begun_never_begins(engine: Engine, tmp_path: Path) -> None:
    told = tmp_path / "told"
    desk = Desk(engine, three(telling(told, 0.2), cache=False))
    jobs = [engine.start(desk.program, "local", desk.id, f"n{n}", "to_here") for n in range(3)]
    for job, _ in jobs[1:]:
        engine.stop(job)
    ends = [future.result(PATIENCE) for _, future in jobs]
    assert ends[0] is None
    assert all("stopped" in str(end) for end in ends[1:])
    assert len(spans(told)) == 1


def test_a_time_limit_ends_a_function_and_says_so(engine: Engine) -> None:
    def forever() -> None:
        while True:
            pass

    node = FnNode(forever, name="slow", timeout=0.2)
    engine.executor.grace = 0.1
    program = engine.load(drawing_of(Graph("Slow", nodes=[node])))
    with pytest.raises(RunTimeoutError, match=r"'slow' took longer than 0.2 s and was stopped"):
        engine.call(program, "local", {}, frozenset({"slow"})).result(PATIENCE)


def test_a_nested_run_does_not_wait_for_its_caller(engine: Engine, tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from daggr import FnNode, Graph
        group = dict(concurrency_group="gpu", max_concurrent=1)
        inner = Graph("Inner", nodes=[FnNode(lambda x: x + 1, name="add", inputs={"x": 1}, **group)])
        def outer(x):
            return inner.run()["add"]["output"] + x
        nodes = [FnNode(outer, name=f"outer{n}", inputs={"x": n}, **group) for n in range(3)]
        nodes += [FnNode(outer, name=f"plain{n}", inputs={"x": n}) for n in range(3)]
        print(Graph("Outer", nodes=nodes).run())
        """
    )
    path = tmp_path / "nested.py"
    path.write_text(script)
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"DAGGR_STORE": str(tmp_path / "nested"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.count("'output': 3") == 2


# ---------------------------------------------------------------- processes of their own


HANGING = """
import subprocess, sys, time
from pathlib import Path
from daggr import FnNode, Graph
from tests.handmade import Field

def hang(how, told):
    Path(told).touch()
    if how == "loop":
        while True:
            try:
                while True: pass
            except BaseException: pass
    if how == "sleep":
        time.sleep(3600)
    if how == "child":
        subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)", told])
    return how

nodes = [FnNode(hang, name=f"n{n}", inputs={"how": Field(value="no"), "told": f"{sys.argv[1]}{n}"}, isolate=True,
                concurrent=True) for n in range(6)]
graph = Graph("Hanging", nodes=nodes)
"""


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """Six isolated nodes of a script that this process seems to have been started with."""
    path = tmp_path / "hanging.py"
    path.write_text(HANGING)
    monkeypatch.setattr(sys, "argv", [str(path), str(tmp_path / "told")])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    module = type(sys)("__main__")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    graph = vars(module)["graph"]
    assert isinstance(graph, Graph)
    return graph


def processes(word: str) -> list[str]:
    """The command lines of the processes that name a word, this one's aside."""
    found = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in found if word in line]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the table of processes")
def test_hung_processes_are_gone_soon_and_delay_nobody(engine: Engine, hanging: Graph, tmp_path: Path) -> None:
    desk = Desk(engine, hanging)
    ways = ["loop", "sleep", "child"] * 2
    desk.set(**{f"n{n}__how": how for n, how in enumerate(ways)})
    job, future = engine.start(desk.program, "local", desk.id, None, "all")
    wait_until(lambda: all((tmp_path / f"told{n}").exists() for n in range(6)))
    time.sleep(0.1)
    assert len(processes(f"{tmp_path}/told")) >= 2
    start = time.monotonic()
    engine.stop(job)
    other = engine.load(drawing_of(Graph("Other", nodes=[FnNode(lambda: 1, name="one")])))
    engine.call(other, "somebody else", {}, frozenset({"one"})).result(PATIENCE)
    assert time.monotonic() - start < 2
    future.result(PATIENCE)
    wait_until(lambda: not processes("import time; time.sleep(3600)"))
    assert time.monotonic() - start < 4 + 2  # 2 s of grace, and a slow machine
    assert {engine.live.of(desk.id)[f"n{n}"].status for n in range(6)} == {"stopped"}


def test_an_isolated_function_that_is_in_no_script_says_so(engine: Engine) -> None:
    lost = FnNode(lambda: 1, name="nowhere", isolate=True)
    program = engine.load(drawing_of(Graph("Nowhere", nodes=[lost])))
    with pytest.raises(NodeFailedError, match="The script makes no node"):
        engine.call(program, "local", {}, frozenset({"nowhere"})).result(PATIENCE)


@pytest.mark.parametrize("asked_before", [False, True])
def test_closing_ends_a_loop_whether_somebody_has_stopped_it_already_or_not(
    store: Store, tmp_path: Path, asked_before: bool
) -> None:
    told = str(tmp_path / "told")

    def forever() -> None:
        while True:
            tell(told, "still here")
            time.sleep(0.01)

    engine = Engine(store)
    desk = Desk(engine, Graph("Closing", nodes=[FnNode(forever, name="loop")]))
    job, _ = engine.start(desk.program, "local", desk.id, None, "all")
    wait_until(Path(told).exists)
    if asked_before:
        engine.stop(job)
        time.sleep(0.05)
    engine.close()
    size = Path(told).stat().st_size
    time.sleep(0.3)
    assert Path(told).stat().st_size == size


def test_a_sampler_is_stopped_like_a_function(store: Store, tmp_path: Path) -> None:
    told = str(tmp_path / "told")

    class Remote:
        async def run(self, call: Call) -> Returned:
            return Returned({"output": call.inputs["seed"]})

    def forever() -> int:
        while True:
            tell(told, "still here")
            time.sleep(0.01)

    engine = Engine(store, {"fn": Remote()})
    engine.executor.grace = 0.1
    desk = Desk(engine, Graph("Sampler", nodes=[FnNode(lambda seed: seed, name="n", inputs={"seed": forever})]))
    job, future = engine.start(desk.program, "local", desk.id, None, "all")
    wait_until(Path(told).exists)
    engine.stop(job)
    assert "stopped" in str(future.result(PATIENCE))
    size = Path(told).stat().st_size
    time.sleep(0.3)
    assert Path(told).stat().st_size == size
    engine.close()
