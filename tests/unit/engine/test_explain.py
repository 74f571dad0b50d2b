"""Why a node would run, is stale, or stands; what differs between runs; how long things will take."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from daggr import FnNode, Graph, GraphError, StoreError
from daggr.engine.engine import Engine
from daggr.engine.explain import Explanation
from daggr.engine.forecast import forecast, usual_seconds
from daggr.engine.phrases import phrase
from daggr.engine.plan import Given, Plan
from daggr.engine.program import Program
from daggr.graph.graph import drawing_of
from daggr.store import runs
from daggr.store.records import Run, new_id
from daggr.store.tables import ARTIFACTS, DEFINITIONS, RUNS, Txn
from tests.handmade import Field, Number, node, program_of, run
from tests.unit.engine.fingerprint.projects import imported


class Desk:
    """A user's sheet of a graph."""

    def __init__(self, engine: Engine, graph: Graph) -> None:
        self.engine = engine
        self.program: Program = engine.load(drawing_of(graph))
        self.sheets = engine.sheets(self.program, "local")
        self.id = self.sheets.all()[0].id

    def type(self, **inputs: Any) -> Desk:
        self.sheets.set_inputs(self.id, self.engine.stage_inputs(self.program, inputs))
        return self

    def run(self, node: str | None = None) -> Desk:
        _, future = self.engine.start(self.program, "local", self.id, node, "to_here" if node else "all")
        future.result(20)
        return self

    def why(self, node: str, *, forced: bool = False) -> Explanation:
        return self.engine.why(self.program, "local", self.id, node, forced=forced)

    def why_call(self, node: str, **inputs: Any) -> Explanation:
        staged = self.engine.stage_inputs(self.program, inputs)
        return self.engine.why_call(self.program, "local", staged, node)

    def call(self, **inputs: Any) -> None:
        staged = self.engine.stage_inputs(self.program, inputs)
        self.engine.call(self.program, "local", staged, frozenset(self.program.drawing.nodes)).result(20)

    def runs(self, node: str) -> list[Run]:
        """Newest first."""
        with self.engine.store.read() as txn:
            return list(runs.by_node(txn, self.program.graph, node))

    def write(self, change: Callable[[Txn], object]) -> None:
        self.engine.store.write(change)

    def card(self, node: str) -> str:
        return self.sheets.state(self.id).freshness.nodes[node].reason


def add(x: int) -> int:
    return x + 1


def double(x: int) -> int:
    return x * 2


def fail(x: int) -> int:
    raise ValueError(f"no {x}")


def thing(x: int) -> object:
    return object()


def graph(*, fn: Callable[..., Any] = add, **options: Any) -> Graph:
    """a → b"""
    a = FnNode(fn, name="a", inputs={"x": Number(value=1)}, outputs={"y": None}, **options)
    return Graph("G", nodes=[FnNode(double, name="b", inputs={"x": a.y}, outputs={"y": None})])


@contextmanager
def opened(engine: Engine, folder: Path, helper: str, body: str = "return other.h(x)") -> Iterator[Desk]:
    """The sheet of a script whose function `fn` calls a helper in a module of its own."""
    files = {"app.py": f"import other\nRATE = 2\ndef fn(x, y=3):\n    {body}\n", "other.py": helper}
    with imported(folder, files) as app:
        node = FnNode(app.fn, name="fn", inputs={"x": Number(value=1)}, outputs={"y": None})
        yield Desk(engine, Graph("Helped", nodes=[node]))


# ---------------------------------------------------------------- what changed


def test_an_edited_helper_is_named_on_the_card_and_shown_as_a_diff(engine: Engine, tmp_path: Path) -> None:
    with opened(engine, tmp_path / "1", "def h(x):\n    return x + 1\n") as desk:
        desk.run()
        assert desk.card("fn") == ""
    with opened(engine, tmp_path / "2", "def h(x):\n    return x - 1\n") as desk:
        why = desk.why("fn")
        assert desk.card("fn") == why.summary == "changed: helper `other.h`"
        assert (why.state, why.runs, why.nearest) == ("changed", True, desk.runs("fn")[0].id)
        assert [change.name for change in why.reasons] == ["fn: other.h"]
        assert [line for line in why.reasons[0].diff.splitlines() if line[:1] in "+-"][2:] == [
            "-    return x + 1", "+    return x - 1",
        ]  # fmt: skip


