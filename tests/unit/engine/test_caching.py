"""What is reused and what executes: `cache=`, `version=`, `depends=`, `identity=`, samples, failures, equal results."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, GradioNode, Graph
from daggr.engine.engine import Answer, Engine
from daggr.engine.fingerprint.node import node_fingerprint
from daggr.engine.program import Program
from daggr.errors import GraphError, NodeFailedError, NotCachedError
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from daggr.store import runs
from daggr.store.fsck.check import check
from daggr.store.records import Run
from tests.handmade import Field

Inputs = Mapping[str, Any]
calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def shout(text: str) -> str:
    return text.upper()


def size(loud: str) -> int:
    return len(loud)


def program(engine: Engine, *nodes: Any) -> Program:
    return engine.load(drawing_of(Graph("Caching", nodes=list(nodes))))


def call(engine: Engine, made: Program, cache: Any = "use", **inputs: Any) -> Answer:
    digests = engine.stage_inputs(made, inputs)
    return engine.call(made, "local", digests, frozenset(made.drawing.nodes), cache).result(20)


def test_a_node_that_is_not_cached_executes_whenever_it_is_needed_and_the_rest_is_reused(engine: Engine) -> None:
    first = FnNode(shout, inputs={"text": Field("a")}, outputs={"loud": None}, cache=False)
    made = program(engine, FnNode(size, inputs={"loud": first.loud}, outputs={"n": None}))
    answers = [call(engine, made) for _ in range(3)]
    assert len({answer.runs["shout"].id for answer in answers}) == 3
    assert len({answer.runs["size"].id for answer in answers}) == 1, "an equal result upstream stales nobody"
    assert answers[0].runs["shout"].uncached == "not cached: cache=False"
    with pytest.raises(NotCachedError, match="shout"):
        call(engine, made, "only")


def test_a_node_that_is_not_cached_is_not_looked_up_by_a_sheet(engine: Engine) -> None:
    first = FnNode(shout, inputs={"text": Field("a")}, outputs={"loud": None}, cache=False)
    made = program(engine, FnNode(size, inputs={"loud": first.loud}, outputs={"n": None}))
    sheets = engine.sheets(made, "local")
    sheet = sheets.all()[0].id
    heads = []
    for _ in range(2):
        assert engine.start(made, "local", sheet, "size", "to_here")[1].result(20) is None
        heads.append(sheets.state(sheet).heads["shout"].id)
    assert heads[0] != heads[1]
    assert sheets.state(sheet).freshness.nodes["size"].fresh


def test_a_result_is_reused_until_it_is_too_old(engine: Engine) -> None:
    node = FnNode(shout, inputs={"text": Field("a")}, outputs={"loud": None}, cache=timedelta(seconds=1))
    made = program(engine, node)
    first = call(engine, made).runs["shout"]
    assert call(engine, made).runs["shout"].id == first.id
    time.sleep(1.1)
    assert call(engine, made).runs["shout"].id != first.id
    longer = FnNode(shout, inputs={"text": Field("a")}, outputs={"loud": None}, cache=timedelta(hours=1))
    assert call(engine, program(engine, longer)).cache == "hit", "the limit is no part of what a result is"


@pytest.mark.parametrize("cache", [None, 0, 3600, "no", timedelta(0), timedelta(seconds=-1)])
def test_a_limit_that_is_none_is_refused(cache: Any) -> None:
    with pytest.raises(GraphError, match="timedelta"):
        FnNode(shout, cache=cache)


def print_of(fn: Callable[..., Any], **options: Any) -> bytes:
    return node_fingerprint(spec_of(FnNode(fn, **options))).digest


def test_a_version_stands_for_the_code(tmp_path: Path) -> None:
    def made(body: str, **names: Any) -> Any:
        exec(f"def fn(x, rate={names.pop('rate', 1)}):\n    return {body}", names)
        return names["fn"]

    assert print_of(made("x"), version=1) == print_of(made("x * helper(x)", helper=shout), version=1)
    assert print_of(made("x"), version=1) != print_of(made("x"), version=2)
    assert print_of(made("x"), version=1) != print_of(made("x"), version="1")
    assert print_of(made("x"), version=1) != print_of(made("x", rate=2), version=1), (
        "what it was made with still counts"
    )
    assert print_of(made("x"), version=1) != print_of(shout, version=1), "two functions are two"


@pytest.mark.parametrize("version", [1.5, True, ["1"], b"1"])
def test_a_version_is_a_text_or_a_whole_number(version: Any) -> None:
    with pytest.raises(GraphError, match="version is a text or a whole number"):
        FnNode(shout, version=version)


def test_what_a_function_depends_on_counts(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Be kind.")
    seen = [print_of(shout), print_of(shout, depends=[size]), print_of(shout, depends=[prompt])]
    seen += [print_of(shout, depends=["text"]), print_of(shout, depends=[size, "text"])]
    prompt.write_text("Be bold.")
    seen.append(print_of(shout, depends=[prompt]))
    seen.append(print_of(shout, depends=[size], version=1))
    assert len(set(seen)) == len(seen)
    with pytest.raises(GraphError, match="depends is a list"):
        FnNode(shout, depends="prompt.txt")


def test_an_app_is_what_its_identity_says() -> None:
    def of(url: str, **options: Any) -> bytes:
        return node_fingerprint(spec_of(GradioNode(url, "/run", outputs={"y": None}, **options))).digest

    assert of("http://localhost:7861") != of("http://localhost:7862")
    assert of("http://localhost:7861", identity="cutout 3") == of("http://localhost:7862", identity="cutout 3")
    assert of("http://localhost:7861", identity="cutout 3") != of("http://localhost:7861", identity="cutout 4")


def test_a_sampled_node_answers_only_by_what_it_gave_before(engine: Engine) -> None:
    numbers = itertools.count(1)
    node = FnNode(shout, inputs={"text": lambda: f"n{next(numbers)}"}, outputs={"loud": None})
    made = program(engine, node)
    with pytest.raises(NotCachedError):
        call(engine, made, "only")
    drawn = [call(engine, made) for _ in range(2)]
    assert [engine.store.load(answer.runs["shout"].output("loud") or b"") for answer in drawn] == ["N1", "N2"]
    kept = call(engine, made, "only")
    assert kept.runs["shout"].id == drawn[-1].runs["shout"].id
    assert kept.cache == "hit"


def test_a_failed_run_is_kept_and_never_a_hit(engine: Engine) -> None:
    def broken(text: str) -> str:
        raise ValueError("no")

    made = program(engine, FnNode(broken, inputs={"text": Field("a")}, outputs={"loud": None}))
    for _ in range(2):
        with pytest.raises(NodeFailedError):
            call(engine, made)
    with engine.store.read() as txn:
        found = list(runs.by_node(txn, made.graph, "broken"))
    assert [run.status for run in found] == ["failed", "failed"]


def test_two_ways_to_an_equal_result_share_what_follows_and_keep_their_own_past(engine: Engine) -> None:
    first = FnNode(shout, inputs={"text": Field("a")}, outputs={"loud": None})
    made = program(engine, FnNode(size, inputs={"loud": first.loud}, outputs={"n": None}))
    sheets = engine.sheets(made, "local")
    sheet = sheets.all()[0].id
    seen: dict[str, Run] = {}
    for text in ("a", "A"):
        sheets.set_inputs(sheet, engine.stage_inputs(made, {"shout__text": text}))
        assert engine.start(made, "local", sheet, "shout", "to_here")[1].result(20) is None
        if text == "a":
            assert engine.start(made, "local", sheet, None, "all")[1].result(20) is None
        state = sheets.state(sheet)
        seen[text] = state.heads["shout"]
        assert state.freshness.nodes["size"].fresh, "size saw the same text: nothing is to be done"
    assert seen["a"].id != seen["A"].id
    assert seen["a"].output("loud") == seen["A"].output("loud")
    assert len(sheets.history(sheet, "size")) == 1
    for index, text in ((1, "a"), (2, "A")):
        sheets.select(sheet, "shout", index)
        state = sheets.state(sheet)
        assert state.heads["shout"].id == seen[text].id
        assert engine.store.load(state.inputs["shout__text"]) == text
        assert state.freshness.nodes["size"].fresh


def test_a_function_that_changes_its_input_in_place_spoils_nothing(engine: Engine, tmp_path: Path) -> None:
    def grow(items: list[int], path: str) -> int:
        items.append(4)
        Path(path).write_text(Path(path).read_text() + "more")
        return len(items)

    class File(Field):
        block = "file"

    source = tmp_path / "given.txt"
    source.write_text("text")
    node = FnNode(grow, inputs={"items": Field([1, 2, 3]), "path": File()}, outputs={"n": None})
    made = program(engine, node)
    given = {"grow__path": engine.stage_file("grow__path", source)}
    answer = call(engine, made, **given)
    assert call(engine, made, **given).cache == "hit"
    assert source.read_text() == "text"
    run = answer.runs["grow"]
    by_port = {binding.port: binding.digest for binding in run.inputs}
    assert engine.store.load(by_port["items"]) == [1, 2, 3]
    assert Path(engine.store.load(by_port["path"])).read_text() == "text"
    assert call(engine, made, "refresh", **given).runs["grow"].outputs == run.outputs


def test_two_runs_that_write_one_path_at_the_same_time_are_not_cached(engine: Engine, tmp_path: Path) -> None:
    class File(Field):
        block = "file"

    def write(text: str, folder: str, alone: bool) -> str:
        path = Path(folder) / f"{text if alone else 'out'}.txt"
        path.write_text(text)
        Path(folder, f"{text} is here").touch()
        while not alone and len(list(Path(folder).glob("* is here"))) < 2:
            time.sleep(0.005)
        return str(path)

    def node(name: str, *, alone: bool) -> FnNode:
        inputs = {"text": name, "folder": str(tmp_path), "alone": alone}
        return FnNode(write, name=name, inputs=inputs, outputs={"file": File()}, concurrent=True)

    apart = program(engine, node("a", alone=True), node("b", alone=True))
    assert {run.uncached for run in call(engine, apart).runs.values()} == {""}
    assert call(engine, apart).cache == "hit"
    for found in tmp_path.glob("* is here"):
        found.unlink()
    both = program(engine, node("a", alone=False), node("b", alone=False))
    call(engine, both)
    with engine.store.read() as txn:
        reasons = [next(runs.by_node(txn, both.graph, name)).uncached for name in ("a", "b")]
    assert all("out.txt" in reason and "at the same time" in reason for reason in reasons)
    assert not check(engine.store).damage
    assert call(engine, both).cache == "miss", "neither is a hit"
    one_after_the_other = program(engine, node("a", alone=False))
    first = call(engine, one_after_the_other).runs["a"]
    assert first.uncached == ""
    assert call(engine, one_after_the_other).cache == "hit"
