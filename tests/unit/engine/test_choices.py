"""Choices, interactions and edited results in a sheet and in calls."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, Graph, GraphError, InputNode, InteractionNode, NodeFailedError, UnknownInputError
from daggr.engine.engine import Engine
from daggr.errors import UnknownPortError
from daggr.graph.graph import drawing_of
from tests.handmade import Field, Image, Number
from tests.unit.engine.desk import Desk
from tests.unit.engine.making import PATIENCE


def call(engine: Engine, graph: Graph, **inputs: Any) -> Any:
    """The first output of the first node that feeds no other."""
    program = engine.load(drawing_of(graph))
    digests = engine.stage_inputs(program, inputs)
    answer = engine.call(program, "local", digests, frozenset(program.drawing.nodes)).result(PATIENCE)
    last = program.drawing.subgraphs[0].outputs[0]
    return engine.store.load(answer.runs[last].outputs[0].digest)


def doubled_or_added() -> Graph:
    """`x` doubled, or `x` and `k` added; then as a text."""
    source = FnNode(lambda x: x, name="source", inputs={"x": Number(value=3)}, outputs={"x": None})
    double = FnNode(lambda x: 2 * x, name="double", inputs={"x": source.x}, outputs={"y": Number()})
    add = FnNode(lambda x, k: x + k, name="add", inputs={"x": source.x, "k": Number(value=10)}, outputs={"y": Number()})
    either = double | add
    either.name = "either"
    return Graph("Either", nodes=[FnNode(str, name="text", inputs={"object": either.y}, outputs={"text": None})])


# ---------------------------------------------------------------- choices


def test_a_variant_is_selected_and_known_results_come_back_with_it(engine: Engine) -> None:
    desk = Desk(engine, doubled_or_added())
    desk.run(None, "all")
    assert desk.value("text", "text") == "6"
    desk.set(either__variant="add")
    assert desk.reason("either")
    assert desk.reason("text")
    desk.run(None, "all")
    assert desk.value("text", "text") == "13"
    desk.set(either__variant="double")  # known: nothing runs
    assert desk.value("text", "text") == "6"
    assert not desk.reason("text")
    desk.set(either__k=20)  # an input of the other variant
    assert not desk.reason("text")
    desk.set(either___selected_variant=1)
    assert desk.reason("either")
    desk.run(None, "all")
    assert desk.value("text", "text") == "23"


def test_selecting_a_result_selects_the_variant_that_made_it_and_undo_takes_it_back(engine: Engine) -> None:
    desk = Desk(engine, doubled_or_added())
    desk.run(None, "all")
    desk.set(either__variant="add")
    desk.run(None, "all")
    desk.view.select(desk.id, "text", 1)
    assert (desk.input("either__variant"), desk.value("either", "y")) == ("double", 6)
    assert not desk.reason("text")
    desk.view.undo(desk.id)
    assert (desk.input("either__variant"), desk.value("text", "text")) == ("add", "13")
    desk.view.select(desk.id, "either", 1)
    assert (desk.input("either__variant"), desk.value("text", "text")) == ("double", "6")


def test_variants_over_the_api(engine: Engine) -> None:
    graph = doubled_or_added()
    assert call(engine, graph, source__x=4) == "8"
    assert call(engine, graph, source__x=4, either__variant="add", either__k=1) == "5"
    assert call(engine, graph, source__x=4, either___selected_variant=1) == "14"
    with pytest.raises(UnknownInputError, match=r"takes the name of a variant: double, add; given: 'ad'. Did you mean"):
        call(engine, graph, either__variant="ad")
    with pytest.raises(UnknownInputError, match="given: 7"):
        call(engine, graph, either___selected_variant=7)


def test_a_variant_shares_results_with_the_node_it_is(engine: Engine) -> None:
    def plain() -> FnNode:
        return FnNode(time.time_ns, name="once")

    made = call(engine, Graph("Plain", nodes=[plain()]))
    assert call(engine, Graph("Choice", nodes=[plain() | FnNode(lambda: 2, name="two")])) == made


# ---------------------------------------------------------------- interactions


def asking(kind: Any, given: Any) -> Graph:
    group = InputNode("In", ports={"x": Field(value=given)})
    ask = InteractionNode("ask", kind, inputs={"input": group.x}, outputs={"said": None})
    return Graph("Ask", nodes=[FnNode(lambda x: [x], name="after", inputs={"x": ask.said})])


@pytest.mark.parametrize(
    ("kind", "given", "answer", "value"),
    [
        ("approve", "a", True, "a"),
        ("choose_one", ["a", "b"], "b", "b"),
        ("choose_one", ["a", "b"], 1, "b"),
        ("choose_one", [5, 1], 1, 1),
        ("choose_one", [0.5, 2.0, 1.0], 2, 2.0),
        ("choose_one", [True, False], 1, False),
        ("text_input", None, "words", "words"),
        ("generic", "a", {"any": 1}, {"any": 1}),
    ],
)
def test_a_run_ends_at_a_question_and_goes_on_when_it_is_answered(
    engine: Engine, kind: Any, given: Any, answer: Any, value: Any
) -> None:
    desk = Desk(engine, asking(kind, given))
    assert desk.run(None, "all") is None
    assert desk.reason("ask") == "waits for an answer"
    assert desk.reason("after") == "never run"
    assert desk.answer("ask", answer) is None
    desk.run(None, "all")
    assert desk.value("after") == [value]
    assert not desk.reason("after")
    assert call(engine, asking(kind, given), ask__said=answer) == [value]


def test_an_answer_is_for_what_was_asked(engine: Engine) -> None:
    desk = Desk(engine, asking("approve", "a"))
    desk.answer("ask", True)
    desk.set(In__x="b")
    desk.run(None, "all")
    assert desk.reason("ask")  # nobody approved that
    assert desk.reason("after")
    assert desk.value("after") == ["a"]
    desk.set(In__x="a")
    desk.run(None, "all")
    assert desk.value("after") == ["a"]
    other = Desk(engine, asking("approve", "a"), owner="somebody else")
    other.run(None, "all")
    assert other.reason("ask") == "waits for an answer"


def test_a_rejection_is_a_failure_and_can_be_thought_over(engine: Engine) -> None:
    desk = Desk(engine, asking("approve", "a"))
    assert "was rejected" in str(desk.answer("ask", False))
    desk.run(None, "all")
    assert desk.reason("ask") == "waits for an answer"
    desk.answer("ask", True)
    desk.run("after")
    assert desk.value("after") == ["a"]


def test_an_answer_can_be_given_again_and_both_are_remembered(engine: Engine) -> None:
    desk = Desk(engine, asking("choose_one", ["a", "b"]))
    for answer in ("a", "b", "a"):
        desk.answer("ask", answer)
        desk.run(None, "all")
        assert desk.value("after") == [answer]
    desk.view.select(desk.id, "ask", 2)
    assert desk.value("after") == ["b"]


def test_wrong_answers_say_what_is_right(engine: Engine) -> None:
    desk = Desk(engine, asking("choose_one", ["a", "b"]))
    assert "'c' is none of the options" in str(desk.answer("ask", "c"))
    assert "Options: 'a', 'b'" in str(desk.answer("ask", 2))
    with pytest.raises(GraphError, match="does not ask anything"):
        desk.answer("after", 1)
    with pytest.raises(NodeFailedError, match=r"(?s)'ask' waits for an answer.*input 'ask__said'"):
        call(engine, asking("approve", "a"))


def test_what_has_nothing_to_ask_about_cannot_be_answered(engine: Engine) -> None:
    first = FnNode(lambda: 1, name="first", outputs={"x": None})
    ask = InteractionNode("ask", "approve", inputs={"input": first.x})
    desk = Desk(engine, Graph("Early", nodes=[ask]))
    with pytest.raises(GraphError, match="'ask' needs a result of 'first' first"):
        desk.answer("ask", True)


# ---------------------------------------------------------------- edits


def chain() -> Graph:
    first = FnNode(lambda x: [x, x], name="first", inputs={"x": Number(value=1)}, outputs={"xs": None})
    return Graph("Edit", nodes=[FnNode(sum, name="sum", inputs={"iterable": first.xs}, outputs={"sum": None})])


def test_an_edited_result_stands_in_its_sheet_only(engine: Engine) -> None:
    desk = Desk(engine, chain())
    desk.run(None, "all")
    desk.edit("first", xs=[5, 5])
    assert desk.value("first", "xs") == [5, 5]
    assert not desk.reason("first")
    assert desk.reason("sum") == "changed: iterable"
    desk.run("sum")
    assert desk.value("sum", "sum") == 10
    assert call(engine, chain()) == 2  # nobody else finds it
    other = Desk(engine, chain(), owner="somebody else")
    other.run(None, "all")
    assert other.value("sum", "sum") == 2
    desk.set(first__x=2)
    desk.set(first__x=1)
    assert desk.value("first", "xs") == [5, 5]  # in its own sheet it comes back
    desk.view.select(desk.id, "first", 1)
    assert (desk.value("first", "xs"), desk.value("sum", "sum")) == ([1, 1], 2)
    desk.view.undo(desk.id)
    assert (desk.value("first", "xs"), desk.value("sum", "sum")) == ([5, 5], 10)
    edited = desk.view.state(desk.id).results["first"].run
    assert (edited.kind, bool(edited.edits)) == ("edit", True)
    desk.run("first")  # asked for: it executes
    assert desk.value("first", "xs") == [1, 1]


def test_what_cannot_be_edited_says_so(engine: Engine) -> None:
    desk = Desk(engine, chain())
    with pytest.raises(GraphError, match="'first' has no result to edit"):
        desk.edit("first", xs=[1])
    desk.run("first")
    with pytest.raises(UnknownPortError, match=r"'first' gave no 'x'. It gave: xs. Did you mean 'xs'\?"):
        desk.edit("first", x=[1])


# ---------------------------------------------------------------- this step only


def test_this_step_runs_on_what_its_parents_show(engine: Engine) -> None:
    desk = Desk(engine, chain())
    with pytest.raises(GraphError, match="'sum' needs a result of 'first' first"):
        desk.run("sum", "step")
    desk.run("first")
    desk.set(first__x=7)
    desk.run("sum", "step")
    assert desk.value("sum", "sum") == 2
    assert desk.reason("first") == "changed: x"


def test_an_answer_starts_what_comes_after_it(engine: Engine) -> None:
    desk = Desk(engine, asking("approve", "a"))
    desk.run("after")
    desk.answer("ask", True)
    assert desk.value("after") == ["a"]


def test_an_input_of_another_variant_brings_its_known_result_back(engine: Engine) -> None:
    desk = Desk(engine, doubled_or_added())
    desk.set(either__variant="add")
    desk.run(None, "all")
    desk.set(either__k=20)
    desk.run(None, "all")
    desk.set(either__k=10)
    assert desk.value("text", "text") == "13"
    assert not desk.reason("text")


def test_text_as_an_answer_never_becomes_a_file(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    ask = InteractionNode("ask", "image_input", outputs={"image": Image()})
    graph = Graph("Secret", nodes=[FnNode(str, name="show", inputs={"object": ask.image})])
    with pytest.raises(NodeFailedError, match="came in as text"):
        call(engine, graph, ask__image=str(secret))


def test_a_question_that_has_an_input_of_the_same_name_is_asked_all_the_same(engine: Engine) -> None:
    ask = InteractionNode("ask", "generic", inputs={"text": Field(value="the default")}, outputs={"text": None})
    graph = Graph("Same", nodes=[FnNode(str, name="show", inputs={"object": ask.text})])
    with pytest.raises(NodeFailedError, match=r"(?s)waits for an answer.*'ask__text_answer'"):
        call(engine, graph)
    assert call(engine, graph, ask__text_answer="mine") == "mine"
