"""Work in processes: results, words, deaths, and stops."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
import weakref
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daggr.engine.fingerprint.node import node_fingerprint
from daggr.engine.script import Origin, search_script
from daggr.engine.workers import wire
from daggr.engine.workers.handle import Handle, Lost, Raised, Stopped
from daggr.engine.workers.process import Answer, ProcessWorker, Task
from daggr.errors import NodeFailedError
from daggr.store.codecs.fileref import FilePath

HERE = Path(__file__).parent
SCRIPT = HERE / "script.py"
STUB = "tests.unit.engine.workers.stub:execute"
pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")


def fingerprints(script: Path) -> dict[str, bytes]:
    """As the engine would have them: of the script loaded as a program."""
    kept = {name: sys.modules.get(name) for name in ("__main__",)}
    argv, path = sys.argv, list(sys.path)
    try:
        found = search_script(Origin(script, (str(script), "--flag")), "", [str(script.parent), *sys.path])
        return {name: node_fingerprint(spec).digest for name, spec in found.drawings[0].nodes.items()}
    finally:
        sys.argv, sys.path[:] = argv, path
        sys.modules.update({name: module for name, module in kept.items() if module is not None})


def test_weak_proxies_of_what_is_gone_are_no_trouble() -> None:
    """Any library may keep one; asked for its class, it raises."""
    gone = [weakref.proxy(Namespace()) for _ in range(3)]
    assert fingerprints(SCRIPT)
    assert len(gone) == 3


class Bench:
    """A worker, and what its tasks told."""

    def __init__(self, tmp: Path) -> None:
        self.worker = ProcessWorker(STUB)
        self.tmp = tmp
        self.script = SCRIPT
        self.fingerprints = fingerprints(SCRIPT)
        self.log: list[str] = []
        self.progress: list[Any] = []
        self.partials: list[Any] = []

    def submit(self, node: str, x: Any, slot: str = "slot") -> Handle[Answer]:
        inputs, paths = wire.pack_inputs({"x": x})
        origin = Origin(self.script, (str(self.script), "--flag"))
        task = Task(origin, node, self.fingerprints[node], inputs, paths, self.tmp, slot)
        return self.worker.submit(task, self.log.append, lambda *told: self.progress.append(told), self.partials.append)

    async def run(self, node: str, x: Any = None, slot: str = "slot") -> Any:
        answer = await asyncio.wait_for(self.submit(node, x, slot).result(), 60)
        return wire.unpack(answer.values["output"])

    async def begun(self, node: str, slot: str = "slot") -> tuple[Handle[Answer], int]:
        """A task that is running, and the process it runs in."""
        mark = self.tmp / f"{node}-{slot}-{time.monotonic_ns()}"
        handle = self.submit(node, str(mark), slot)
        deadline = time.monotonic() + 60
        while not (mark.exists() and mark.read_text().endswith("\n")):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # what it starts is started
        return handle, int(mark.read_text())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    bench = Bench(tmp_path)
    yield bench
    bench.worker.close()


def family(pid: int) -> set[int]:
    """A process and all that it started, by the groups, sessions and parents that they have now."""
    stats = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            stats[int(entry.name)] = (int(fields[1]), int(fields[2]))
    found = {one for one, (_, group) in stats.items() if group == pid} | {pid}
    while more := {one for one, (parent, _) in stats.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    living = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            living.add(pid)
    return living


async def gone(pids: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return not alive(pids)


async def test_there_and_back(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    handle = bench.submit("square", 12)
    answer = await handle.result()
    assert wire.unpack(answer.values["output"]) == 144
    assert (answer.texts, answer.notes) == (frozenset({"a text"}), ("a note",))
    assert "".join(bench.log) == "squaring 12\nto stderr\n"
    assert (bench.progress, bench.partials) == ([(1.0, "done")], [{"output": 144}])
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("squaring 12\n", "to stderr\n")


async def test_a_path_arrives_as_one_and_the_script_sees_what_it_was_started_with(bench: Bench) -> None:
    (bench.tmp / "file.txt").write_text("content")
    given = FilePath(str(bench.tmp / "file.txt"))
    assert await bench.run("kind", given) == ["FilePath", "content", [str(SCRIPT), "--flag"], str(HERE), "__main__"]
    assert await bench.run("same", {"in": [given, (1, 2.5, None)]}) == {"in": [str(given), (1, 2.5, None)]}


async def test_one_process_runs_many_tasks_and_each_slot_has_its_own(bench: Bench) -> None:
    first = [await bench.run("pid") for _ in range(3)]
    other = await bench.run("pid", slot="other")
    assert len({*first, other}) == 2
    assert os.getpid() not in {*first, other}


async def test_two_hundred_tasks(bench: Bench) -> None:
    await bench.run("same", 0)
    took = []
    for number in range(200):
        before = time.perf_counter()
        assert await bench.run("same", number) == number
        took.append(time.perf_counter() - before)
    print(f"{statistics.median(took) * 1e6:.0f} µs a task")
    assert statistics.median(took) < 0.02


async def test_a_large_array_travels(bench: Bench) -> None:
    given = np.arange(25_000_000, dtype=np.float64)
    made = await bench.run("array", given)
    assert made.shape == given.shape
    assert made[0] == made[-1] == 7


async def test_bytes_on_the_streams_do_not_disturb(bench: Bench, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert [await bench.run("binary", number) for number in range(3)] == [0, 1, 2]
    assert capfdbinary.readouterr().out.count(b"\xff\x00\xff") == 6000
    assert not bench.log


@pytest.mark.parametrize(
    ("which", "kind"),
    [("exit", SystemExit), ("interrupt", KeyboardInterrupt), ("recursion", RecursionError), ("value", ValueError)],
)
async def test_what_the_code_raises_arrives(bench: Bench, which: str, kind: type[BaseException]) -> None:
    pid = await bench.run("pid")
    with pytest.raises((Raised, kind)) as raised:
        await bench.submit("raising", which).result()
    error = raised.value.error if isinstance(raised.value, Raised) else raised.value
    assert type(error) is kind
    if isinstance(error, SystemExit):
        assert error.code == 7
    assert await bench.run("pid") == pid


async def test_errors_of_the_users_own_are_told_by_name(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="Own: own"):
        await bench.run("raising", "own")


async def test_what_has_no_codec_cannot_leave(bench: Bench) -> None:
    with pytest.raises(NodeFailedError, match=r"'output'.*cannot leave the process"):
        await bench.run("opaque")


@pytest.mark.parametrize(
    ("node", "words"), [("leave", "exit code 3"), ("crash", "SIGSEGV"), ("kill", "SIGKILL.*memory")]
)
async def test_a_process_that_dies_is_lost_and_the_next_task_works(bench: Bench, node: str, words: str) -> None:
    with pytest.raises(Lost, match=f"'{node}' died: it.*{words}"):
        await bench.run(node)
    assert await bench.run("same", 5) == 5


async def test_a_process_that_is_killed_from_outside(bench: Bench) -> None:
    handle, pid = await bench.begun("sleep")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Lost, match="SIGKILL"):
        await handle.result()
    idle = await bench.run("pid")
    os.kill(idle, signal.SIGKILL)
    assert await bench.run("same", 6) == 6, "it died before it had anything to do"


@pytest.mark.parametrize(
    "node", ["spin", "sleep", "program", "left_program", "escaped_program", "forked", "stubborn", "hog"]
)
async def test_stop_means_stop(bench: Bench, node: str) -> None:
    handle, pid = await bench.begun(node)
    ends: list[float] = []
    handle.on_end(lambda: ends.append(time.monotonic()))
    everybody = family(pid)
    before = time.monotonic()
    assert await handle.cancel() == "stopped"
    assert time.monotonic() - before < 3
    assert len(ends) == 1
    with pytest.raises(Raised) as raised:
        await handle.result()
    assert isinstance(raised.value.error, Stopped)
    await gone(everybody - {pid}, 3 - (time.monotonic() - before))
    assert not alive(everybody - {pid} if node == "spin" else everybody)
    assert await bench.run("same", 7) == 7
    assert "not to be heard" not in "".join(bench.log)


async def test_a_loop_stops_at_once_and_its_process_stays(bench: Bench) -> None:
    handle, pid = await bench.begun("spin")
    before = time.monotonic()
    assert await handle.cancel() == "stopped"
    assert time.monotonic() - before < 1
    assert await bench.run("pid") == pid


async def test_what_has_not_begun_is_dropped(bench: Bench) -> None:
    handle, _ = await bench.begun("sleep")
    waiting = bench.submit("same", 1)
    assert await waiting.cancel() == "stopped"
    assert not handle.ended
    assert await handle.cancel(0.1) == "stopped"
    assert await bench.run("same", 2) == 2


async def test_a_stop_while_the_script_loads(bench: Bench) -> None:
    handle = bench.submit("same", 1)
    await asyncio.sleep(0.05)
    before = time.monotonic()
    assert await handle.cancel() == "stopped"
    assert time.monotonic() - before < 3
    with pytest.raises(Raised):
        await handle.result()
    assert await bench.run("same", 2) == 2


async def test_prepared_is_fast(bench: Bench) -> None:
    bench.worker.prepare(Origin(SCRIPT, (str(SCRIPT), "--flag")), "slot")
    await asyncio.sleep(5)
    before = time.monotonic()
    assert await bench.run("same", 3) == 3
    assert time.monotonic() - before < 0.5


async def test_closing_leaves_nothing(bench: Bench) -> None:
    handle, pid = await bench.begun("program")
    everybody = family(pid) | {await bench.run("pid", slot="other")}
    bench.worker.close()
    with pytest.raises(Lost):
        await handle.result()
    assert await gone(everybody, 2)


def test_a_function_in_no_file_is_refused(bench: Bench) -> None:
    task = Task(None, "cell", b"", {}, (), bench.tmp, "slot", where="<stdin>:1")
    with pytest.raises(NodeFailedError, match="in no file") as raised:
        bench.worker.submit(task, print, print, print)
    assert "module or script" in raised.value.hint


# ---------------------------------------------------------------- scripts


def write(bench: Bench, text: str) -> None:
    """A script of its own for a test, as the engine has loaded it."""
    bench.script = bench.tmp / "own.py"
    bench.script.write_text("import os, sys\nfrom daggr import FnNode, Graph\n" + text)
    with ThreadPoolExecutor(1) as apart:  # the script may have a loop of its own
        bench.fingerprints = apart.submit(fingerprints, bench.script).result()


PLAIN = "def f(x):\n    return x + 1\nnode = FnNode(f, inputs={'x': 1})\n"


@pytest.mark.parametrize(
    "ending",
    [
        "Graph('g', nodes=[node]).launch()\nraise SystemExit(9)",
        "graph = Graph('g', nodes=[node])\ngraph.run()\nraise SystemExit(9)",
        "import asyncio\nasyncio.run(Graph('g', nodes=[node]).arun())\nraise SystemExit(9)",
        "graph = Graph('g', nodes=[node])\nnode.test(x=1)\nraise SystemExit(9)",
        "graph = Graph('g', nodes=[node])",
        "if __name__ == '__main__':\n    Graph('g', nodes=[node]).launch()\n    raise SystemExit(9)",
        "graph = Graph('g', nodes=[node])\ntry:\n    graph.launch()\nexcept BaseException:\n    raise SystemExit(9)",
    ],
)
async def test_whatever_the_script_ends_with_nothing_of_it_is_executed(bench: Bench, ending: str) -> None:
    write(bench, PLAIN + ending)
    assert await bench.run("f", 1) == 2


async def test_a_graph_that_is_launched_later_is_found(bench: Bench) -> None:
    others = "Graph('other', nodes=[FnNode(lambda y: y, name='g', inputs={'y': 1})]).launch()\n"
    write(bench, PLAIN + "graph = Graph('g', nodes=[node])\n")
    known = bench.fingerprints
    write(bench, PLAIN + others + "Graph('g', nodes=[node]).launch()\nraise SystemExit(9)")
    bench.fingerprints = known
    assert await bench.run("f", 1) == 2


async def test_a_script_that_was_changed_is_refused(bench: Bench) -> None:
    write(bench, PLAIN + "Graph('g', nodes=[node]).launch()")
    assert await bench.run("f", 1) == 2
    before = bench.fingerprints
    write(bench, PLAIN.replace("x + 1", "x + 2") + "Graph('g', nodes=[node]).launch()")
    assert await bench.run("f", 1) == 3, "reloaded: a fresh process has the new script"
    bench.fingerprints = before
    with pytest.raises(NodeFailedError, match="another one than the one that was loaded") as raised:
        await bench.run("f", 1)
    assert "again" in raised.value.hint


async def test_a_script_that_fails_says_so(bench: Bench) -> None:
    write(bench, PLAIN + "graph = Graph('g', nodes=[node])\n")
    bench.script.write_text("import nothing_like_it")
    with pytest.raises(NodeFailedError, match="nothing_like_it"):
        await bench.run("f", 1)
    bench.script.write_text("import os\nos._exit(4)")
    with pytest.raises(Lost, match=r"while it loaded the script.*exit code 4"):
        await bench.run("f", 1)


async def test_the_real_runner_works_there(bench: Bench) -> None:
    write(
        bench,
        """