def test_several_changes_are_counted(engine: Engine, tmp_path: Path) -> None:
    with opened(engine, tmp_path / "1", "def h(x): return x") as desk:
        desk.run()
    with opened(engine, tmp_path / "2", "def h(x): return -x", "return other.h(x) * RATE + len('y')") as desk:
        desk.type(fn__x=5)
        assert desk.card("fn") == "changed: the function's code, helper `other.h` and 1 more"
        assert desk.why("fn").lines == (
            "changed: the function's code, helper `other.h` and 2 more",
            "the function's code changed",
            "helper `other.h` changed",
            "input `x` changed",
            "`RATE` added",
        )


def test_what_a_card_says_is_found_out_once(engine: Engine, tmp_path: Path) -> None:
    with opened(engine, tmp_path / "1", "def h(x): return x, 'once'") as desk:
        desk.run()
    with opened(engine, tmp_path / "2", "def h(x): return x, 'twice'") as desk:
        said = desk.card("fn")
        old = desk.runs("fn")[0]
        desk.write(lambda txn: txn.delete(DEFINITIONS, old.fingerprint))
        assert desk.card("fn") == said == "changed: helper `other.h`"
        assert desk.why("fn").summary == "its code or settings changed", "nobody knows any more what they were"


def test_what_looks_like_a_secret_is_in_no_text(engine: Engine, tmp_path: Path) -> None:
    secrets = [f"hf_{letter * 30}" for letter in "ab"]
    with opened(engine, tmp_path / "1", f"def h(x): return f(x, token='{secrets[0]}')\ndef f(x, token): ...") as desk:
        desk.run()
    with opened(engine, tmp_path / "2", f"def h(x): return f(x, token='{secrets[1]}')\ndef f(x, token): ...") as desk:
        why = desk.why("fn")
    assert why.lines[1:] == ("helper `other.h` changed, where something is hidden that looks like a secret",)
    assert not any(secret in repr(why) for secret in secrets)


def test_the_nearest_run_is_the_one_with_the_fewest_changes(engine: Engine) -> None:
    def near(x: int, z: int, w: int) -> int:
        return x

    inputs = {"x": Number(value=0), "z": Number(value=0), "w": Number(value=0)}
    desk = Desk(engine, Graph("Near", nodes=[FnNode(near, name="near", inputs=inputs, outputs={"y": None})]))
    desk.run().type(near__x=1, near__z=1, near__w=1).run()
    one, other = desk.runs("near")
    assert desk.type(near__x=2).why("near").nearest == one.id
    assert desk.type(near__x=0, near__z=0, near__w=2).why("near").nearest == other.id
    assert desk.why("near").summary == "changed: input `w`"


def test_equal_work_of_another_node_does_not_matter(engine: Engine) -> None:
    def two(value: int) -> Graph:
        nodes = [FnNode(add, name=name, inputs={"x": Number(value=value)}, outputs={"y": None}) for name in "ab"]
        return Graph("Two", nodes=nodes)

    desk = Desk(engine, two(1)).run("a").type(a__x=2, b__x=3).run("a")
    assert desk.why("b").summary == "never run"
    assert desk.why_call("b", b__x=2).state == "known", "a result for just this is found all the same"


def test_of_equally_near_runs_the_one_that_is_shown_counts_then_the_newest(engine: Engine) -> None:
    desk = Desk(engine, graph()).run("a").type(a__x=2).run("a").type(a__x=1)
    newer, shown = desk.runs("a")
    assert desk.type(a__x=3).why("a").nearest == shown.id
    assert desk.why_call("a", a__x=3).nearest == newer.id


def test_what_was_made_with_somebody_elses_token_is_not_looked_at(engine: Engine) -> None:
    desk = Desk(engine, graph()).run("a").type(a__x=2)
    ran = desk.runs("a")[0]
    desk.write(lambda txn: txn.put(RUNS, ran.id, replace(ran, scope="somebody")))
    assert desk.why_call("a", a__x=2).summary == "never run"
    desk.write(lambda txn: txn.put(RUNS, ran.id, replace(ran, scope="local")))
    assert desk.why_call("a", a__x=2).summary == "changed: input `x`"


