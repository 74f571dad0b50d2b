"""Scatter and gather over a real store: what is felt of it in Python and in a sheet."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, Graph, InputNode, NodeFailedError, ScatterError
from daggr.engine.engine import Engine
from daggr.engine.events import ItemsProgressed, StepEvent, StepFailed, StepFinished
from daggr.engine.program import Program
from daggr.graph.graph import drawing_of
from daggr.store import items, runs
from daggr.store.store import Store
from tests.handmade import Field, Number
from tests.unit.engine.desk import Desk
from tests.unit.engine.making import PATIENCE, tell, wait_until


def call(engine: Engine, graph: Graph, cache: Any = "use", **inputs: Any) -> dict[str, Any]:
    """The first output of each node that feeds no other."""
    program = engine.load(drawing_of(graph))
    digests = engine.stage_inputs(program, inputs)
    answer = engine.call(program, "local", digests, frozenset(program.drawing.nodes), cache).result(PATIENCE)
    names = [name for part in program.drawing.subgraphs for name in part.outputs]
    return {name: engine.store.load(answer.runs[name].outputs[0].digest) for name in names}


class Calls:
    """What a function was called with, told through a file: a list that it keeps would count as part of it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        path = str(self._path)

        def counted(x: Any) -> Any:
            tell(path, repr(x))
            return fn(x)

        return counted

    def so_far(self) -> list[Any]:
        """Sorted, by their text."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return [ast.literal_eval(line) for line in sorted(lines)]

    def take(self) -> list[Any]:
        """The same, and forget them."""
        found = self.so_far()
        self._path.unlink(missing_ok=True)
        return found


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    return Calls(tmp_path / "calls")


def items_of(given: Any) -> FnNode:
    return FnNode(lambda items: items, name="list", inputs={"items": given}, outputs={"items": None}, version=1)


def bad_is_bad(x: Any) -> Any:
    if isinstance(x, str) and x.startswith("bad"):
        raise ValueError(f"{x} is bad")
    return f"<{x}>"


def wrapping(source: FnNode, calls: Callable[..., Any]) -> FnNode:
    return FnNode(calls, name="wrap", inputs={"x": source.items.each}, outputs={"y": None}, version=1)


def gathering(source: FnNode, **how: Any) -> FnNode:
    return FnNode(lambda ys: "".join(ys), name="join", inputs={"ys": source.y.all(**how)}, version=1)


def test_one_changed_line_of_a_thousand_is_one_execution(engine: Engine, calls: Calls) -> None:
    wrap = calls(bad_is_bad)
    graph = Graph("Lines", nodes=[gathering(wrapping(items_of(Field(value=[])), wrap))])
    lines = [f"line {index}" for index in range(1000)]
    first = call(engine, graph, list__items=lines)["join"]
    assert calls.take() == sorted(lines)
    lines[617] = "another line"
    assert call(engine, graph, list__items=lines)["join"] == first.replace("<line 617>", "<another line>")
    assert calls.take() == ["another line"]
    assert call(engine, graph, list__items=lines[::-1])["join"] == "".join(f"<{line}>" for line in lines[::-1])
    assert calls.take() == []


@pytest.mark.parametrize("given", [[], [1], ["a", 2, None, {"k": [1]}, (1, 2)], "no list", {"a": 1}])
def test_whatever_is_given_is_split_and_gathered_in_order(engine: Engine, given: Any) -> None:
    source = items_of(given)
    one = FnNode(lambda x: [x], name="one", inputs={"x": source.items.each}, outputs={"y": None})
    two = FnNode(lambda x: (x, 1)[0], name="two", inputs={"x": one.y}, outputs={"y": None})
    end = FnNode(lambda xs: xs, name="end", inputs={"xs": two.y.all()})
    whole = given if isinstance(given, list) else [given]
    assert call(engine, Graph("Any", nodes=[end])) == {"end": [[item] for item in whole]}


def test_items_that_fail_are_told_by_index_and_only_they_run_again(engine: Engine, calls: Calls) -> None:
    well = threading.Event()

    def sometimes(x: Any) -> Any:
        return f"<{x}>" if well.is_set() else bad_is_bad(x)

    wrap = calls(sometimes)
    wrapped = wrapping(items_of(["a", "bad 1", "b", "bad 2"]), wrap)
    strict = Graph("Items", nodes=[gathering(wrapped)])
    with pytest.raises(NodeFailedError, match=r"2 of 4 items of 'wrap' failed: \[1\], \[3\]\. \[1\] .*bad 1 is bad"):
        call(engine, strict)
    assert calls.take() == ["a", "b", "bad 1", "bad 2"]
    assert call(engine, Graph("Items", nodes=[gathering(wrapped, on_item_error="skip")])) == {"join": "<a><b>"}
    assert calls.take() == ["bad 1", "bad 2"]
    well.set()
    assert call(engine, strict) == {"join": "<a><bad 1><b><bad 2>"}
    assert calls.take() == ["bad 1", "bad 2"]


def test_a_scattered_output_is_a_list_and_fails_as_a_whole(engine: Engine) -> None:
    graph = Graph("Out", nodes=[wrapping(items_of(Field(value=["a", "b"])), bad_is_bad)])
    assert call(engine, graph) == {"wrap": ["<a>", "<b>"]}
    with pytest.raises(NodeFailedError, match=r"1 of 2 items of 'wrap' failed: \[0\]"):
        call(engine, graph, list__items=["bad", "b"])


def test_lists_of_different_lengths_are_an_error_that_names_them(engine: Engine) -> None:
    one, two = items_of([1, 2, 3]), FnNode(lambda: [1, 2], name="two", outputs={"items": None})
    pair = FnNode(lambda a, b: a, name="pair", inputs={"a": one.items.each, "b": two.items.each})
    with pytest.raises(ScatterError, match=r"'pair' .*different lengths: 'a' has 3, 'b' has 2"):
        call(engine, Graph("Uneven", nodes=[pair]))


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (
            [{"text": "a"}, {"txt": "b"}],
            r"\[1\].*takes 'text' of each item, but item \[1\] has only: txt. Did you mean",
        ),
        ([{"text": "a"}, 7], r"\[1\].*item \[1\] is a int"),
    ],
)
def test_an_item_without_the_field_is_told_with_its_fields(engine: Engine, items: Any, said: str) -> None:
    source = items_of(items)
    node = FnNode(lambda x: x, name="take", inputs={"x": source.items.each["text"]})
    with pytest.raises(NodeFailedError, match=said):
        call(engine, Graph("Fields", nodes=[node]))


def test_items_are_each_functions_own_to_change(engine: Engine) -> None:
    def spoil(item: dict[str, Any], whole: list[Any], text: Any) -> list[Any]:
        item["seen"] = True
        whole.append(1)
        return [item, len(whole), text]

    source = items_of([{"text": ["a"]}, {"text": ["b"]}])
    inputs = {"item": source.items.each, "whole": source.items, "text": source.items.each["text"]}
    end = FnNode(lambda xs: xs, name="end", inputs={"xs": FnNode(spoil, inputs=inputs, outputs={"o": None}).o.all()})
    expected = [[{"text": [c], "seen": True}, 3, [c]] for c in "ab"]
    assert call(engine, Graph("Own", nodes=[end])) == {"end": expected}


def test_inputs_are_split_too(engine: Engine) -> None:
    group = InputNode("In", ports={"xs": Field(value=[1, 2]), "k": Number(value=10)})
    node = FnNode(lambda x, k: x * k, name="times", inputs={"x": group.xs.each, "k": group.k})
    sheet = Desk(engine, Graph("In", nodes=[node]))
    sheet.run("times")
    assert sheet.value("times") == [10, 20]
    sheet.set(In__xs=[3])
    assert sheet.reason("times") == "changed: x"
    sheet.run("times")
    assert sheet.value("times") == [30]
    sheet.view.select(sheet.id, "times", 1)
    state = sheet.view.state(sheet.id)
    assert sheet.value("times") == [10, 20]
    assert engine.store.load(state.inputs["In__xs"]) == [1, 2]
    assert state.freshness.nodes["times"].fresh


def test_a_sheet_shows_what_is_done_and_runs_what_is_missing(engine: Engine, calls: Calls) -> None:
    well = threading.Event()
    wrap = calls(lambda x: f"<{x}>" if well.is_set() else bad_is_bad(x))
    wrapped = wrapping(items_of(Field(value=["a", "bad", "b"])), wrap)
    sheet = Desk(engine, Graph("Sheet", nodes=[gathering(wrapped, on_item_error="skip")]))
    sheet.run(None, "all")
    assert sheet.reason("wrap").startswith("1 of 3 items of 'wrap' failed: [1]")
    assert sheet.value("join") == "<a><b>"
    assert not sheet.reason("join")  # it leaves out what failed
    calls.take()
    sheet.run("wrap")  # only the failed one, though it was asked for
    assert calls.take() == ["bad"]
    well.set()
    sheet.run("wrap")
    assert calls.take() == ["bad"]
    assert sheet.value("wrap", "y") == ["<a>", "<bad>", "<b>"]
    assert not sheet.reason("wrap")
    assert sheet.reason("join")
    sheet.run(None, "all")
    assert sheet.value("join") == "<a><bad><b>"
    sheet.run("wrap", "force")
    assert calls.take() == ["a", "b", "bad"]
    sheet.set(list__items=["b", "a"])
    sheet.run(None, "all")
    sheet.set(list__items=["a", "bad", "b"])  # known: at once
    assert sheet.value("join") == "<a><bad><b>"
    assert not sheet.reason("join")
    assert calls.take() == []


def test_stopped_in_the_middle_what_is_done_stays(engine: Engine, calls: Calls) -> None:
    go = threading.Event()

    def slow(x: int) -> int:
        if x >= 5 and not go.is_set():
            while not go.wait(0.01):
                pass
        return x * x

    sheet = Desk(engine, Graph("Slow", nodes=[wrapping(items_of(list(range(10))), calls(slow))]))
    job, future = engine.start(sheet.program, "local", sheet.id, "wrap", "to_here")
    wait_until(lambda: 5 in calls.so_far())
    time.sleep(0.2)  # what the others gave is recorded
    assert engine.stop(job)
    future.result(PATIENCE)
    assert engine.live.of(sheet.id)["wrap"].status == "stopped"
    assert sheet.reason("wrap") == "'wrap' was stopped: 5 of 10 items are done."
    go.set()
    calls.take()
    sheet.run("wrap")
    assert calls.take() == [5, 6, 7, 8, 9]
    assert sheet.value("wrap", "y") == [x * x for x in range(10)]
    assert not engine.stop(job)


def test_each_item_is_a_run_and_the_group_names_them(engine: Engine) -> None:
    sheet = Desk(engine, Graph("Runs", nodes=[wrapping(items_of([3, 4]), bad_is_bad)]))
    sheet.run("wrap")
    group = sheet.view.state(sheet.id).results["wrap"].run
    with engine.store.read() as txn:
        ids = items.get(txn, group.id)
        found = [runs.get(txn, ids[at : at + 16]) for at in (0, 16)]
        assert group.items == 2
        assert [run.id for run in runs.by_node(txn, sheet.program.graph, "wrap")] == [group.id]
        assert len(list(runs.by_node(txn, sheet.program.graph, "wrap", items=True))) == 2
    assert [engine.store.load(run.outputs[0].digest) for run in found if run is not None] == ["<3>", "<4>"]


def test_samples_are_drawn_for_each_item_and_kept_on_a_second_run(engine: Engine) -> None:
    drawn = iter(range(1000))

    def draw() -> int:
        return next(drawn)

    def add(x: int, seed: int) -> int:
        if seed == 1:
            raise ValueError("bad luck")
        return seed

    source = items_of([10, 20, 30])
    node = FnNode(add, inputs={"x": source.items.each, "seed": draw}, outputs={"y": None})
    sheet = Desk(engine, Graph("Samples", nodes=[node]))
    sheet.run("add")
    sheet.run("add")
    assert sorted(sheet.value("add", "y")) == [0, 2, 3]


def test_a_restart_finds_items_and_groups(tmp_path: Path, calls: Calls) -> None:
    graph = Graph("Again", nodes=[gathering(wrapping(items_of(Field(value=["a", "b"])), calls(bad_is_bad)))])
    for values in (["a", "b"], ["a", "b"], ["b", "c"]):
        with Store(tmp_path / "again") as store:
            engine = Engine(store)
            try:
                call(engine, graph, list__items=values)
            finally:
                engine.close()
    assert calls.take() == ["a", "b", "c"]


def test_progress_is_told_but_not_for_every_item(engine: Engine) -> None:
    told: list[StepEvent] = []
    graph = Graph("Told", nodes=[wrapping(items_of(list(range(300))), bad_is_bad)])
    program: Program = engine.load(drawing_of(graph))
    end = engine.observe(told.append)
    start = time.monotonic()
    engine.call(program, "local", {}, frozenset(program.drawing.nodes)).result(PATIENCE)
    took = time.monotonic() - start
    end()
    progress = [event for event in told if isinstance(event, ItemsProgressed)]
    assert (progress[-1].done, progress[-1].failed, progress[-1].total) == (300, 0, 300)
    assert len(progress) <= took * 20 + 3
    ends = [event for event in told if isinstance(event, (StepFinished, StepFailed)) and event.node == "wrap"]
    assert len(ends) == 1


def test_a_stop_stops_the_items_that_have_not_begun(engine: Engine, calls: Calls) -> None:
    def slow(x: int) -> int:
        time.sleep(0.05)
        return x

    desk = Desk(engine, Graph("Many", nodes=[wrapping(items_of(list(range(200))), calls(slow))]))
    job, future = engine.start(desk.program, "local", desk.id, "wrap", "to_here")
    wait_until(lambda: len(calls.so_far()) >= 3)
    engine.stop(job)
    future.result(PATIENCE)
    begun = len(calls.take())
    assert begun < 60
    time.sleep(0.2)
    assert calls.take() == []


def test_items_of_an_edited_group_are_given_what_belongs_to_them(engine: Engine) -> None:
    pair = FnNode(
        lambda x: (x, x * 10), name="pair", inputs={"x": items_of([1, 2, 3]).items.each}, outputs={"y": None, "z": None}
    )
    end = FnNode(lambda z: [z], name="end", inputs={"z": pair.z}, outputs={"o": None})
    desk = Desk(engine, Graph("Edited", nodes=[end]))
    desk.run(None, "all")
    desk.edit("pair", y=[7, 8, 9])
    desk.run("end", "force")
    assert desk.value("end", "o") == [[10], [20], [30]]


def test_a_click_and_all_at_once_execute_once(engine: Engine, calls: Calls) -> None:
    node = FnNode(calls(lambda x: time.sleep(0.3)), name="slow", inputs={"x": Number(value=1)}, version=1)
    desk = Desk(engine, Graph("Twice", nodes=[node]))
    click = engine.start(desk.program, "local", desk.id, "slow", "to_here")[1]
    everything = engine.start(desk.program, "local", desk.id, None, "all")[1]
    called = engine.call(desk.program, "local", {}, frozenset({"slow"}))
    for future in (click, everything, called):
        future.result(PATIENCE)
    assert calls.take() == [1]
