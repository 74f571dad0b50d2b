"""Engine: the one place that runs things. Servers, the command line and scripts all come through here."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from daggr.config import DependencyCheck
from daggr.engine.capture import unwrap, wrap
from daggr.engine.events import Observer, StepEvent
from daggr.engine.explain import Explanation, RunDiff
from daggr.engine.fingerprint.reading import settle
from daggr.engine.forecast import Forecast, forecast, predict
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.settling import Ask
from daggr.engine.intake import Stored, keep_program, stage_file, stage_inputs
from daggr.engine.job import Job, announce, carry_out
from daggr.engine.live import Live
from daggr.engine.lookup import Lookup
from daggr.engine.loop import LoopThread
from daggr.engine.missing import check_parents, what_is_missing
from daggr.engine.plan import Find, Given, Plan, Step
from daggr.engine.program import ANSWER, Program, define
from daggr.engine.remotes import Remotes
from daggr.engine.runners.base import LocalRunner, Runner
from daggr.engine.runners.fn import FnRunner
from daggr.engine.runners.interaction import InteractionRunner
from daggr.engine.runners.isolated import IsolatedRunner
from daggr.engine.sheet import Sheets
from daggr.engine.step import Executor
from daggr.engine.tracing import tracing
from daggr.engine.waiting import heard
from daggr.engine.why import Why, check_node, compare
from daggr.engine.workers.process import ProcessWorker
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import (
    ConfigError,
    DaggrError,
    GraphError,
    NotCachedError,
    RunCancelledError,
)
from daggr.graph.drawing import Drawing
from daggr.graph.nodes.fn import FnSpec
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import Txn

log = logging.getLogger("daggr.engine")

T = TypeVar("T")

CacheMode = Literal["use", "refresh", "only"]
RunMode = Literal["to_here", "all", "step", "force"]

PATIENCE = 8.0
"""Seconds in which jobs must have ended when the engine is closed."""

CLOSING = 0.3
"""Seconds that functions have to end when the engine is closed."""


@dataclass(frozen=True)
class Answer:
    """The runs of a call, by node, and how much of them was known: `hit`, `miss` or `partial`."""

    runs: Mapping[str, Run]
    cache: Literal["hit", "miss", "partial"]


class Engine:
    """Runs programs against a store.

    Args:
        store: Where results live. The engine does not close it.
        runners: By kind of node, in place of the real ones; for tests.
        allowed: Folders from which functions may give files, beside the working and the temporary folder.
        cache: Where it is kept what apps and models say of themselves; None to keep nothing.
        policy: What is done about Spaces and models that have changed.
        known_as: The persist key of a graph that keeps no results this time.
    """

    def __init__(
        self,
        store: Store,
        runners: Mapping[str, Runner | LocalRunner] | None = None,
        allowed: Iterable[Path] = (),
        cache: Path | None = None,
        policy: DependencyCheck = "skip",
        known_as: str | None = None,
    ) -> None:
        self.store = store
        self._policy = policy
        self.live = Live()
        self._worker = ThreadWorker()
        self._remotes = Remotes(self._worker, cache, known_as)
        self._processes = ProcessWorker()
        self._isolated = IsolatedRunner(self._processes)
        own: dict[str, Runner | LocalRunner] = {
            "fn": FnRunner(),
            "isolated": self._isolated,
            "interaction": InteractionRunner(),
            **self._remotes.runners,
        }
        self.executor = Executor(store, {**own, **(runners or {})}, self._worker, tuple(allowed))
        self._observers: list[Observer] = [self.live]
        if (observer := tracing()) is not None:
            self._observers.append(observer)
        self._jobs: dict[str, asyncio.Task[Any] | None] = {}
        self._sheet_of: dict[str, bytes] = {}
        self._stopping: set[str] = set()
        wrap()
        self._thread = LoopThread()

    # ------------------------------------------------------------ programs

    def load(self, drawing: Drawing) -> Program:
        """Make a drawing ready to run, and keep its constants and defaults."""
        return keep_program(self.store, lambda stage: define(drawing, stage))

    def warm_up(self, program: Program) -> None:
        """Begin to load the script in a process, if functions are to run in one: that may take seconds."""
        isolated = [spec for spec in program.drawing.nodes.values() if isinstance(spec, FnSpec) and spec.isolate]
        if isolated:
            self._isolated.prepare(isolated[0])

    def settle(self, drawing: Drawing, say: Callable[[str], None], ask: Ask | None = None) -> None:
        """Look whether Spaces and models have changed, and do what the policy says. `ask` asks the user, if possible.

        Raises:
            EndpointError: something has changed, and the policy is `error`.
        """
        self._thread.submit(self._remotes.settle(drawing, self._policy, say, ask)).result()

    def check(self, drawing: Drawing) -> list[DaggrError]:
        """Ask all apps and models of a drawing at once whether they have what its nodes call. Returns what is wrong."""
        return self._thread.submit(self._remotes.wrong(drawing.offered)).result()

    @property
    def observed(self) -> Mapping[str, str]:
        """The commits that Spaces and models are at, as far as they were seen, by `str(Repo)`."""
        return {str(repo): commit for repo, commit in dict(self._remotes.hub.observed).items()}

    def account(self, credential: Credential) -> Future[str]:
        """The name of the user whose token this is; empty if it is not valid.

        Raises:
            RemoteError: (from the future) the Hub does not answer.
        """
        return self._thread.submit(self._remotes.accounts.name(credential))

    def sheets(self, program: Program, owner: str) -> Sheets:
        """The sheets of a user over a program."""
        return Sheets(self.store, program, owner, self._remotes.hub.observed)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Watch everything that runs. Returns what ends it."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def stage_inputs(self, program: Program, values: Mapping[str, Any]) -> dict[str, bytes]:
        """Keep values for inputs, by any of their ids. Returns their digests by the inputs' own ids.

        Raises:
            UnknownInputError: an id that the graph does not have, with the closest one that it has.
        """
        return stage_inputs(self.store, program, values)

    def stage_file(self, name: str, path: Any) -> Stored:
        """Keep a file for an input.

        Raises:
            UnknownInputError: there is no file at this path.
        """
        return stage_file(self.store, name, path)

    # ------------------------------------------------------------ running

    def start(
        self,
        program: Program,
        owner: str,
        sheet: bytes,
        node: str | None,
        mode: RunMode,
        credential: Credential | None = None,
    ) -> tuple[str, Future[DaggrError | None]]:
        """Run a node of a sheet and what it needs, or everything that is not up to date. Returns the job's id at once.

        In mode `to_here` the node itself executes even if its result is known (of a scattered one the items that are
        not); the nodes before it only if they have no result for their inputs. `force` executes them all, and all
        items; `step` only the node, on what its parents show; `all` only what has no result for its inputs.
        `credential` is who calls what is remote; None is who is logged in on this machine.

        Raises:
            GraphError: there is no such sheet or node; or a parent has no result, in mode `step`.
        """
        view = self.sheets(program, owner)
        view.settle(sheet)
        state = view.state(sheet)
        program = program.at(state.inputs)
        if node is not None:
            check_node(program, node)
        nodes = frozenset(program.drawing.nodes) if node is None else program.drawing.ancestors(node)
        if mode == "step" and node is not None:
            nodes = frozenset({node})
        force = frozenset() if mode == "all" else nodes if mode == "force" else nodes & {node}
        plan = Plan(program, nodes, Given(state.inputs), force, state.heads if mode == "step" else None)
        return self._start(program, view, sheet, plan, force, mode, credential)

    def answer(
        self,
        program: Program,
        owner: str,
        sheet: bytes,
        node: str,
        answer: bytes,
        credential: Credential | None = None,
    ) -> tuple[str, Future[DaggrError | None]]:
        """Answer an interaction of a sheet, for what it is asked now, and run what comes after it.

        `answer` is the digest of a value that is kept.

        Returns the job's id at once.

        Raises:
            GraphError: there is no such sheet or interaction, or what it asks about has no result yet.
        """
        view = self.sheets(program, owner)
        state = view.state(sheet)
        program = program.at(state.inputs)
        check_node(program, node)
        if ANSWER not in program.definitions[node].sampled:
            raise GraphError(f"{node!r} does not ask anything.", where=program.drawing.nodes[node].where)
        given = Given(state.inputs, {(node, ANSWER): answer})
        plan = Plan(program, {node, *program.drawing.below(node)}, given, frozenset({node}), state.heads)
        return self._start(program, view, sheet, plan, frozenset({node}), "answer", credential)

    def stop(self, job: str) -> bool:
        """Stop a job: what runs is asked to end, and made to where that is possible. Returns at once.

        Returns:
            Whether there is such a job. Its events tell how it ended.
        """
        if job not in self._jobs:
            return False
        self._stopping.add(job)
        self._thread.call(lambda: self._stop_now(job))
        return True

    def _stop_now(self, job: str) -> None:
        task = self._jobs.get(job)
        if task is not None:
            task.cancel()

    def jobs(self, sheet: bytes) -> list[str]:
        """The jobs that a sheet shows and that have not ended."""
        return [job for job, shown in list(self._sheet_of.items()) if shown == sheet]

    def _start(
        self,
        program: Program,
        view: Sheets,
        sheet: bytes,
        plan: Plan,
        force: frozenset[str],
        mode: RunMode | Literal["answer"],
        credential: Credential | None,
    ) -> tuple[str, Future[DaggrError | None]]:
        held = self._hold()
        with held, self._by_lookup(program, view.owner, sheet) as find:
            plan.resolve(find)
            if mode in ("step", "answer"):
                check_parents(plan, force)
            held = held.pop_all()  # what the plan found stays until the job ends

        def keep(txn: Txn, step: Step, run: Run) -> None:
            view.adopt(txn, sheet, step.node, run, step.parents)

        job = Job(
            uuid.uuid4().hex,
            program,
            plan,
            view.owner,
            lambda: self._by_lookup(program, view.owner, sheet),
            lambda: self._by_lookup(program, view.owner),
            sheet,
            keep,
            force,
            mode == "force",
            credential,
        )
        self._sheet_of[job.id] = sheet
        announce(job, self._tell)
        return job.id, self._submit(job, self._carry_out(job, held), held)

    def _submit(self, job: Job, work: Coroutine[Any, Any, T], held: ExitStack) -> Future[T]:
        self._jobs[job.id] = None
        future = self._thread.submit(work)

        def forget() -> None:  # cancelled before it began: it never will
            if job.id in self._jobs and self._jobs[job.id] is None:
                self._end(job, held)

        future.add_done_callback(lambda future: self._thread.call(forget) if future.cancelled() else None)
        return future

    def _end(self, job: Job, held: ExitStack) -> None:
        held.close()
        self._jobs.pop(job.id, None)
        self._sheet_of.pop(job.id, None)
        self._stopping.discard(job.id)

    def _hold(self) -> ExitStack:
        held = ExitStack()
        held.enter_context(self.store.hold())
        return held

    async def _carry_out(self, job: Job, held: ExitStack) -> DaggrError | None:
        self._jobs[job.id] = task = asyncio.current_task()
        if task is not None:
            heard(task)  # how it ended is told by events, whether anybody waits for it or not
            if job.id in self._stopping:  # it was stopped before it began
                asyncio.get_running_loop().call_soon(task.cancel)
        try:
            with held:
                return await carry_out(job, self.executor, self._tell)
        finally:
            self._end(job, held)

    def call(
        self,
        program: Program,
        owner: str,
        inputs: Mapping[str, bytes],
        nodes: frozenset[str],
        cache: CacheMode = "use",
        credential: Credential | None = None,
    ) -> Future[Answer]:
        """The results of some nodes for some inputs; what is not known is executed.

        When everything is known the future is done already: neither the engine's loop nor a runner is entered. Sampled
        inputs are drawn anew, so their nodes execute; with `only` any result that they gave before will do.
        `credential` is who calls what is remote; None is who is logged in on this machine.

        Raises:
            NodeFailedError, RemoteError: (from the future) a node failed.
            NotCachedError: `cache` is `only`, and a result is not known.
            ConfigError: `cache` is no mode that this version has.
        """
        if cache not in ("use", "refresh", "only"):
            raise ConfigError(f"cache={cache!r} is none of 'use', 'refresh', 'only'.")
        given, inputs = inputs, {**program.defaults, **inputs}
        program = program.at(inputs)
        force = nodes if cache == "refresh" else frozenset()
        answers = {(node, ANSWER): given[name] for name, node in program.answers.items() if name in given}
        plan = Plan(program, nodes, Given(inputs, answers), force)
        held = self._hold()
        with held, (self._by_lookup if cache == "only" else self._by_action)(program, owner) as find:
            known = len(plan.resolve(find))
            if not plan.complete:
                held = held.pop_all()  # until the job ends
        if plan.complete:
            answer: Future[Answer] = Future()
            answer.set_result(_answer(plan, known))
            return answer
        if cache == "only":
            held.close()
            missing = next(step.node for step in plan.steps.values() if step.run is None)
            raise NotCachedError(f"There is no cached result of {missing!r} for these inputs.")
        look = partial(self._by_action, program, owner)
        anew = cache == "refresh"
        job = Job(uuid.uuid4().hex, program, plan, owner, look, look, forced=force, anew=anew, credential=credential)
        return self._submit(job, self._complete(job, known, held), held)

    async def _complete(self, job: Job, known: int, held: ExitStack) -> Answer:
        self._jobs[job.id] = asyncio.current_task()
        try:
            await self._remotes.prepare(job.program, job.plan, job.credential, self._policy)
        except BaseException as error:
            stopped = isinstance(error, asyncio.CancelledError) and job.id in self._stopping
            self._end(job, held)
            if stopped:
                raise RunCancelledError("The run was stopped.") from None
            raise
        failure = await self._carry_out(job, held)
        if failure is not None:
            raise failure
        if (missing := what_is_missing(job.program, job.plan)) is not None:
            raise missing
        return _answer(job.plan, known)

    @contextmanager
    def _by_action(self, program: Program, owner: str) -> Iterator[Find]:
        with self.store.read() as txn:
            yield Lookup(txn, self.store, program, owner).by_action

    @contextmanager
    def _by_lookup(self, program: Program, owner: str, sheet: bytes = b"") -> Iterator[Find]:
        with self.store.read() as txn:
            yield Lookup(txn, self.store, program, owner, sheet).by_lookup

    def _tell(self, event: StepEvent) -> None:
        for observer in list(self._observers):
            try:
                observer(event)
            except Exception:  # an observer's trouble is not the run's
                log.exception("an observer failed")

    # ------------------------------------------------------------ explaining

    def why(self, program: Program, owner: str, sheet: bytes, node: str, *, forced: bool = False) -> Explanation:
        """Why a node of a sheet would run or is stale; `forced` if it is to run in any case. Nothing is executed.

        Raises:
            GraphError: there is no such sheet or node.
        """
        return self.sheets(program, owner).why(sheet, node, forced=forced)

    def why_call(self, program: Program, owner: str, inputs: Mapping[str, bytes], node: str) -> Explanation:
        """Why a node would run for a call with these inputs; those left out are at their defaults.

        Raises:
            GraphError: there is no such node.
        """
        with self.store.read() as txn:
            return Why(txn, self.store, program, owner, self._remotes.hub.observed).of_call(node, inputs)

    def diff(self, before: bytes, after: bytes) -> RunDiff:
        """What differs between two recorded runs, of one node or of two. It looks at whatever runs it is given.

        Raises:
            StoreError: there is no such run.
        """
        with self.store.read() as txn:
            return compare(txn, before, after)

    def predict(self, program: Program, node: str) -> float | None:
        """How many seconds a node takes, from how long it took; None if it has never succeeded.

        Raises:
            GraphError: there is no such node.
        """
        check_node(program, node)
        with self.store.read() as txn:
            return predict(txn, program, node)

    def forecast(self, program: Program, plan: Plan) -> Forecast:
        """How long a plan takes at most: what waits may turn out to be known."""
        nodes = [step.node for step in plan.steps.values() if step.run is None and step.state != "blocked"]
        with self.store.read() as txn:
            return forecast(program.drawing, nodes, {node: predict(txn, program, node) for node in nodes})

    def close(self) -> None:
        """Stop what runs and let go of threads and connections."""
        self.executor.grace = self._isolated.grace = CLOSING
        with ExitStack() as closing:  # each of these, whatever becomes of the others; the last one first
            if self.executor.has_run:
                closing.callback(settle)
            closing.callback(unwrap)
            closing.callback(self._processes.close)
            closing.callback(self.executor.close)
            closing.callback(self._thread.close)
            ending = self._thread.submit(self._end_jobs())
            with suppress(FutureTimeout):
                ending.result(timeout=PATIENCE)

    async def _end_jobs(self) -> None:
        """Stop all jobs, and wait until they have ended, also those that are being stopped already."""
        tasks = [task for task in self._jobs.values() if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE - 1)
        await self._remotes.close()


def _answer(plan: Plan, known: int) -> Answer:
    found = {step.node: step.run for step in plan.steps.values() if step.run is not None}
    return Answer(found, "hit" if known == len(found) else "partial" if known else "miss")