def test_an_input_says_where_it_comes_from(engine: Engine) -> None:
    desk = Desk(engine, graph()).run().type(a__x=7).run("a")
    change = desk.why("b").reasons[0]
    assert (change.kind, change.name, change.came_from, change.comes_from) == ("input", "x", "node `a`", "node `a`")
    assert change.text == "input `x` changed, which comes from node `a`"
    assert {len(change.before), len(change.after)} == {64}
    alone = FnNode(double, name="b", inputs={"x": 7}, outputs={"y": None})
    change = Desk(engine, Graph("G", nodes=[alone])).why("b").reasons[0]
    assert change.text == "input `x` changed: it comes from the script, and came from node `a`"


def test_another_output_port_and_another_hook_are_named(engine: Engine) -> None:
    def plain(given: dict[str, Any]) -> dict[str, Any]:
        return given

    Desk(engine, Graph("O", nodes=[FnNode(add, name="a", inputs={"x": Number(value=1)}, outputs={"y": None})])).run()
    edited = FnNode(add, name="a", inputs={"x": Number(value=1)}, outputs={"z": None}, preprocess=plain)
    why = Desk(engine, Graph("O", nodes=[edited])).why("a")
    assert {change.text for change in why.reasons} == {
        "output port `y` removed", "output port `z` added", "the code of the preprocess hook added",
    }  # fmt: skip


def test_versions_of_libraries_are_soft(engine: Engine) -> None:
    desk = Desk(engine, graph()).run()
    old = desk.runs("a")[0]
    desk.write(lambda txn: txn.put(RUNS, old.id, replace(old, soft={"numpy": "2.4"})))
    program = desk.program
    print_ = program.definitions["a"].fingerprint
    soft = {"numpy": "2.5"}
    object.__setattr__(print_, "soft", soft)
    why = desk.why("a")
    assert why.lines == ("up to date", "numpy 2.4 → 2.5 (soft)")
    assert (why.state, why.reasons) == ("fresh", ())


# ---------------------------------------------------------------- nothing changed


def test_a_node_waits_for_what_it_needs_then_stands_then_has_a_stale_ancestor(engine: Engine) -> None:
    desk = Desk(engine, graph())
    assert (desk.why("a").summary, desk.why("b").summary) == ("never run", "`a` has no result yet")
    desk.run()
    assert (desk.why("b").state, desk.why("b").runs) == ("fresh", False)
    desk.type(a__x=2)
    assert desk.why("a").summary == "changed: input `x`"
    assert (desk.why("b").state, desk.why("b").summary) == ("ancestor", "`a` is not up to date: changed: x")
    assert desk.why("b", forced=True).state == "forced"
    desk.type(a__x=1)
    assert desk.why("a").state == "fresh"


def test_a_node_that_only_failed_says_how(engine: Engine) -> None:
    desk = Desk(engine, graph(fn=fail)).run()
    new, why = desk.runs("a")[0], desk.why("a")
    assert why.state == "failed"
    assert why.summary.startswith("never succeeded; the last run failed: ")
    assert "no 1" in why.summary
    desk.write(lambda txn: txn.put(RUNS, new.id, replace(new, error="no hf_abcdefghijkl\nmore")))
    assert desk.why("a").summary == "never succeeded; the last run failed: no ‹hidden›"


def test_a_node_that_failed_for_these_inputs_says_so(engine: Engine) -> None:
    def picky(x: int, z: int) -> int:
        if x == 2:
            raise ValueError("two is too many")
        return x

    inputs = {"x": Number(value=1), "z": Number(value=1)}
    desk = Desk(engine, Graph("P", nodes=[FnNode(picky, name="a", inputs=inputs, outputs={"y": None})])).run()
    assert desk.type(a__x=2, a__z=2).run().why("a").summary.startswith("for these inputs the last run failed: ")
    failed, done = desk.runs("a")
    assert failed.status == "failed"
    assert desk.type(a__z=3).why("a").nearest == done.id, "a failure is no result to compare with"


