"""What several want at the same time is executed once, in one process."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from daggr import FnNode, Graph, NodeFailedError, RunCancelledError
from daggr.engine.engine import Engine
from daggr.engine.events import StepEvent, StepFailed, StepFinished, StepLogged, StepProgressed, StepStarted
from daggr.engine.flight import Flights
from daggr.engine.keys import identity_of
from daggr.engine.order import Order, Outcome
from daggr.engine.plan import Given, Plan
from daggr.engine.program import Program
from daggr.store import runs
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import Txn
from tests.handmade import result
from tests.unit.engine.making import PATIENCE, ask, executed, go, load, making, square, wait_until

T = TypeVar("T")


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """The file that the function writes to each time it is executed."""
    return tmp_path / "told"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """A second engine, with a store of its own on the same folder."""
    with another(tmp_path / "store") as engine:
        yield engine


@contextmanager
def another(root: Path) -> Iterator[Engine]:
    with Store(root) as store:
        engine = Engine(store)
        try:
            yield engine
        finally:
            engine.close()


def key_of(engine: Engine, program: Program, number: int) -> bytes:
    """The action key of a square."""
    given = Given({**program.defaults, **engine.stage_inputs(program, {"make__number": number})})
    plan = Plan(program, program.drawing.nodes, given)
    plan.resolve(lambda *_: None)
    return plan.identity(plan.steps["make"]).action


def is_free(engine: Engine, key: bytes) -> bool:
    claim = engine.store.claims.take(key)
    if claim is not None:
        claim.release()
    return claim is not None


class Watch:
    """What an engine tells, by job."""

    def __init__(self, engine: Engine) -> None:
        self.events: list[StepEvent] = []
        engine.observe(self.events.append)

    def kinds(self) -> list[list[type[StepEvent]]]:
        jobs: dict[str, list[type[StepEvent]]] = {}
        for event in self.events:
            if isinstance(event, (StepStarted, StepLogged, StepProgressed, StepFinished, StepFailed)):
                jobs.setdefault(event.job, []).append(type(event))
        return list(jobs.values())


@pytest.fixture
def program(engine: Engine, told: Path) -> Program:
    return load(engine, making(told))


def made(program: Program) -> Run:
    """A run of the default square, as if it had been executed."""
    plan = Plan(program, ["make"], Given(program.defaults))
    plan.resolve(lambda *_: None)
    return result(program, "make", plan.steps["make"].bindings)


def join(
    flights: Flights,
    program: Program,
    execute: Callable[[Order], Awaitable[Outcome]],
    keep: Callable[[Txn, Run], None] | None = None,
) -> asyncio.Task[Outcome]:
    """Want the default square."""
    order = Order("local", lambda text: None, lambda fraction, text: None, lambda at: None, keep)
    definition = program.definitions["make"]
    identity = identity_of(definition.fingerprint.digest, made(program).inputs)
    return asyncio.create_task(flights.join(definition.spec, identity, order, execute))


# ---------------------------------------------------------------- sharing


def test_fifty_calls_at_once_are_one_execution(engine: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE))
    asked = [ask(engine, program, 7) for _ in range(50)]
    wait_until(lambda: executed(told))
    asked += [ask(engine, program, 7) for _ in range(5)]
    go(told)
    answers = [future.result(PATIENCE) for future in asked]
    assert executed(told) == [7]
    assert {square(engine, answer) for answer in answers} == {49}
    assert len({answer.runs["make"].id for answer in answers}) == 1
    with engine.store.read() as txn:
        assert len(list(runs.by_node(txn, program.graph, "make"))) == 1


def test_other_inputs_are_another_execution(engine: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE, concurrent=True))
    asked = [ask(engine, program, number % 3) for number in range(9)]
    wait_until(lambda: len(executed(told)) == 3)
    go(told)
    assert [square(engine, future.result(PATIENCE)) for future in asked] == [0, 1, 4] * 3
    assert sorted(executed(told)) == [0, 1, 2]


def test_who_comes_later_sees_what_was_printed_before(engine: Engine) -> None:
    printed, end = threading.Event(), threading.Event()
    talk = _hidden(lambda: (print("one"), printed.set(), end.wait(PATIENCE), print("two")))
    program = load(engine, Graph("Talk", nodes=[FnNode(talk, name="talk", inputs={"x": 1})]))
    watch = Watch(engine)
    first = engine.call(program, "local", {}, frozenset({"talk"}))
    assert printed.wait(PATIENCE)
    second = engine.call(program, "anna", {}, frozenset({"talk"}))
    wait_until(lambda: len(watch.kinds()) == 2)
    end.set()
    assert first.result(PATIENCE).runs == second.result(PATIENCE).runs
    logs: dict[str, str] = {}
    for event in watch.events:
        if isinstance(event, StepLogged):
            logs[event.job] = logs.get(event.job, "") + event.text
    assert list(logs.values()) == ["one\ntwo\n"] * 2
    assert all(kinds[0] is StepStarted and kinds[-1] is StepFinished for kinds in watch.kinds())


def test_each_sheet_that_waited_shows_the_result(engine: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE))
    views = [engine.sheets(program, owner) for owner in ("local", "anna", "ben")]
    sheets = [view.all()[0].id for view in views]
    owners = ("local", "anna", "ben")
    jobs = [engine.start(program, owner, sheet, None, "all")[1] for owner, sheet in zip(owners, sheets, strict=True)]
    wait_until(lambda: executed(told))
    go(told)
    assert [job.result(PATIENCE) for job in jobs] == [None] * 3
    shown = [view.state(sheet).results["make"] for view, sheet in zip(views, sheets, strict=True)]
    assert len({result.run.id for result in shown}) == 1
    assert [result.total for result in shown] == [1, 1, 1]
    assert executed(told) == [0]


def test_who_comes_while_the_run_is_recorded_keeps_it_too(store: Store, program: Program) -> None:
    run, kept = made(program), dict[str, int]()
    recording, end = threading.Event(), threading.Event()

    async def execute(shared: Order) -> Outcome:
        def record(txn: Txn) -> None:
            assert shared.keep is not None
            shared.keep(txn, run)
            recording.set()
            end.wait(PATIENCE)

        await asyncio.wrap_future(store.submit(record))
        return Outcome(run, hit=False)

    async def both() -> list[Outcome]:
        flights = Flights(store)
        first = join(flights, program, execute, lambda txn, run: kept.update(first=kept.get("first", 0) + 1))
        await asyncio.to_thread(recording.wait, PATIENCE)
        second = join(flights, program, execute, lambda txn, run: kept.update(second=kept.get("second", 0) + 1))
        await asyncio.sleep(0.05)
        end.set()
        return [await first, await second]

    assert [outcome.run for outcome in asyncio.run(both())] == [run, run]
    assert kept == {"first": 1, "second": 1}


def test_a_failure_is_shared_and_recorded_once(engine: Engine) -> None:
    began, end, times = threading.Event(), threading.Event(), list[int]()

    def fail() -> None:
        times.append(1)
        began.set()
        end.wait(PATIENCE)
        raise ValueError("no cats today")

    program = load(engine, Graph("Failing", nodes=[FnNode(_hidden(fail), name="fail", inputs={"x": 1})]))
    asked = [engine.call(program, "local", {}, frozenset({"fail"})) for _ in range(10)]
    assert began.wait(PATIENCE)
    end.set()
    for future in asked:
        with pytest.raises(NodeFailedError, match="no cats today"):
            future.result(PATIENCE)
    assert times == [1]
    with engine.store.read() as txn:
        assert [run.status for run in runs.by_node(txn, program.graph, "fail")] == ["failed"]
    again = engine.call(program, "local", {}, frozenset({"fail"}))
    with pytest.raises(NodeFailedError):
        again.result(PATIENCE)
    assert times == [1, 1], "a failure is never a hit"


# ---------------------------------------------------------------- leaving


def test_who_leaves_does_not_take_the_others_along(engine: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE))
    first, second, third = (ask(engine, program, 7) for _ in range(3))
    wait_until(lambda: executed(told))
    first.cancel()
    third.cancel()
    go(told)
    assert square(engine, second.result(PATIENCE)) == 49
    assert executed(told) == [7]


def test_the_last_to_leave_cancels_it_and_who_comes_then_begins_anew(engine: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE))
    asked = [ask(engine, program, 7) for _ in range(3)]
    wait_until(lambda: executed(told))
    for future in asked:
        future.cancel()
    key = key_of(engine, program, 7)
    wait_until(lambda: is_free(engine, key))
    late = ask(engine, program, 7)
    wait_until(lambda: executed(told) == [7, 7])
    go(told)
    assert square(engine, late.result(PATIENCE)) == 49
    with engine.store.read() as txn:
        assert [run.status for run in runs.by_node(txn, program.graph, "make")] == ["done", "cancelled"]


def test_who_comes_while_a_cancelled_one_ends_is_not_cancelled_with_it(store: Store, program: Program) -> None:
    run, times = made(program), list[int]()

    async def execute(shared: Order) -> Outcome:
        times.append(1)
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # such as an app that is told
            raise
        return Outcome(run, hit=False)

    async def one_after_the_other() -> Outcome:
        flights = Flights(store)
        first = join(flights, program, execute)
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait({first})
        return await join(flights, program, execute)

    assert asyncio.run(one_after_the_other()).run == run
    assert times == [1, 1]


def test_a_run_that_is_being_recorded_stays_claimed_when_all_leave(engine: Engine, other: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE))
    key, end = key_of(engine, program, 7), threading.Event()
    future = ask(engine, program, 7)
    wait_until(lambda: executed(told))
    blocked = engine.store.submit(lambda txn: end.wait(PATIENCE))
    go(told)
    wait_until(Path(f"{told}.ended").exists)
    time.sleep(0.2)  # what it gave is taken
    future.cancel()
    time.sleep(0.05)
    assert not is_free(other, key)
    end.set()
    assert blocked.result(PATIENCE)
    wait_until(lambda: is_free(other, key))
    assert square(other, ask(other, load(other, making(told, PATIENCE)), 7).result(PATIENCE)) == 49
    assert executed(told) == [7]


def test_closing_ends_what_flies_and_what_waits(tmp_path: Path, engine: Engine, told: Path) -> None:
    asked: list[Future[Any]] = []
    with another(tmp_path / "store") as owner:
        program = load(owner, making(told, PATIENCE))
        key = key_of(owner, program, 7)
        asked.append(ask(owner, program, 7))
        wait_until(lambda: executed(told))
        with another(tmp_path / "store") as waiting:
            asked.append(ask(waiting, load(waiting, making(told, PATIENCE)), 7))
            time.sleep(0.1)
    go(told)
    for future in asked:
        with pytest.raises(RunCancelledError):
            future.result(PATIENCE)
    assert is_free(engine, key)
    assert executed(told) == [7]


# ---------------------------------------------------------------- who does not fly


def test_run_again_three_times_is_three_executions_at_once(engine: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE, concurrent=True))
    view = engine.sheets(program, "local")
    sheet = view.all()[0].id
    joined = engine.start(program, "local", sheet, None, "all")[1]
    wait_until(lambda: len(executed(told)) == 1)
    forced = [engine.start(program, "local", sheet, "make", "to_here")[1] for _ in range(3)]
    inputs = program.defaults
    forced.append(engine.call(program, "local", inputs, frozenset({"make"}), "refresh"))  # type: ignore[arg-type]
    wait_until(lambda: len(executed(told)) == 5)  # at the same time: none of them has ended
    go(told)
    for future in (joined, *forced):
        future.result(PATIENCE)
    assert executed(told) == [0] * 5


@pytest.mark.parametrize("reason", ["cache=False", "sampled", "not vouched for"])
def test_what_is_not_found_by_key_is_executed_for_each(engine: Engine, reason: str) -> None:
    together, numbers = threading.Barrier(3), iter(range(9))
    meet = _hidden(lambda: together.wait(PATIENCE))
    given = {"sampled": lambda: next(numbers), "not vouched for": object()}.get(reason, 1)
    node = FnNode(meet, name="meet", inputs={"x": given}, concurrent=True, cache=reason != "cache=False")
    program = load(engine, Graph("Meeting", nodes=[node]))
    asked = [engine.call(program, "local", {}, frozenset({"meet"})) for _ in range(3)]
    assert len({future.result(PATIENCE).runs["meet"].id for future in asked}) == 3


# ---------------------------------------------------------------- several engines on one folder


def test_two_engines_on_one_folder_execute_once(engine: Engine, other: Engine, told: Path) -> None:
    programs = {each: load(each, making(told, PATIENCE)) for each in (engine, other)}
    asked = [(each, ask(each, programs[each], 7)) for each in (engine, other) * 5]
    wait_until(lambda: executed(told))
    time.sleep(0.1)
    go(told)
    answers = [(each, future.result(PATIENCE)) for each, future in asked]
    assert {square(each, answer) for each, answer in answers} == {49}
    assert len({answer.runs["make"].id for _, answer in answers}) == 1
    assert executed(told) == [7]


def test_who_waits_for_another_engine_holds_no_slot(engine: Engine, other: Engine, told: Path, tmp_path: Path) -> None:
    slow, quick = making(told, PATIENCE), making(tmp_path / "quick")
    first = ask(engine, load(engine, slow), 7)
    wait_until(lambda: executed(told))
    waiting = ask(other, load(other, slow), 7, "ann")
    time.sleep(0.05)
    assert square(other, ask(other, load(other, quick), 3, "ann").result(PATIENCE)) == 9  # a user's run one at a time
    assert not waiting.done()
    go(told)
    assert first.result(PATIENCE).runs == waiting.result(PATIENCE).runs


def test_who_gives_up_waiting_for_another_engine_leaves_no_claim(engine: Engine, other: Engine, told: Path) -> None:
    program = load(engine, making(told, PATIENCE))
    first = ask(engine, program, 7)
    wait_until(lambda: executed(told))
    waiting = ask(other, load(other, making(told, PATIENCE)), 7)
    time.sleep(0.05)
    waiting.cancel()
    time.sleep(0.05)
    go(told)
    first.result(PATIENCE)
    time.sleep(0.05)
    assert is_free(engine, key_of(engine, program, 7))


def test_the_sheet_of_who_waited_for_another_engine_shows_the_result(engine: Engine, other: Engine, told: Path) -> None:
    first = ask(engine, load(engine, making(told, PATIENCE)), 0)
    wait_until(lambda: executed(told))
    program = load(other, making(told, PATIENCE))
    view = other.sheets(program, "anna")
    sheet = view.all()[0].id
    watch = Watch(other)
    job = other.start(program, "anna", sheet, None, "all")[1]
    time.sleep(0.05)
    go(told)
    run = first.result(PATIENCE).runs["make"]
    assert job.result(PATIENCE) is None
    assert view.state(sheet).results["make"].run == run
    finished = next(event for event in watch.events if isinstance(event, StepFinished))
    assert finished.hit
    assert executed(told) == [0]


def test_after_a_failure_elsewhere_who_waited_tries_itself(engine: Engine, other: Engine) -> None:
    began, end, times = threading.Event(), threading.Event(), list[int]()

    def fail_once() -> str:
        times.append(1)
        began.set()
        end.wait(PATIENCE)
        if len(times) == 1:
            raise ValueError("no cats today")
        return "cats"

    graph = Graph("Failing", nodes=[FnNode(_hidden(fail_once), name="fail", inputs={"x": 1})])
    first = engine.call(load(engine, graph), "local", {}, frozenset({"fail"}))
    assert began.wait(PATIENCE)
    second = other.call(load(other, graph), "local", {}, frozenset({"fail"}))
    time.sleep(0.05)
    end.set()
    with pytest.raises(NodeFailedError, match="no cats today"):
        first.result(PATIENCE)
    assert second.result(PATIENCE).runs["fail"].status == "done"
    assert times == [1, 1]


# ---------------------------------------------------------------- parts

HIDDEN: dict[int, Callable[[], Any]] = {}


def _hidden(work: Callable[[], T]) -> Callable[[int], T]:
    """A function of one input that does something which its fingerprint does not see."""
    number = len(HIDDEN)
    HIDDEN[number] = work

    def call(x: int) -> Any:
        return sys.modules[__name__].__dict__["HIDDEN"][number]()

    return call
