"""Engine: the one place that runs things. Servers, the command line and scripts all come through here."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from daggr.digest import Digest, UnencodableError
from daggr.engine.capture import unwrap, wrap
from daggr.engine.events import Observer, StepEvent
from daggr.engine.explain import Explanation, RunDiff
from daggr.engine.fingerprint.reading import settle
from daggr.engine.forecast import Forecast, forecast, predict
from daggr.engine.job import Job, announce, carry_out
from daggr.engine.live import Live
from daggr.engine.lookup import Lookup
from daggr.engine.loop import LoopThread
from daggr.engine.plan import Find, Given, Plan, Step
from daggr.engine.program import Program, default_value, define
from daggr.engine.runners.base import Runner
from daggr.engine.runners.fn import FnRunner
from daggr.engine.runners.gradio import GradioRunner
from daggr.engine.sheet import Sheets
from daggr.engine.step import Executor
from daggr.engine.why import Why, check_node, compare
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import ConfigError, DaggrError, NodeFailedError, NotCachedError, UnknownInputError, did_you_mean
from daggr.graph.drawing import Drawing, UiInput
from daggr.graph.nodes.gradio import GradioSpec
from daggr.store.artifacts import Staged
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import Txn

log = logging.getLogger("daggr.engine")

CacheMode = Literal["use", "refresh", "only"]


@dataclass(frozen=True)
class Stored:
    """An input that is an artifact of the store already, such as an upload."""

    digest: bytes


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
    """

    def __init__(self, store: Store, runners: Mapping[str, Runner] | None = None) -> None:
        self.store = store
        self.live = Live()
        self._worker = ThreadWorker()
        self._gradio = GradioRunner(self._worker)
        self._executor = Executor(
            store, runners or {"fn": FnRunner(self._worker), "gradio": self._gradio}, self._worker
        )
        self._observers: list[Observer] = [self.live]
        wrap()
        self._thread = LoopThread()

    # ------------------------------------------------------------ programs

    def load(self, drawing: Drawing) -> Program:
        """Make a drawing ready to run, and keep its constants and defaults."""
        staged: list[Staged] = []

        def stage(value: Any, *, is_file: bool = False) -> Digest:
            artifacts = self.store.artifacts
            item = artifacts.stage_file(Path(value)) if is_file and value is not None else artifacts.stage(value)
            staged.append(item)
            return item.digest

        def stage_default(field: UiInput) -> Digest:
            return stage(default_value(field), is_file=field.component.is_file)

        program = define(drawing, stage_default)
        for definition in program.definitions.values():
            for constant in definition.fixed.values():
                if not constant.volatile:
                    stage(constant.value)
        self._keep_new(staged)
        return program

    async def _check(self, specs: list[GradioSpec]) -> list[BaseException | None]:
        return await asyncio.gather(*(self._gradio.check(spec) for spec in specs), return_exceptions=True)

    def check_apps(self, drawing: Drawing) -> list[DaggrError]:
        """Ask all Gradio apps of a drawing at once whether they have what its nodes call. Returns what is wrong."""
        specs = [spec for spec in drawing.nodes.values() if isinstance(spec, GradioSpec) and spec.validate]
        found = self._thread.submit(self._check(specs)).result()
        for error in found:
            if error is not None and not isinstance(error, DaggrError):
                raise error
        return [error for error in found if isinstance(error, DaggrError)]

    def sheets(self, program: Program, owner: str) -> Sheets:
        """The sheets of a user over a program."""
        return Sheets(self.store, program, owner)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Watch everything that runs. Returns what ends it."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def stage_inputs(self, program: Program, values: Mapping[str, Any]) -> dict[str, bytes]:
        """Keep values for inputs, by any of their ids. Returns their digests by the inputs' own ids.

        Raises:
            UnknownInputError: an id that the graph does not have, with the closest one that it has.
        """
        digests: dict[str, bytes] = {}
        staged: list[Staged] = []
        for given, field in [(name, _field(program, name)) for name in values]:
            value = values[given]
            if isinstance(value, Stored):
                digests[field.id] = value.digest
                continue
            try:
                staged.append(self.store.artifacts.stage(field.component.normalise(value)))
            except UnencodableError as error:
                raise UnknownInputError(f"Input {given!r} cannot be kept: {error.message}.") from None
            digests[field.id] = staged[-1].digest
        self._keep_new(staged)
        return digests

    def stage_file(self, name: str, path: Any) -> Stored:
        """Keep a file for an input.

        Raises:
            UnknownInputError: there is no file at this path.
        """
        source = Path(path) if isinstance(path, (str, Path)) else None
        if source is None or not source.is_file():
            raise UnknownInputError(f"Input {name!r} takes the path of a file; given: {path!r}.")
        item = self.store.artifacts.stage_file(source)
        self._keep_new([item])
        return Stored(item.digest)

    def _keep_new(self, staged: list[Staged]) -> None:
        """Put what the store does not have yet: most calls bring nothing new, and then nothing is written."""
        with self.store.read() as txn:
            new = [item for item in staged if not self.store.artifacts.is_fresh(txn, item.digest)]
        for item in staged:
            if item not in new:
                self.store.artifacts.discard(item)
        if new:
            self.store.put(new)

    # ------------------------------------------------------------ running

    def start(
        self, program: Program, owner: str, sheet: bytes, node: str | None, mode: Literal["to_here", "all"]
    ) -> tuple[str, Future[DaggrError | None]]:
        """Run a node of a sheet and what it needs, or everything that is not up to date. Returns the job's id at once.

        In mode `to_here` the node itself executes even if its result is known; the nodes before it only if they have
        no result for their inputs.
        """
        view = self.sheets(program, owner)
        view.settle(sheet)
        state = view.state(sheet)
        nodes = frozenset(program.drawing.nodes) if node is None else program.drawing.ancestors(node)
        force = frozenset({node}) if node is not None and mode == "to_here" else frozenset()
        plan = Plan(program, nodes, Given(state.inputs), force)
        held = self._hold()
        with held, self._by_lookup(program, sheet) as find:
            plan.resolve(find)
            held = held.pop_all()  # what the plan found stays until the job ends

        def keep(txn: Txn, step: Step, run: Run) -> None:
            view.adopt(txn, sheet, step.node, run, step.parents)

        job = Job(uuid.uuid4().hex, program, plan, owner, lambda: self._by_lookup(program, sheet), sheet, keep, force)
        announce(job, self._tell)
        return job.id, self._thread.submit(self._carry_out(job, held))

    def _hold(self) -> ExitStack:
        held = ExitStack()
        held.enter_context(self.store.hold())
        return held

    async def _carry_out(self, job: Job, held: ExitStack) -> DaggrError | None:
        with held:
            return await carry_out(job, self._executor, self._tell)

    def call(
        self,
        program: Program,
        owner: str,
        inputs: Mapping[str, bytes],
        nodes: frozenset[str],
        cache: CacheMode = "use",
    ) -> Future[Answer]:
        """The results of some nodes for some inputs; what is not known is executed.

        When everything is known the future is done already: neither the engine's loop nor a runner is entered. Sampled
        inputs are drawn anew, so their nodes execute; with `only` any result that they gave before will do.

        Raises:
            NodeFailedError, RemoteError: (from the future) a node failed.
            NotCachedError: `cache` is `only`, and a result is not known.
            ConfigError: `cache` is no mode that this version has.
        """
        if cache not in ("use", "refresh", "only"):
            raise ConfigError(f"cache={cache!r} is none of 'use', 'refresh', 'only'.")
        force = nodes if cache == "refresh" else frozenset()
        plan = Plan(program, nodes, Given({**program.defaults, **inputs}), force)
        held = self._hold()
        with held, self._by_lookup(program) if cache == "only" else self._by_action(program) as find:
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
        job = Job(uuid.uuid4().hex, program, plan, owner, lambda: self._by_action(program), forced=force)
        return self._thread.submit(self._complete(job, known, held))

    async def _complete(self, job: Job, known: int, held: ExitStack) -> Answer:
        failure = await self._carry_out(job, held)
        if failure is not None:
            raise failure
        blocked = next((step for step in job.plan.steps.values() if step.run is None), None)
        if blocked is not None:
            raise NodeFailedError(f"{blocked.node!r} did not run: {blocked.reason}.", node=blocked.node)
        return _answer(job.plan, known)

    @contextmanager
    def _by_action(self, program: Program) -> Iterator[Find]:
        with self.store.read() as txn:
            yield Lookup(txn, self.store, program).by_action

    @contextmanager
    def _by_lookup(self, program: Program, sheet: bytes = b"") -> Iterator[Find]:
        with self.store.read() as txn:
            yield Lookup(txn, self.store, program, sheet).by_lookup

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
            return Why(txn, self.store, program, owner).of_call(node, inputs)

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
        self._thread.submit(self._gradio.close()).result(timeout=5)
        self._thread.close()
        self._executor.close()
        unwrap()
        if self._executor.has_run:
            settle()


def _field(program: Program, given: str) -> UiInput:
    field = program.drawing.inputs.get(given)
    if field is None:
        valid = list(program.drawing.inputs)
        raise UnknownInputError(
            f"There is no input {given!r}. Inputs: {', '.join(valid) or 'none'}. {did_you_mean(given, valid)}".rstrip()
        )
    return field


def _answer(plan: Plan, known: int) -> Answer:
    found = {step.node: step.run for step in plan.steps.values() if step.run is not None}
    return Answer(found, "hit" if known == len(found) else "partial" if known else "miss")
