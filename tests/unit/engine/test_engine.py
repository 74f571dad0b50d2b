"""Running things: what executes, what is known, and what a sheet shows."""

from __future__ import annotations

import concurrent.futures
import functools
import importlib
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from daggr import FnNode, Graph, GraphError, NodeFailedError, NotCachedError, UnknownInputError
from daggr.engine.engine import Engine
from daggr.engine.events import StepEvent, StepFinished, StepLogged, StepStarted
from daggr.engine.program import Program
from daggr.engine.sheet import Sheets, SheetState
from daggr.graph.graph import drawing_of
from tests.unit.engine.graphs import chain


class Watch:
    """Counts what the engine does."""

    def __init__(self, engine: Engine) -> None:
        self.events: list[StepEvent] = []
        engine.observe(self.events.append)

    def executed(self) -> list[str]:
        """The nodes that were executed since the last question, in order of their start."""
        found = [event.node for event in self.events if isinstance(event, StepStarted)]
        self.events.clear()
        return found


class Desk:
    """A user's sheet of a graph."""

    def __init__(self, engine: Engine, graph: Graph) -> None:
        self.engine = engine
        self.program: Program = engine.load(drawing_of(graph))
        self.sheets: Sheets = engine.sheets(self.program, "local")
        self.id = self.sheets.all()[0].id
        self.watch = Watch(engine)

    def edit(self, **inputs: Any) -> list[str]:
        self.sheets.set_inputs(self.id, self.engine.stage_inputs(self.program, inputs))
        return self.watch.executed()

    def run(self, node: str | None = None) -> list[str]:
        _, future = self.engine.start(self.program, "local", self.id, node, "to_here" if node else "all")
        failure = future.result(20)
        if failure is not None:
            raise failure
        return self.watch.executed()

    @property
    def state(self) -> SheetState:
        return self.sheets.state(self.id)

    def places(self) -> dict[str, str]:
        """`1/2` for every node that has a result."""
        return {name: f"{result.index}/{result.total}" for name, result in self.state.results.items()}

    def value(self, node: str, port: str, folder: Path) -> Any:
        digest = self.state.results[node].run.output(port)
        assert digest is not None
        return self.engine.store.load(digest, folder)


def call(engine: Engine, graph: Graph, folder: Path, **inputs: Any) -> dict[str, dict[str, Any]]:
    program = engine.load(drawing_of(graph))
    answer = engine.call(
        program, "local", engine.stage_inputs(program, inputs), frozenset(program.drawing.nodes)
    ).result(20)
    return {
        node: {output.port: engine.store.load(output.digest, folder) for output in run.outputs}
        for node, run in answer.runs.items()
    }


# ---------------------------------------------------------------- a sheet


def test_run_executes_what_is_stale_and_its_target(engine: Engine) -> None:
    desk = Desk(engine, chain())
    assert desk.run("twice") == ["shout", "twice"]
    assert desk.run("twice") == ["twice"]  # the target always, what is fresh never
    assert desk.run() == []
    assert desk.edit(twice__times=5) == []
    assert desk.state.freshness.edges == {
        "input:shout__text->shout.text": True,
        "shout.loud->twice.loud": True,
        "input:twice__times->twice.times": False,
    }
    assert desk.run() == ["twice"]


def test_editing_back_shows_the_known_result_and_runs_nothing(engine: Engine) -> None:
    desk = Desk(engine, chain())
    desk.run()
    desk.edit(shout__text="other")
    assert not desk.state.freshness.nodes["shout"].fresh
    desk.run()
    assert desk.edit(shout__text="hi") == []
    assert all(node.fresh for node in desk.state.freshness.nodes.values())
    assert desk.places() == {"shout": "1/2", "twice": "1/2"}


def test_a_whole_number_from_the_browser_is_the_default_it_equals(engine: Engine) -> None:
    desk = Desk(engine, chain())
    desk.run()
    desk.edit(twice__times=2.0)
    assert desk.state.freshness.nodes["twice"].fresh


def test_an_equal_result_after_another_input_keeps_what_is_downstream(engine: Engine) -> None:
    desk = Desk(engine, chain())
    desk.run()
    desk.edit(shout__text="HI")
    assert desk.run() == ["shout"]  # it shouts the same: nothing downstream needs to run
    assert all(desk.state.freshness.edges.values())