def test_what_gc_took_and_what_was_lost_is_told_apart(engine: Engine) -> None:
    desk = Desk(engine, graph()).run()
    ran = desk.runs("a")[0]
    desk.write(lambda txn: txn.delete(ARTIFACTS, ran.outputs[0].digest))
    assert (desk.why("a").state, desk.card("a")) == ("lost", desk.why("a").summary)
    desk.write(lambda txn: runs.evict(txn, ran))
    assert (desk.why("a").state, desk.why("a").summary) == ("evicted", "its result was removed by gc")


def test_a_value_without_codec_says_what_to_do(engine: Engine) -> None:
    desk = Desk(engine, graph(fn=thing)).run("a")
    assert desk.why("a").state == "fresh", "in this process it is there"
    assert desk.why_call("a").summary == "not cached: port y holds a object; register a codec with daggr.codec"


def test_what_the_script_says_of_caching_is_told(engine: Engine) -> None:
    assert Desk(engine, graph(cache=False)).run("a").why("a").state == "uncacheable"
    desk = Desk(engine, graph(cache=timedelta(microseconds=1))).run("a")
    assert (desk.why("a").state, desk.why("a").summary) == ("old", "older than 0:00:00.000001")


def test_a_sampled_input_is_fresh_on_a_sheet_and_drawn_anew_for_a_call(engine: Engine) -> None:
    def draw() -> float:
        return random.random()

    def other() -> float:
        return random.random() + 1

    def drawn(provider: Callable[[], float]) -> Graph:
        return Graph("D", nodes=[FnNode(add, name="a", inputs={"x": provider}, outputs={"y": None})])

    desk = Desk(engine, drawn(draw)).run()
    assert desk.why("a").state == "fresh"
    assert (desk.why_call("a").state, desk.why_call("a").summary) == ("sampled", "`x` is drawn anew for every call")
    desk.run("a")
    after, before = desk.runs("a")
    found = engine.diff(before.id, after.id)
    assert [(change.kind, change.hard, change.text) for change in found.changes] == [("sample", False, "`x` resampled")]
    assert Desk(engine, drawn(other)).why("a").summary == "changed: what input `x` is drawn by"


def test_a_call_names_what_runs_before_it(engine: Engine) -> None:
    desk = Desk(engine, graph())
    assert desk.why_call("b").summary == "`a` has no result yet"
    desk.call()
    assert (desk.why_call("b").state, desk.why_call("b").runs) == ("known", False)
    why = desk.why_call("b", a__x=5)
    assert (why.state, why.reasons) == ("waiting", ()), "what it will be given is not known yet"
    assert desk.why_call("a", a__x=5).summary == "changed: input `x`"


# ---------------------------------------------------------------- two runs


def test_two_runs_are_compared(engine: Engine) -> None:
    desk = Desk(engine, graph()).run().type(a__x=7).run()
    after, before = desk.runs("a")
    found = engine.diff(before.id, after.id)
    assert (found.summary, found.outputs, found.status) == ("changed: input `x`", {"y": False}, ("done", "done"))
    assert found.seconds == (before.seconds, after.seconds)
    assert "output `y` is another" in found.lines
    same = engine.diff(after.id, after.id)
    assert (same.summary, same.changes, same.outputs) == ("no reason to run again", (), {"y": True})


def test_runs_of_different_nodes_are_compared_and_said_to_be_such(engine: Engine) -> None:
    desk = Desk(engine, graph()).run()
    found = engine.diff(desk.runs("a")[0].id, desk.runs("b")[0].id)
    assert found.summary.startswith("runs of different nodes, `a` and `b`; changed: the function's code")
    assert found.nodes == ("a", "b")


def test_what_is_not_there_is_a_clear_error(engine: Engine) -> None:
    desk = Desk(engine, graph()).run()
    with pytest.raises(GraphError, match=r"no node 'bb'\. Nodes: a, b\."):
        desk.why("bb")
    with pytest.raises(GraphError, match="no node"):
        desk.why_call("nothing")
    with pytest.raises(GraphError, match="no node"):
        engine.predict(desk.program, "nothing")
    with pytest.raises(GraphError, match="There is no sheet"):
        engine.why(desk.program, "local", new_id(), "a")
    with pytest.raises(GraphError, match="There is no sheet"):
        engine.why(desk.program, "somebody else", desk.id, "a")
    with pytest.raises(StoreError, match="There is no run"):
        engine.diff(desk.runs("a")[0].id, new_id())


