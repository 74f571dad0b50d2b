"""Whatever is done to a sheet, it shows what the rules say: freshness, histories, selections, undo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daggr.store import runs, sheets
from daggr.store.records import Run, Snapshot
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, RUNS, Txn
from tests.properties.sheets import Desk, Part, Shown, State, nets

SMALL = st.integers(0, 2)


class Working(RuleBasedStateMachine):
    """Somebody works on a sheet: types, edits the script, runs nodes, looks at earlier results."""

    @initialize(parts=nets(), data=st.data(), rounds=st.lists(SMALL, min_size=1, max_size=4))
    def start(self, parts: tuple[Part, ...], data: st.DataObject, rounds: list[int]) -> None:
        """Every history has something to begin with."""
        self.store = Store(None, "relaxed")
        self.desk = Desk(self.store, parts)
        self.model = self.desk.model
        self.running: list[Callable[[int], Run]] = []
        for value in rounds:
            if self.model.program.defaults:
                self.type(data, [value, value])
            for node in data.draw(st.lists(st.sampled_from(self.model.nodes), max_size=8), label="nodes"):
                if (end := self.desk.begin(node, value)) is not None:
                    end(value)
            self.run_all(value, value)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def a_node(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.model.nodes), label="node")

    # ------------------------------------------------------------ what people do

    @precondition(lambda self: self.model.program.defaults)
    @rule(data=st.data(), values=st.lists(SMALL, min_size=1, max_size=2))
    def type(self, data: st.DataObject, values: list[int]) -> None:
        names = sorted(self.model.program.defaults)
        given = {data.draw(st.sampled_from(names)): self.desk.keep(value) for value in values}
        self.desk.sheets.set_inputs(self.desk.sheet, given)
        self.model.set_inputs(given)

    @rule(data=st.data())
    def edit_a_definition(self, data: st.DataObject) -> None:
        self.desk.edit(self.a_node(data))

    @rule()
    def load_again(self) -> None:
        self.desk.load()
        self.model.program = self.desk.program
        self.settle()

    def settle(self) -> None:
        self.desk.sheets.settle(self.desk.sheet)
        self.model.settle()

    @rule(data=st.data(), seed=SMALL, gives=SMALL)
    def run_this_step(self, data: st.DataObject, seed: int, gives: int) -> None:
        if (end := self.desk.begin(self.a_node(data), seed)) is not None:
            end(gives)

    @rule(data=st.data(), seed=SMALL, gives=SMALL)
    def run_to_here(self, data: st.DataObject, seed: int, gives: int) -> None:
        node = self.a_node(data)
        self.run_all(seed, gives, self.model.program.drawing.ancestors(node) - {node})
        end = self.desk.begin(node, seed)
        assert end is not None
        end(gives)

    @rule(seed=SMALL, gives=SMALL)
    def run_all(self, seed: int, gives: int, within: frozenset[str] | None = None) -> None:
        self.settle()
        for node in self.model.nodes:
            if (within is None or node in within) and not self.model.fresh(node):
                end = self.desk.begin(node, seed)
                assert end is not None
                end(gives)

    @rule(data=st.data(), seed=SMALL)
    def begin_a_run(self, data: st.DataObject, seed: int) -> None:
        if (end := self.desk.begin(self.a_node(data), seed)) is not None:
            self.running.append(end)

    @precondition(lambda self: self.running)
    @rule(gives=SMALL)
    def end_a_run(self, gives: int) -> None:
        self.running.pop(0)(gives)

    @precondition(lambda self: self.model.history)
    @rule(data=st.data())
    def select(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(sorted(self.model.history)), label="node")
        index = data.draw(st.integers(1, len(self.model.history[node])), label="index")
        before = self.snapshot()
        stands = self.model.place(node)[0] == index and self.model.fresh(node)
        assert self.desk.sheets.select(self.desk.sheet, node, index).missing == ()
        self.model.select(node, index)
        after = self.snapshot()
        assert not stands or after == before, "what is shown and stands was selected"
        self.desk.sheets.select(self.desk.sheet, node, index)
        assert self.snapshot() == after, "the same was selected twice"

    @precondition(lambda self: self.model.history)
    @rule()
    def look_at_each_result(self) -> None:
        before = self.snapshot()
        for node, entries in self.model.history.items():
            for index in range(1, len(entries) + 1):
                self.desk.sheets.select(self.desk.sheet, node, index)
                self.model.select(node, index)
                self.shows_what_the_rules_say()
                after = self.snapshot()
                if after != before:
                    self.undo()
                    assert self.snapshot() == before
                    self.redo()
                    assert self.snapshot() == after
                    self.undo()

    @rule()
    def undo(self) -> None:
        self.desk.sheets.undo(self.desk.sheet)
        self.model.undo()

    @rule()
    def redo(self) -> None:
        self.desk.sheets.redo(self.desk.sheet)
        self.model.redo()

    # ------------------------------------------------------------ what they see

    def snapshot(self) -> State:
        with self.store.read() as txn:
            record = sheets.get(txn, self.desk.sheet)
            assert record is not None
            state = sheets.snapshot(txn, record)
        return State(state.inputs, {node: Shown(head.run, head.parents) for node, head in state.heads.items()})

    @invariant()
    def shows_what_the_rules_say(self) -> None:
        model, now = self.model, self.snapshot()
        assert (now.inputs, now.heads) == (model.state.inputs, model.state.heads)
        state = self.desk.sheets.state(self.desk.sheet)
        assert state.inputs == {name: model.input(name) for name in model.program.defaults}
        assert {name: (one.index, one.total) for name, one in state.results.items()} == {
            name: model.place(name) for name in model.state.heads
        }
        assert state.freshness.edges == model.orange()
        assert {name: one.fresh for name, one in state.freshness.nodes.items()} == {
            name: model.fresh(name) for name in model.nodes
        }

    @invariant()
    def histories_have_each_result_once_and_only_runs_made_runs(self) -> None:
        with self.store.read() as txn:
            assert txn.count(RUNS) == len(self.model.runs)
        for node in self.model.nodes:
            found = self.desk.sheets.history(self.desk.sheet, node)
            wanted = [entry.shown for entry in self.model.history.get(node, [])]
            assert [Shown(entry.run, entry.parents) for entry, _ in found] == wanted
            assert len({(run.key, run.outputs) for _, run in found}) == len(found)


TestWorking = Working.TestCase
TestWorking.settings = settings(max_examples=40, stateful_step_count=15, deadline=None)


@settings(max_examples=40, deadline=None)
@given(nets(), st.data())
def test_whatever_is_lost_selections_restore_what_they_can_and_nothing_breaks(
    parts: tuple[Part, ...], data: st.DataObject
) -> None:
    with Store(None, "relaxed") as store:
        desk = Desk(store, parts)
        for value in range(3):
            typed = {name: desk.keep(value * data.draw(SMALL)) for name in desk.program.defaults}
            desk.sheets.set_inputs(desk.sheet, typed)
            run_some(desk, data)
        lose(desk, data)
        for node in desk.program.drawing.nodes:
            for entry, _ in desk.sheets.history(desk.sheet, node):
                check_selection(desk, node, entry.run)


def run_some(desk: Desk, data: st.DataObject) -> None:
    for node in desk.model.nodes:
        if data.draw(st.integers(0, 3)) and (end := desk.begin(node, data.draw(SMALL))) is not None:
            end(data.draw(SMALL))


def lose(desk: Desk, data: st.DataObject) -> None:
    """Runs and values go, as gc and damage take them; then the script is loaded again, changed."""
    with desk.store.read() as txn:
        runs_gone = data.draw(some_of(txn.keys(RUNS)))
        values_gone = data.draw(some_of(txn.keys(ARTIFACTS)))

    def remove(txn: Txn) -> None:
        for name in runs_gone:
            txn.delete(RUNS, name)
        for name in values_gone:
            txn.delete(ARTIFACTS, name)

    desk.store.write(remove)
    desk.parts = tuple(
        replace(
            part,
            fed_by=part.fed_by[data.draw(st.integers(0, 1)) :],
            fields=part.fields[data.draw(st.integers(0, 1)) :],
            sampled=data.draw(st.booleans()),
        )
        for part in desk.parts
    )
    desk.load({node: f"{node}_renamed" for node in data.draw(st.sets(st.sampled_from(desk.model.nodes)))})
    desk.sheets.settle(desk.sheet)


def some_of(names: Iterable[bytes]) -> st.SearchStrategy[set[bytes]]:
    found = sorted(names)
    return st.sets(st.sampled_from(found)) if found else st.just(set())


def check_selection(desk: Desk, node: str, run: bytes) -> None:
    def shown() -> tuple[Snapshot, int]:
        with desk.store.read() as txn:
            record = sheets.get(txn, desk.sheet)
            assert record is not None
            return sheets.snapshot(txn, record), txn.count(RUNS)

    with desk.store.read() as txn:
        index = [entry.run for entry in sheets.history(txn, desk.sheet, node)].index(run) + 1
    before, count = shown()
    restored = desk.sheets.select(desk.sheet, node, index)
    after, counted = shown()
    assert (after.inputs, after.heads, counted) == (restored.inputs, restored.heads, count)
    assert after.heads[node].run == run, "its record is there, so it is shown"
    with desk.store.read() as txn:
        for name, digest in after.inputs.items():
            assert before.inputs.get(name) == digest or desk.store.artifacts.is_kept(txn, digest)
        for name, head in after.heads.items():
            assert before.heads.get(name) == head or runs.get(txn, head.run) is not None
    state = desk.sheets.state(desk.sheet)
    assert set(state.freshness.nodes) == set(desk.program.drawing.nodes)
    desk.sheets.select(desk.sheet, node, index)
    assert shown()[0] == after