def test_three_images_two_cutouts_and_the_first_one_selected(engine: Engine, tmp_path: Path) -> None:
    def generate(prompt: str) -> str:
        return f"image of {prompt}"

    def cut_out(image: str, mode: str) -> str:
        return f"{mode} cut of {image}"

    image = FnNode(generate, inputs={"prompt": gr.Textbox()}, outputs={"image": None})
    cut = FnNode(cut_out, inputs={"image": image.image, "mode": gr.Textbox(value="fine")}, outputs={"cut": None})
    desk = Desk(engine, Graph("Images", nodes=[cut]))
    for prompt in ("cat", "dog", "owl"):
        desk.edit(generate__prompt=prompt)
        desk.run("generate")
        if prompt != "owl":
            desk.run("cut_out")
    assert desk.places() == {"generate": "3/3", "cut_out": "2/2"}
    assert not desk.state.freshness.edges["generate.image->cut_out.image"]

    desk.sheets.select(desk.id, "generate", 1)
    assert desk.places() == {"generate": "1/3", "cut_out": "1/2"}
    assert desk.value("cut_out", "cut", tmp_path) == "fine cut of image of cat"
    assert all(desk.state.freshness.edges.values())
    assert engine.store.load(desk.state.inputs["generate__prompt"], tmp_path) == "cat"

    desk.sheets.select(desk.id, "cut_out", 2)
    assert desk.places() == {"generate": "2/3", "cut_out": "2/2"}
    assert engine.store.load(desk.state.inputs["generate__prompt"], tmp_path) == "dog"
    assert desk.watch.executed() == []


def test_a_sampled_input_is_drawn_for_each_execution_and_reused_when_fresh(engine: Engine) -> None:
    def roll(seed: float) -> float:
        return seed

    def show(value: float) -> str:
        return str(value)

    rolled = FnNode(roll, inputs={"seed": random.random}, outputs={"value": None})
    shown = FnNode(show, inputs={"value": rolled.value}, outputs={"text": None})
    desk = Desk(engine, Graph("Dice", nodes=[shown]))
    assert desk.run("show") == ["roll", "show"]
    assert desk.run("show") == ["show"]  # roll is fresh: it is not rolled again behind the user's back
    assert desk.run("roll") == ["roll"]
    assert desk.places()["roll"] == "2/2"
    assert not desk.state.freshness.edges["roll.value->show.value"]


def test_a_failure_stops_what_depends_on_it_only(engine: Engine) -> None:
    def fine(x: int) -> int:
        return x

    def broken(x: int) -> int:
        raise RuntimeError("no")

    one = FnNode(fine, inputs={"x": 1}, outputs={"y": None})
    bad = FnNode(broken, inputs={"x": one.y}, outputs={"y": None})
    after = FnNode(lambda x: x, name="after", inputs={"x": bad.y}, outputs={"y": None})
    other = FnNode(lambda x: x + 1, name="other", inputs={"x": one.y}, outputs={"y": None})
    desk = Desk(engine, Graph("Broken", nodes=[after, other]))
    with pytest.raises(NodeFailedError, match="'broken' failed: RuntimeError: no"):
        desk.run()
    assert set(desk.watch.executed()) == {"fine", "broken", "other"}
    assert set(desk.state.results) == {"fine", "other"}
    live = engine.live.of(desk.id)
    assert live["broken"].status == "failed"
    assert "after" not in live


# ---------------------------------------------------------------- values


def test_what_flows_on_is_what_is_stored(engine: Engine, tmp_path: Path) -> None:
    """A tuple stays one, types are exact, and a function that changes its argument changes nobody else's."""
    seen: list[Any] = []

    def make() -> dict[str, Any]:
        return {"pair": (1, 2.0), "set": {1, 2}, "list": [True]}

    def spoil(value: dict[str, Any]) -> int:
        value["list"].append("spoilt")
        return len(value)

    def look(value: dict[str, Any], after: int) -> str:
        seen.append(value)
        return repr(value)

    made = FnNode(make, outputs={"value": None})
    spoilt = FnNode(spoil, inputs={"value": made.value}, outputs={"size": None})
    looked = FnNode(look, inputs={"value": made.value, "after": spoilt.size}, outputs={"text": None})
    text = call(engine, Graph("Values", nodes=[looked]), tmp_path)["look"]["text"]
    assert text == repr({"pair": (1, 2.0), "set": {1, 2}, "list": [True]})


