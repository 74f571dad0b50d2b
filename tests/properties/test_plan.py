"""Planning any graph against a store that is a list: what runs, what is known, and what cannot run."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from daggr.digest import Digest
from daggr.engine.plan import Find, Given, Plan, Step
from daggr.engine.program import Program
from daggr.store.records import Run
from tests.handmade import Memory, program_of, result, run, value
from tests.properties.dags import Shape, build, shapes


class Session:
    """A program and what is known; carries plans out, and notes in which order nodes were executed."""

    def __init__(self, shape: Shape) -> None:
        self.program: Program = program_of(build(shape))
        self.inputs = dict(self.program.defaults)
        self.memory = Memory()
        self.executed: list[str] = []
        self.constant: set[str] = set()

    def plan(self, **options: object) -> Plan:
        plan = Plan(self.program, self.program.drawing.nodes, Given(self.inputs), **options)  # type: ignore[arg-type]
        plan.resolve(self.memory.find)
        return plan

    def execute(self, step: Step) -> Run:
        """What a node of the name gives: it follows from its inputs, or is always the same."""
        self.executed.append(step.node)
        if step.node in self.constant:
            made = run(self.program, step.node, step.bindings, {"output": value(step.node)})
        else:
            made = result(self.program, step.node, step.bindings)
        self.memory.runs.append(made)
        return made

    def carry_out(self, plan: Plan, data: st.DataObject, failing: frozenset[str] = frozenset()) -> list[str]:
        """Execute what is ready, in any order, until nothing is. Returns the nodes executed."""
        self.executed = []
        while ready := plan.ready():
            step = data.draw(st.sampled_from(ready))
            step.state = "running"
            if step.node in failing:
                self.executed.append(step.node)
                plan.block(step.node, "it failed")
            else:
                plan.advance(step.node, self.execute(step), self.memory.find)
        return self.executed


@given(shapes(), st.data())
def test_with_an_empty_store_every_node_runs_once_and_after_all_its_parents(shape: Shape, data: st.DataObject) -> None:
    session = Session(shape)
    plan = session.plan()
    assert {step.node for step in plan.ready()} == {
        n for n in shape.names if n not in {down for _, down in shape.edges}
    }
    order = session.carry_out(plan, data)
    assert sorted(order) == sorted(shape.names)
    assert all(order.index(up) < order.index(down) for up, down in shape.edges)
    assert plan.complete


@given(shapes(), st.data())
def test_a_plan_made_again_is_all_hits_with_the_same_runs(shape: Shape, data: st.DataObject) -> None:
    session = Session(shape)
    first = session.plan()
    session.carry_out(first, data)
    second = session.plan()
    assert {step.state for step in second.steps.values()} == {"hit"}
    assert second.ready() == []
    assert second.complete
    for name, step in second.steps.items():
        assert step.run == first.steps[name].run
        assert step.parents == first.steps[name].parents
        assert set(step.parents.values()) == {second.steps[up].run.id for up, down in shape.edges if down == name}  # type: ignore[union-attr]


@given(shapes(), st.data())
def test_a_changed_input_runs_the_nodes_it_reaches_up_to_where_results_are_equal(
    shape: Shape, data: st.DataObject
) -> None:
    session = Session(shape)
    session.constant = data.draw(st.sets(st.sampled_from(shape.names)))
    if not session.inputs:
        return
    session.carry_out(session.plan(), data)
    changed = data.draw(st.sampled_from(sorted(session.inputs)))
    session.inputs[changed] = value("changed")
    executed = set(session.carry_out(session.plan(), data))
    assert executed == reached(shape, changed.removesuffix("__text"), session.constant)
    session.inputs[changed] = session.program.defaults[changed]
    assert session.carry_out(session.plan(), data) == [], "the former input's results are known"


def reached(shape: Shape, first: str, constant: set[str]) -> set[str]:
    """A node and those that see it change: nothing is seen behind a node whose result is always the same."""
    found, waiting = {first}, [first]
    while waiting:
        at = waiting.pop()
        new = set() if at in constant else {down for up, down in shape.edges if up == at} - found
        found |= new
        waiting += new
    return found


@given(shapes(), st.data())
def test_force_executes_the_forced_alone_when_their_results_are_equal(shape: Shape, data: st.DataObject) -> None:
    session = Session(shape)
    session.carry_out(session.plan(), data)
    forced = frozenset(data.draw(st.sets(st.sampled_from(shape.names))))
    plan = session.plan(force=forced)
    assert set(session.carry_out(plan, data)) == forced
    assert {name for name, step in plan.steps.items() if step.state == "hit"} == set(shape.names) - forced
    assert plan.complete


@given(shapes(), st.data())
def test_a_failed_node_blocks_exactly_what_depends_on_it(shape: Shape, data: st.DataObject) -> None:
    session = Session(shape)
    failing = frozenset(data.draw(st.sets(st.sampled_from(shape.names), min_size=1)))
    plan = session.plan()
    executed = session.carry_out(plan, data, failing)
    below = set().union(*(shape.below(name) for name in failing))
    assert set(executed) == set(shape.names) - below
    assert {name for name, step in plan.steps.items() if step.state == "blocked"} == below | failing
    assert all(step.reason for step in plan.steps.values() if step.state == "blocked")
    assert not plan.complete


@given(shapes(), st.data())
def test_all_that_a_failure_makes_impossible_is_told_at_once(shape: Shape, data: st.DataObject) -> None:
    session = Session(shape)
    plan = session.plan()
    failing = data.draw(st.sampled_from(plan.ready())).node
    assert {step.node for step in plan.block(failing, "it failed")} == shape.below(failing)


@given(shapes(), st.data())
def test_a_step_alone_runs_on_the_results_its_parents_have(shape: Shape, data: st.DataObject) -> None:
    session = Session(shape)
    whole = session.plan()
    session.carry_out(whole, data)
    known: Mapping[str, Run] = {name: step.run for name, step in whole.steps.items() if step.run is not None}
    name = data.draw(st.sampled_from(shape.names))
    parents = {up for up, down in shape.edges if down == name}
    alone = Plan(session.program, [name], Given(session.inputs), frozenset([name]), known)
    alone.resolve(session.memory.find)
    assert [step.node for step in alone.ready()] == [name]
    assert alone.steps[name].bindings == whole.steps[name].bindings
    without = Plan(session.program, [name], Given(session.inputs), frozenset([name]), {})
    without.resolve(session.memory.find)
    assert without.steps[name].state == ("blocked" if parents else "ready")
    assert not parents or any(parent in without.steps[name].reason for parent in parents)


@given(shapes())
def test_planning_changes_nothing_and_can_be_repeated(shape: Shape) -> None:
    session = Session(shape)
    asked: list[tuple[str, Digest]] = []

    def find(node: str, identity: object, drawn: bool) -> None:
        asked.append((node, session.program.definitions[node].fingerprint.digest))

    finder: Find = find
    for _ in range(2):
        plan = Plan(session.program, session.program.drawing.nodes, Given(session.inputs))
        plan.resolve(finder)
    assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]
    assert session.inputs == session.program.defaults