# ---------------------------------------------------------------- how long


def test_a_node_takes_what_its_newest_runs_took(engine: Engine) -> None:
    desk = Desk(engine, graph())
    assert engine.predict(desk.program, "a") is None
    desk.run()
    ran = desk.runs("a")[0]
    past = [replace(ran, id=new_id(), seconds=seconds) for seconds in (100.0, 1.0, 2.0, 9.0, *[5.0] * 5, 3.0)]
    for one in [*past, *(replace(ran, id=new_id(), seconds=77.0, status="failed") for _ in range(9))]:
        desk.write(partial(runs.put, run=one, leaves={}))
    assert engine.predict(desk.program, "a") == 5.0


def test_runs_of_the_present_definition_are_preferred() -> None:
    program = program_of(Graph("G", nodes=[node("a", x=Field())]))
    one = run(program, "a", (), {})
    past = [replace(one, fingerprint=b"old", seconds=50.0)] * 9 + [replace(one, seconds=1.0)]
    assert usual_seconds(past, one.fingerprint) == 1.0
    assert usual_seconds(past, b"new") == 50.0
    assert usual_seconds([], b"new") is None


def test_a_plan_takes_what_would_run(engine: Engine) -> None:
    a = node("a", x=Field())
    b, c = node("b", x=a.output), node("c", x=a.output)
    drawing = program_of(Graph("G", nodes=[node("d", x=b.output, y=c.output)])).drawing
    seconds = {"a": 1.0, "b": 2.0, "c": 5.0, "d": None}
    every = forecast(drawing, list("abcd"), seconds)
    assert (every.total, every.longest, every.unknown) == (8.0, 6.0, ("d",))
    assert forecast(drawing, ["b"], seconds).longest == 2.0

    desk = Desk(engine, graph()).run()
    plan = Plan(desk.program, desk.program.drawing.nodes, Given(dict(desk.program.defaults)))
    assert engine.forecast(desk.program, plan).total == pytest.approx(sum(desk.runs(n)[0].seconds for n in "ab"))


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("leaf", "text", "said"),
    [
        ("fn", "def f(): ...", "the function's code"),
        ("fn", "", "the function"),
        ("fn: other.h", "def h(): ...", "helper `other.h`"),
        ("fn: RATE", "", "`RATE`"),
        ("fn: h: RATE", "", "`RATE`, which `h` uses"),
        ("fn default y", "", "default of `y`"),
        ("fn: h default y", "", "default of `y` in `h`"),
        ("fn closure n", "", "`n`, which the function closes over"),
        ("fn: Model.run", "def run(self): ...", "`Model.run`"),
        ("fn: Model base Base.run", "def run(self): ...", "`Base.run`"),
        ("fn: M class.run", "def run(self): ...", "`M.run`"),
        ("fn import other source of other", "", "module `other`"),
        ("fn: X statement", "X = make()", "the statement that makes `X`"),
        ("fn: P fields", "", "the fields of `P`"),
        ("fn: T[1][0]", "def h(): ...", "function `h` (part 2 of `T`)"),
        ("fn: h #2", "", "`h`"),
        ("fn: a: b: c … : x: y: K", "", "`K`, which `y` uses"),
        ("fn version", "", "the version of the function"),
        ("fn keyword defaults", "", "the keyword defaults of the function"),
        ("fn of args", "", "what the function is called with"),
        ("depends[0]", "def h(): ...", "function `h` (part 1 of what the node depends on)"),
        ("preprocess", "def f(): ...", "the code of the preprocess hook"),
        ("postprocess: h", "def h(): ...", "helper `h`"),
        ("output the image", "", "output port `the image`"),
        ("app", "", "the app that is called"),
        ("endpoint", "", "the app's endpoint"),
        ("something else, from a newer daggr", "", "`something else, from a newer daggr`"),
    ],
)
def test_a_leaf_in_words(leaf: str, text: str, said: str) -> None:
    assert phrase(leaf, text, ["fn: Model"]) == said