def test_pictures_travel_as_paths_and_are_kept_as_bytes(engine: Engine, tmp_path: Path) -> None:
    def draw() -> Image.Image:
        return Image.new("RGB", (4, 3), "red")

    def turn(picture: str) -> str:
        with Image.open(picture) as opened:
            opened.rotate(90, expand=True).save(picture)  # even in place: the folder is the run's own
        return picture

    drawn = FnNode(draw, outputs={"picture": gr.Image()})
    turned = FnNode(turn, inputs={"picture": drawn.picture}, outputs={"turned": gr.Image()})
    graph = Graph("Pictures", nodes=[turned])
    values = call(engine, graph, tmp_path)
    assert Path(values["draw"]["picture"]).name == "picture.png"
    with Image.open(values["draw"]["picture"]) as kept, Image.open(values["turn"]["turned"]) as result:
        assert (kept.size, result.size) == ((4, 3), (3, 4))
    watch = Watch(engine)
    call(engine, graph, tmp_path)
    assert watch.executed() == []


@pytest.mark.parametrize(
    ("give", "why"),
    [
        (lambda text: text, "came in as text"),
        (lambda text: "/nowhere/x.png", "there is no file"),
        (lambda text: "/etc/hostname", "outside of the working folder"),
        (lambda text: 7, "is a int"),
        (lambda text: {"path": text, "meta": {"_type": "gradio.FileData"}}, "is a dict"),
    ],
)
def test_a_file_port_takes_only_files_of_this_run(
    engine: Engine, tmp_path: Path, give: Callable[[str], Any], why: str
) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (1, 1)).save(secret)
    node = FnNode(give, name="give", inputs={"text": gr.Textbox()}, outputs={"picture": gr.Image()})
    with pytest.raises(NodeFailedError, match=why):
        call(engine, Graph("Files", nodes=[node]), tmp_path, give__text=str(secret))