import time
def f(x):
    for number in range(3):
        print("step", number)
        yield number + x
        time.sleep(0.06)
def g(x):
    raise ValueError("bad")
graph = Graph("g", nodes=[FnNode(f, inputs={"x": 1}), FnNode(g, inputs={"x": 1})])
""",
    )
    bench.worker.close()
    bench.worker = ProcessWorker()
    assert await bench.run("f", 10) == 12
    assert bench.partials[0] == {"output": 10}
    assert "".join(bench.log) == "step 0\nstep 1\nstep 2\n"
    with pytest.raises(NodeFailedError, match="'g' failed: ValueError: bad") as raised:
        await bench.run("g", 1)
    assert raised.value.node == "g"
    assert "own.py" in raised.value.traceback


async def test_a_figure_is_saved_where_it_was_made(bench: Bench) -> None:
    write(
        bench,
        """
import gradio
class Figure:
    def savefig(self, target, **_):
        open(target, "wb").write(b"drawn") if isinstance(target, (str, os.PathLike)) else target.write(b"drawn")
def f(x):
    return Figure()
graph = Graph("g", nodes=[FnNode(f, inputs={"x": 1}, outputs={"output": gradio.Image()})])
""",
    )
    path = await bench.run("f", 1)
    assert Path(path).parent.is_relative_to(bench.tmp)
    assert b"drawn" in Path(path).read_bytes()  # noqa: ASYNC240


# ---------------------------------------------------------------- the end of the engine

PARENT = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from tests.unit.engine.workers.test_process import Bench

async def main():
    bench = Bench(Path({tmp!r}))
    pid = await bench.run("pid")
    if {node!r}:
        handle, pid = await bench.begun({node!r})
    print("running in", pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("node", ["", "spin", "sleep", "program", "stubborn", "forked", "hog"])
def test_nothing_outlives_the_engine(node: str, tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    root = str(HERE.parents[3])
    program.write_text(PARENT.format(root=root, here=str(HERE), tmp=str(tmp_path), node=node))
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, cwd=root)
    assert parent.stdout is not None
    everybody: set[int] = set()
    try:
        line = next(line for line in parent.stdout if line.startswith(b"running in"))
        everybody = family(int(line.split()[-1]))
        assert alive(everybody) == everybody
        parent.kill()
        parent.wait()
        assert asyncio.run(gone(everybody, 2))
    finally:
        parent.kill()
        for one in alive(everybody):
            os.kill(one, signal.SIGKILL)
        parent.communicate()
