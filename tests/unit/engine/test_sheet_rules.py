"""The rules of a sheet, on runs made by hand: what is fresh, what settles, and what a selection brings back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daggr.engine.bindings import bind
from daggr.engine.freshness import Freshness, freshness, settle
from daggr.engine.keys import Identity, same_lookup
from daggr.engine.program import Program
from daggr.engine.provenance import Past, Restored, select
from daggr.graph.graph import Graph
from daggr.graph.nodes.fn import FnNode
from daggr.store.records import Head, HistoryEntry, Run
from daggr.store.sheets import outputs_hash
from tests.handmade import Field, node, program_of, result, run, step, value
from tests.properties.dags import Shape, build, shapes


class Sheet:
    """A sheet in memory. Nodes are run one by one; what is shown follows the rules."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.inputs: dict[str, bytes] = dict(program.defaults)
        self.heads: dict[str, Head] = {}
        self.runs: dict[bytes, Run] = {}
        self.entries: dict[str, list[HistoryEntry]] = {name: [] for name in program.drawing.nodes}
        self.now = 0.0
        self.gone: set[bytes] = set()
        """Runs whose results are no longer kept, and values that are not."""

    def shown(self) -> dict[str, Run]:
        return {name: self.runs[head.run] for name, head in self.heads.items() if head.run in self.runs}

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
        return freshness(self.program, self.inputs, self.shown(), self.now)

    def fresh_nodes(self) -> set[str]:
        return {name for name, one in self.fresh().nodes.items() if one.fresh}

    def orange(self) -> set[str]:
        return {edge for edge, used in self.fresh().edges.items() if used}

    def settle(self) -> dict[str, Run]:
        """What is shown after settling; the sheet stays as it is."""
        standing = settle(self.program, self.inputs, self.shown().get, self.find)
        return {**self.shown(), **{name: made for name, (made, _) in standing.items()}}

    def select(self, name: str, number: int) -> Restored:
        entry = self.entries[name][number - 1]
        past = Past(
            self.runs.get,
            lambda node: reversed(self.entries[node]),
            lambda digest: digest not in self.gone,
            lambda made: made.id not in self.gone,
        )
        restored = select(self.program, name, Head(entry.run, entry.parents), self.inputs, self.heads, past)
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


def test_a_result_that_is_good_for_an_hour_is_stale_after_it() -> None:
    a = FnNode(step(1), name="a", inputs={"x": Field()}, cache=timedelta(hours=1))
    sheet = Sheet(program_of(Graph("G", nodes=[node("b", x=a.output)])))
    sheet.run()
    sheet.now = 3600.0
    assert sheet.fresh_nodes() == {"a", "b"}
    sheet.now = 3600.1
    assert {one.reason for one in sheet.fresh().nodes.values()} == {"older than 1:00:00", "a is not up to date"}
    assert all(sheet.fresh().edges.values()), "it was made from what is there now all the same"


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
        assert all(one.fresh for one in freshness(sheet.program, sheet.inputs, settled, 0.0).nodes.values())
        sheet.inputs = before
        assert sheet.settle() == second
    assert sheet.settle() == sheet.shown()


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


def test_of_a_long_and_a_short_way_up_the_short_one_wins() -> None:
    top = node("top", x=Field("1"))
    far, short = node("far", x=top.output), node("short", x=top.output)
    long = node("long", x=far.output)
    sheet = Sheet(program_of(Graph("G", nodes=[node("end", s=short.output, l=long.output)])))
    sheet.run("top", "far", "long")
    sheet.type(top__x="2")
    sheet.run("top", "short", "end")
    by_short = sheet.heads["top"]
    sheet.type(top__x="3")
    sheet.run("top")
    sheet.select("end", 1)
    assert (sheet.heads["top"], sheet.inputs["top__x"]) == (by_short, value("2"))
    assert not sheet.fresh().edges["top.output->far.x"]


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


def test_equal_results_share_what_follows_and_each_keeps_its_own_past() -> None:
    sheet = chain()
    sheet.run("a", gives="same")
    last = sheet.run("b", "c")
    sheet.type(a__text="ho")
    sheet.run("a", gives="same")
    assert sheet.fresh_nodes() == {"a", "b", "c"}, "the same followed from another text"
    for index, text in ((1, "hi"), (2, "ho")):
        sheet.select("a", index)
        assert sheet.inputs["a__text"] == value(text)
        assert sheet.heads["c"].run == last.id
        assert sheet.heads["b"].parents == {A_B: sheet.heads["a"].run}
        assert sheet.fresh_nodes() == {"a", "b", "c"}


def test_below_a_result_for_the_inputs_of_now_is_better_than_a_newer_one() -> None:
    a = node("a", text=Field("hi"))
    sheet = Sheet(program_of(Graph("G", nodes=[node("b", x=a.output, seed=Field(1))])))
    sheet.run()
    first = sheet.heads["b"]
    sheet.type(b__seed=2)
    sheet.run("b")
    sheet.type(a__text="ho", b__seed=1)
    sheet.run("a")
    sheet.select("a", 1)
    assert sheet.heads["b"] == first
    assert sheet.fresh_nodes() == {"a", "b"}