def test_a_typed_path_stays_text(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    node = FnNode(lambda text: text, name="echo", inputs={"text": gr.Textbox()}, outputs={"text": gr.Textbox()})
    path = str(tmp_path / "secret.txt")
    assert call(engine, Graph("Echo", nodes=[node]), tmp_path, echo__text=path) == {"echo": {"text": path}}


def test_a_value_without_codec_is_passed_on_but_never_a_hit(engine: Engine, tmp_path: Path) -> None:
    class Model:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    def load() -> Model:
        return Model()

    def use(model: Any) -> str:
        return type(model).__name__

    loaded = FnNode(load, outputs={"model": None})
    used = FnNode(use, inputs={"model": loaded.model}, outputs={"name": None})
    graph = Graph("Model", nodes=[used])
    assert call(engine, graph, tmp_path)["use"] == {"name": "Model"}
    watch = Watch(engine)
    call(engine, graph, tmp_path)
    assert watch.executed() == ["load", "use"]
    desk = Desk(engine, graph)
    desk.run("use")
    assert desk.run("use") == ["use"]  # within a session it is still at hand
    assert "port model holds a" in desk.state.results["load"].run.uncached


def test_outputs_map_to_ports_in_order(engine: Engine, tmp_path: Path) -> None:
    def three() -> tuple[int, str, list[int]]:
        return 1, "two", [3]

    exact = FnNode(three, outputs={"a": None, "b": None, "c": None})
    fewer = FnNode(three, name="fewer", outputs={"a": None, "b": None})
    more = FnNode(three, name="more", outputs={"a": None, "b": None, "c": None, "d": None})
    whole = FnNode(lambda: {"a": 1}, name="whole", outputs={"first": None})
    graph = Graph("Ports", nodes=[exact, fewer, more, whole])
    values = call(engine, graph, tmp_path)
    assert values == {
        "three": {"a": 1, "b": "two", "c": [3]},
        "fewer": {"a": 1, "b": "two"},
        "more": {"a": 1, "b": "two", "c": [3], "d": None},
        "whole": {"first": {"a": 1}},
    }
    desk = Desk(engine, graph)
    desk.run()
    assert desk.state.results["fewer"].run.notes == (
        "returned 3 value(s) for 2 output port(s); the others were dropped",
    )
    assert desk.state.results["three"].run.notes == ()


def test_hooks_see_inputs_and_returns(engine: Engine, tmp_path: Path) -> None:
    def before(inputs: dict[str, Any]) -> dict[str, Any]:
        return {**inputs, "text": inputs["text"].strip()}

    node = FnNode(
        lambda text: (text, len(text)),
        name="measure",
        inputs={"text": gr.Textbox(value="  abc ")},
        outputs={"said": None},
        preprocess=before,
        postprocess=lambda text, size: f"{text}: {size}",
    )
    assert call(engine, Graph("Hooks", nodes=[node]), tmp_path)["measure"] == {"said": "abc: 3"}


def test_coroutines_and_generators_give_their_last_value(engine: Engine, tmp_path: Path) -> None:
    async def waits() -> str:
        return "awaited"

    def streams() -> Any:
        yield "partial"
        yield "last"

    graph = Graph("Kinds", nodes=[FnNode(waits), FnNode(streams)])
    assert call(engine, graph, tmp_path) == {"waits": {"output": "awaited"}, "streams": {"output": "last"}}


# ---------------------------------------------------------------- running


class Crowd:
    """How many were inside at once, at most."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.lock = threading.Lock()

    def work(self, n: int) -> int:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        threading.Event().wait(0.02)
        with self.lock:
            self.inside -= 1
        return n


def test_functions_run_one_at_a_time_unless_told_otherwise(engine: Engine, tmp_path: Path) -> None:
    crowd, meet = Crowd(), threading.Barrier(3)

    def together(n: int) -> int:
        meet.wait(10)  # passes only when all three are inside
        return n

    alone = [FnNode(crowd.work, name=f"n{i}", inputs={"n": i}) for i in range(4)]
    call(engine, Graph("One", nodes=alone), tmp_path)
    assert crowd.most == 1
    nodes = [FnNode(together, name=f"n{i}", inputs={"n": i}, concurrent=True) for i in range(3)]
    call(engine, Graph("All", nodes=nodes), tmp_path)


def test_a_group_shares_one_limit(engine: Engine, tmp_path: Path) -> None:
    crowd = Crowd()
    nodes = [
        FnNode(crowd.work, name=f"n{i}", inputs={"n": i}, concurrency_group="gpu", max_concurrent=2) for i in range(6)
    ]
    call(engine, Graph("Gpu", nodes=nodes), tmp_path)
    assert crowd.most == 2


def test_the_nodes_of_a_group_agree_on_its_limit(engine: Engine) -> None:
    nodes = [
        FnNode(Crowd().work, name=f"n{i}", inputs={"n": i}, concurrency_group="gpu", max_concurrent=i) for i in (1, 2)
    ]
    with pytest.raises(GraphError, match=r"'n1' and 'n2' give the group 'gpu' different limits: 1 and 2"):
        engine.load(drawing_of(Graph("Gpu", nodes=nodes)))


def test_what_is_printed_belongs_to_the_run_that_printed_it(engine: Engine, tmp_path: Path) -> None:
    meet = threading.Barrier(2)

    def talk(name: str) -> str:
        for line in range(3):
            meet.wait(10)
            print(name, line)
        return name

    nodes = [FnNode(talk, name=name, inputs={"name": name}, concurrent=True) for name in ("ann", "bob")]
    watch = Watch(engine)
    call(engine, Graph("Talk", nodes=nodes), tmp_path)
    for name in ("ann", "bob"):
        said = "".join(event.text for event in watch.events if isinstance(event, StepLogged) and event.node == name)
        assert said == f"{name} 0\n{name} 1\n{name} 2\n"
    finished = [event.run for event in watch.events if isinstance(event, StepFinished)]
    assert {run.node: run.log for run in finished} == {n: f"{n} 0\n{n} 1\n{n} 2\n" for n in ("ann", "bob")}


def test_only_and_refresh(engine: Engine) -> None:
    program = engine.load(drawing_of(chain()))
    nodes = frozenset(program.drawing.nodes)
    with pytest.raises(NotCachedError, match="shout"):
        engine.call(program, "local", {}, nodes, "only")
    engine.call(program, "local", {}, nodes).result(20)
    assert engine.call(program, "local", {}, nodes, "only").result(0).cache == "hit"
    watch = Watch(engine)
    assert engine.call(program, "local", {}, nodes, "refresh").result(20).cache == "miss"
    assert watch.executed() == ["shout", "twice"]


def test_an_unknown_input_is_named(engine: Engine) -> None:
    program = engine.load(drawing_of(chain()))
    with pytest.raises(UnknownInputError, match="Did you mean 'shout__text'"):
        engine.stage_inputs(program, {"shout__txt": 1})


# ---------------------------------------------------------------- what must never happen


@pytest.mark.parametrize("port", [None, gr.JSON(), gr.Textbox(), gr.Image()])
def test_a_dict_from_outside_that_looks_like_a_file_is_data(engine: Engine, tmp_path: Path, port: Any) -> None:
    """Whatever its shape, a value from the wire opens no file of this machine."""
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    given = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    node = FnNode(lambda j: j, name="echo", inputs={"j": gr.JSON()}, outputs={"o": port})
    graph = Graph("Echo", nodes=[node])
    if port is not None and port.get_block_name() == "image":
        with pytest.raises(NodeFailedError):
            call(engine, graph, tmp_path, echo__j=given)
    else:
        assert call(engine, graph, tmp_path, echo__j=given) == {"echo": {"o": given}}


class Odd(BaseException):
    pass


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(1), Odd("x"), ValueError("bad \udcff")]
)
@pytest.mark.parametrize("where", ["fn", "sample", "preprocess", "postprocess"])
def test_whatever_user_code_raises_ends_its_step_and_nothing_else(
    engine: Engine, tmp_path: Path, error: BaseException, where: str
) -> None:
    def boom(*_: Any) -> Any:
        raise error

    node = FnNode(
        boom if where == "fn" else (lambda x: x),
        name="boom",
        inputs={"x": boom} if where == "sample" else {} if where == "fn" else {"x": 1},
        outputs={"y": None},
        preprocess=boom if where == "preprocess" else None,
        postprocess=boom if where == "postprocess" else None,
    )
    desk = Desk(engine, Graph("Boom", nodes=[node]))
    said = "sys.exit" if isinstance(error, SystemExit) else type(error).__name__
    with pytest.raises(NodeFailedError, match=said):
        desk.run()
    assert engine.live.of(desk.id)["boom"].status == "failed"
    assert call(engine, chain(), tmp_path)["twice"] == {"said": "HIHI"}  # the engine is well


def test_arguments_go_where_the_signature_says(engine: Engine, tmp_path: Path) -> None:
    def placed(a: str, b: str = "B", c: str = "C", /, *, d: str = "D") -> str:
        return a + b + c + d

    def wrapped(fn: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(fn)
        def call_it(*args: str) -> str:
            return fn(*args)

        return call_it

    @wrapped
    def pair(x: str, y: str) -> str:
        return x + y

    one = FnNode(placed, inputs={"d": "4", "c": "3", "a": "1"}, outputs={"text": None})
    two = FnNode(pair, inputs={"y": "2", "x": "1"}, outputs={"text": None})
    three = FnNode(lambda x, **rest: x + "".join(rest.values()), name="rest", inputs={"k": "2", "x": "1"})
    values = call(engine, Graph("Arguments", nodes=[one, two, three]), tmp_path)
    assert values == {"placed": {"text": "1B34"}, "pair": {"text": "12"}, "rest": {"output": "12"}}


def test_a_sheet_keeps_its_own_sample_when_others_draw(engine: Engine) -> None:
    rolled = FnNode(lambda text, seed: seed, name="roll", inputs={"text": gr.Textbox(value="a"), "seed": random.random})
    desk = Desk(engine, Graph("Dice", nodes=[rolled]))
    desk.run()
    mine = desk.state.results["roll"].run.id
    engine.call(desk.program, "local", {}, frozenset({"roll"})).result(20)  # the same inputs, another draw
    desk.edit(roll__text="b")
    desk.run()
    desk.edit(roll__text="a")
    assert desk.state.results["roll"].run.id == mine


def test_two_runs_of_a_node_are_both_seen(engine: Engine) -> None:
    entered, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def wait(n: int) -> int:
        entered.release()
        go_on.acquire(timeout=10)
        return n

    node = FnNode(wait, inputs={"n": 1}, concurrent=True)
    desk = Desk(engine, Graph("Twice", nodes=[node]))
    futures = [engine.start(desk.program, "local", desk.id, "wait", "to_here")[1] for _ in range(2)]
    for _ in futures:
        assert entered.acquire(timeout=10)
    assert engine.live.of(desk.id)["wait"].status == "running"
    go_on.release()
    concurrent.futures.wait(futures, 10, concurrent.futures.FIRST_COMPLETED)
    assert engine.live.of(desk.id)["wait"].status == "running"
    go_on.release()
    for future in futures:
        assert future.result(10) is None
    assert engine.live.of(desk.id)["wait"].status == "idle"


def test_a_helper_edited_under_a_running_program_poisons_nothing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported when the function runs: what ran is then not what was fingerprinted."""
    helper = tmp_path / "edited_helper.py"
    helper.write_text("def answer(): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def ask() -> int:
        from edited_helper import answer

        return int(answer())

    graph = Graph("Lazy", nodes=[FnNode(ask)])
    program = engine.load(drawing_of(graph))
    helper.write_text("def answer(): return 22\n")
    ran = engine.call(program, "local", {}, frozenset({"ask"})).result(20).runs["ask"]
    assert "edited_helper was changed" in ran.uncached
    helper.write_text("def answer(): return 1\n")
    del sys.modules["edited_helper"]
    importlib.invalidate_caches()
    again = engine.load(drawing_of(Graph("Lazy", nodes=[FnNode(ask)])))
    run = engine.call(again, "local", {}, frozenset({"ask"})).result(20).runs["ask"]
    assert engine.store.load(run.outputs[0].digest, tmp_path) == 1
