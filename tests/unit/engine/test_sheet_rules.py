"""The rules of a sheet, on runs made by hand: what is fresh, what settles, and what a selection brings back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daggr.engine.bindings import bind
from daggr.engine.freshness import Freshness, freshness, settle
from daggr.engine.keys import Identity, same_lookup
from daggr.engine.program import Program
from daggr.engine.provenance import Restored, select
from daggr.graph.graph import Graph
from daggr.store.records import Head, HistoryEntry, Run
from daggr.store.sheets import outputs_hash
from tests.handmade import Field, node, program_of, result, run, value
from tests.properties.dags import Shape, build, shapes


class Sheet:
    """A sheet in memory. Nodes are run one by one; what is shown follows the rules."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.inputs: dict[str, bytes] = dict(program.defaults)
        self.heads: dict[str, Head] = {}
        self.runs: dict[bytes, Run] = {}
        self.entries: dict[str, list[HistoryEntry]] = {name: [] for name in program.drawing.nodes}

    def shown(self) -> dict[str, Run]:
        return {name: self.runs[head.run] for name, head in self.heads.items()}

    def type(self, **inputs: Any) -> None:
        self.inputs |= {name: value(given) for name, given in inputs.items()}

    def run(self, *names: str, gives: Any = None) -> Run:
        """Run nodes on what is shown; the last one's run. With `gives` they give that, else what follows."""
        for name in names or self.program.drawing.nodes:
            bound = bind(self.program, name, self.inputs, self.shown().get)
            assert not bound.missing
            if gives is None:
                made = result(self.program, name, bound.bindings)
            else:
                made = run(self.program, name, bound.bindings, {"output": value(gives)})
            self.show(made, bound.parents)
        return made

    def show(self, made: Run, parents: Mapping[str, bytes]) -> None:
        self.runs[made.id] = made
        self.heads[made.node] = Head(made.id, dict(parents))
        new = HistoryEntry(made.id, made.key, outputs_hash(made), dict(parents))
        old = self.entries[made.node]
        same = [at for at, entry in enumerate(old) if (entry.key, entry.outputs) == (new.key, new.outputs)]
        if same:
            old[same[0]] = new
        else:
            old.append(new)

    def find(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        return next((made for made in reversed(self.runs.values()) if same_lookup(made, identity)), None)

    def fresh(self) -> Freshness:
        return freshness(self.program, self.inputs, self.shown())

    def fresh_nodes(self) -> set[str]:
        return {name for name, one in self.fresh().nodes.items() if one.fresh}

    def orange(self) -> set[str]:
        return {edge for edge, used in self.fresh().edges.items() if used}

    def settle(self) -> dict[str, Run]:
        return settle(self.program, self.inputs, self.shown(), self.find)

    def select(self, name: str, number: int) -> Restored:
        restored = select(
            self.program,
            name,
            self.entries[name][number - 1],
            self.inputs,
            self.heads,
            self.runs.get,
            self.entries.__getitem__,
        )
        self.inputs, self.heads = dict(restored.inputs), dict(restored.heads)
        return restored


def chain() -> Sheet:
    """text → a → b → c, and b takes `more`."""
    a = node("a", text=Field("hi"))
    b = node("b", x=a.output, more=Field("more"))
    return Sheet(program_of(Graph("G", nodes=[node("c", x=b.output)])))


TEXT, A_B, MORE, B_C = "input:a__text->a.text", "a.output->b.x", "input:b__more->b.more", "b.output->c.x"


# ---------------------------------------------------------------- freshness


def test_nothing_is_fresh_before_it_ran() -> None:
    fresh = chain().fresh()
    assert {one.reason for one in fresh.nodes.values()} == {"never run"}
    assert fresh.edges == {TEXT: False, A_B: False, MORE: False, B_C: False}


def test_an_edge_is_orange_when_its_targets_result_used_exactly_what_is_upstream_now() -> None:
    sheet = chain()
    sheet.run("a")
    assert sheet.orange() == {TEXT}
    sheet.run("b", "c")
    assert sheet.orange() == {TEXT, A_B, MORE, B_C}
    sheet.type(b__more="else")
    assert sheet.orange() == {TEXT, A_B, B_C}
    sheet.run("b")
    assert sheet.orange() == {TEXT, A_B, MORE}


def test_a_node_says_whether_its_own_inputs_or_an_ancestor_is_not_up_to_date() -> None:
    sheet = chain()
    sheet.run()
    assert sheet.fresh_nodes() == {"a", "b", "c"}
    sheet.type(a__text="ho")
    reasons = {name: one.reason for name, one in sheet.fresh().nodes.items()}
    assert reasons == {"a": "changed: text", "b": "a is not up to date", "c": "b is not up to date"}
    sheet.run("a")
    assert sheet.fresh().nodes["b"].reason == "changed: x"
    sheet.run("a", gives="as before")
    sheet.run("b", "c")
    sheet.type(a__text="hu")
    sheet.run("a", gives="as before")
    assert sheet.fresh_nodes() == {"a", "b", "c"}, "an equal value upstream stales nobody"


def test_a_changed_definition_stales_its_node_and_greys_its_edges() -> None:
    sheet = chain()
    sheet.run()
    a = node("a", text=Field("hi"))
    b = node("b", x=a.output, more=Field("more"))
    edited = Graph("G", nodes=[node("c", x=b.output)])
    edited.nodes["b"]._spec.fn = lambda **inputs: "edited"  # type: ignore[attr-defined]
    sheet.program = program_of(edited)
    assert sheet.orange() == {TEXT, B_C}
    reasons = {name: one.reason for name, one in sheet.fresh().nodes.items()}
    assert reasons == {"a": "", "b": "its code or settings changed", "c": "b is not up to date"}


@settings(deadline=None)
@given(shapes(), st.data())
def test_changing_one_input_stales_its_node_and_what_is_below_and_greys_one_wire(
    shape: Shape, data: st.DataObject
) -> None:
    sheet = Sheet(program_of(build(shape)))
    sheet.run()
    assert sheet.fresh_nodes() == set(shape.names)
    assert all(sheet.fresh().edges.values())
    if not shape.with_input:
        return
    name = data.draw(st.sampled_from(sorted(f"n{number}" for number in shape.with_input)))
    sheet.type(**{f"{name}__text": "changed"})
    assert sheet.fresh_nodes() == set(shape.names) - {name} - shape.below(name)
    grey = set(sheet.fresh().edges) - sheet.orange()
    assert grey == {f"input:{name}__text->{name}.text"}


# ---------------------------------------------------------------- settling


@settings(deadline=None)
@given(shapes(), st.data())
def test_going_back_to_known_inputs_brings_their_results_back_at_once(shape: Shape, data: st.DataObject) -> None:
    sheet = Sheet(program_of(build(shape)))
    sheet.run()
    first = sheet.shown()
    if shape.with_input:
        number = data.draw(st.sampled_from(sorted(shape.with_input)))
        before = dict(sheet.inputs)
        sheet.type(**{f"n{number}__text": "else"})
        assert sheet.settle() == first, "nothing is known for the new input, so all keep what they show"
        sheet.run()
        second = sheet.shown()
        sheet.inputs, before = before, dict(sheet.inputs)
        settled = sheet.settle()
        assert {name: one.outputs for name, one in settled.items()} == {n: one.outputs for n, one in first.items()}
        assert all(one.fresh for one in freshness(sheet.program, sheet.inputs, settled).nodes.values())
        sheet.inputs = before
        assert sheet.settle() == second
    assert settle(sheet.program, sheet.inputs, sheet.shown(), sheet.find) == sheet.shown()


def test_settling_stops_where_something_was_never_run() -> None:
    sheet = chain()
    sheet.run("a", "b")
    known = sheet.settle()
    assert set(known) == {"a", "b"}
    sheet.heads = {}
    assert sheet.settle() == known


def test_settling_keeps_the_sheets_own_sample_among_several() -> None:
    sheet = chain()
    own = sheet.run("a", gives="own draw")
    made = run(sheet.program, "a", own.inputs, {"output": value("a newer draw")})
    sheet.runs[made.id] = made
    assert sheet.settle()["a"] == own


# ---------------------------------------------------------------- selecting


def test_a_selection_restores_the_inputs_and_results_above_and_matching_results_below() -> None:
    sheet = chain()
    sheet.run()
    first, inputs = dict(sheet.heads), dict(sheet.inputs)
    sheet.type(a__text="ho", b__more="else")
    sheet.run()
    second, later = dict(sheet.heads), dict(sheet.inputs)
    sheet.select("b", 1)
    assert (sheet.heads, sheet.inputs) == (first, inputs)
    assert sheet.fresh_nodes() == {"a", "b", "c"}
    sheet.select("c", 2)
    assert (sheet.heads, sheet.inputs) == (second, later)


def test_what_has_no_matching_result_below_keeps_its_own_and_turns_grey() -> None:
    sheet = chain()
    sheet.run("a", "b")
    sheet.type(a__text="ho")
    sheet.run()
    shown = sheet.heads["c"]
    sheet.select("b", 1)
    assert sheet.heads["c"] == shown
    assert sheet.orange() == {TEXT, A_B, MORE}


def test_a_selection_leaves_other_parts_of_the_graph_alone() -> None:
    a, b = node("a", x=Field()), node("b", x=Field())
    sheet = Sheet(program_of(Graph("G", nodes=[a, b])))
    sheet.run()
    sheet.type(a__x="1", b__x="1")
    sheet.run()
    before, typed = sheet.heads["b"], sheet.inputs["b__x"]
    sheet.select("a", 1)
    assert (sheet.heads["b"], sheet.inputs["b__x"]) == (before, typed)


def test_where_a_diamond_wants_two_results_of_one_node_the_first_path_wins_and_the_other_turns_grey() -> None:
    top = node("top", x=Field("1"))
    left, right = node("left", x=top.output), node("right", x=top.output)
    sheet = Sheet(program_of(Graph("G", nodes=[node("end", l=left.output, r=right.output)])))
    sheet.run("top", "left")
    old = sheet.heads["top"]
    sheet.type(top__x="2")
    sheet.run("top", "right", "end")
    sheet.run()
    sheet.select("end", 1)
    assert sheet.heads["top"] == old
    assert sheet.inputs["top__x"] == value("1")
    assert sheet.orange() == {
        "input:top__x->top.x", "top.output->left.x", "left.output->end.l", "right.output->end.r",
    }  # fmt: skip


def test_below_the_newest_match_is_taken_and_one_of_the_very_same_parents_is_preferred() -> None:
    sheet = chain()
    sheet.run("a", "b", gives="same")
    mine = sheet.run("c")
    sheet.type(b__more="else")
    sheet.run("b", gives="same")
    sheet.type(b__more="third")
    newest = sheet.run("b", gives="same")
    other = run(sheet.program, "c", mine.inputs, {"output": value("drawn anew")})
    sheet.show(other, {B_C: newest.id})
    sheet.select("b", 1)
    assert sheet.heads["c"].run == mine.id, "made from the selected run itself"
    sheet.select("b", 2)
    assert sheet.heads["c"].run == other.id, "none was: the newest of equal inputs"


@settings(deadline=None, max_examples=60)
@given(shapes(), st.data())
def test_selecting_what_was_made_from_one_state_brings_that_state_back_above_and_can_be_repeated(
    shape: Shape, data: st.DataObject
) -> None:
    sheet = Sheet(program_of(build(shape)))
    states = []
    for turn in range(3):
        sheet.type(**{f"n{number}__text": (turn, number) for number in shape.with_input})
        sheet.run()
        states.append((dict(sheet.heads), dict(sheet.inputs)))
    name = data.draw(st.sampled_from(shape.names))
    number = data.draw(st.integers(1, len(sheet.entries[name])))
    above = sheet.program.drawing.ancestors(name)
    chosen = sheet.entries[name][number - 1].run
    heads, inputs = next(state for state in states if state[0][name].run == chosen)
    sheet.select(name, number)
    for up in above:
        assert sheet.runs[sheet.heads[up].run].outputs == sheet.runs[heads[up].run].outputs
        if int(up[1:]) in shape.with_input:
            assert sheet.inputs[f"{up}__text"] == inputs[f"{up}__text"]
    assert above <= sheet.fresh_nodes()
    once = (dict(sheet.heads), dict(sheet.inputs))
    sheet.select(name, number)
    assert (sheet.heads, sheet.inputs) == once