def test_two_thousand_nodes_in_a_row_are_judged_and_selected() -> None:
    last = node("n0", text=Field("hi"))
    for number in range(1, 2000):
        last = FnNode(step(0), name=f"n{number}", inputs={"x": last.output})
    sheet = Sheet(program_of(Graph("G", nodes=[last])))
    for text in ("hi", "ho"):
        sheet.type(n0__text=text)
        sheet.run()
        assert len(sheet.fresh_nodes()) == 2000
    for name in ("n1999", "n0"):
        for index in (1, 2):
            sheet.select(name, index)
            assert {name: sheet.entries[name][index - 1].run for name in sheet.heads} == {
                name: head.run for name, head in sheet.heads.items()
            }


# ---------------------------------------------------------------- what is lost


def two_states() -> Sheet:
    """A chain that was run twice; the second state is shown."""
    sheet = chain()
    sheet.run()
    sheet.type(a__text="ho", b__more="else")
    sheet.run()
    return sheet


def test_a_value_that_is_gone_stays_out_of_the_input_and_is_said() -> None:
    sheet = two_states()
    sheet.gone.add(value("hi"))
    restored = sheet.select("c", 1)
    assert sheet.inputs == {"a__text": value("ho"), "b__more": value("more")}
    assert restored.missing == ("What 'a' was given as 'text' is no longer kept.",)
    assert sheet.orange() == {A_B, MORE, B_C}


def test_above_a_run_that_is_gone_nothing_is_known_and_its_node_stays() -> None:
    sheet = two_states()
    now = sheet.heads["a"]
    del sheet.runs[sheet.entries["a"].pop(0).run]
    restored = sheet.select("c", 1)
    assert sheet.heads["a"] == now
    assert sheet.inputs == {"a__text": value("ho"), "b__more": value("more")}
    assert restored.missing == ("The result of 'a' is no longer there.",)
    assert sheet.orange() == {TEXT, MORE, B_C}


def test_an_equal_result_stands_in_for_one_that_is_gone() -> None:
    sheet = chain()
    sheet.run()
    gone = sheet.heads["a"].run
    again = sheet.run("a")
    sheet.type(a__text="ho")
    sheet.run()
    del sheet.runs[gone]
    restored = sheet.select("b", 1)
    assert sheet.heads["a"].run == again.id
    assert sheet.inputs["a__text"] == value("hi")
    assert restored.missing == ("The result of 'a' is no longer there; an equal one is shown.",)


def test_a_selected_result_that_is_gone_leaves_its_node_and_restores_what_is_above() -> None:
    sheet = two_states()
    now = sheet.heads["b"]
    del sheet.runs[sheet.entries["b"][0].run]
    restored = sheet.select("b", 1)
    assert (sheet.heads["b"], sheet.inputs["a__text"]) == (now, value("hi"))
    assert restored.missing == ("The result of 'b' is no longer there.",)


def test_what_is_no_longer_kept_is_shown_above_and_never_taken_below() -> None:
    sheet = two_states()
    old, now = sheet.entries["b"][0].run, sheet.heads["c"]
    sheet.gone |= {old, sheet.entries["c"][0].run}
    restored = sheet.select("b", 1)
    assert (sheet.heads["b"].run, sheet.heads["c"]) == (old, now)
    assert restored.missing == ("The result of 'b' is no longer kept: run it again.",)


def test_a_script_that_changed_gets_back_what_it_still_has_a_place_for() -> None:
    sheet = two_states()
    first = {name: entries[0].run for name, entries in sheet.entries.items()}
    new = FnNode(step(ord("a")), name="new", inputs={"text": Field("hi")})
    b = node("b", x=new.output, more=3, late=Field("late"))
    sheet.program = program_of(Graph("G", nodes=[node("c", x=b.output)]))
    sheet.entries["new"] = []
    sheet.inputs |= sheet.program.defaults
    restored = sheet.select("c", 1)
    assert (sheet.heads["b"].run, sheet.heads["c"].run) == (first["b"], first["c"])
    assert sheet.inputs["b__late"] == value("late")
    assert restored.missing == ("'b' is no longer given 'more'.",)
    assert sheet.heads["new"].run == first["a"], "the same node by another name"
    assert sheet.inputs["new__text"] == value("hi")


def test_an_edge_to_another_node_restores_nothing_through_it() -> None:
    sheet = two_states()
    other = node("other", x=Field("o"))
    b = FnNode(step(5), name="b", inputs={"x": other.output, "more": Field("more")})
    sheet.program = program_of(Graph("G", nodes=[node("c", x=b.output), node("a", text=Field("hi"))]))
    sheet.entries["other"] = []
    sheet.inputs |= sheet.program.defaults
    sheet.run("other", gives="something")
    shown = sheet.heads["other"]
    restored = sheet.select("c", 1)
    assert sheet.heads["other"] == shown
    assert restored.missing == ("'b' was not given 'x' by 'other'.",)


def test_a_value_that_was_fixed_comes_back_into_the_input_that_it_became() -> None:
    sheet = Sheet(program_of(Graph("G", nodes=[node("a", x="fixed")])))
    sheet.run()
    sheet.program = program_of(Graph("G", nodes=[node("a", x=Field("typed"))]))
    sheet.inputs |= sheet.program.defaults
    sheet.run()
    assert sheet.select("a", 1).missing == ()
    assert sheet.inputs["a__x"] == value("fixed")


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
