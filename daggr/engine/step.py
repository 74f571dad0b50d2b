"""One step: load what it is given, run it, keep what it gave, record it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from daggr.digest import UnencodableError, digest
from daggr.engine.flight import Flights
from daggr.engine.keys import Identity, identity_of
from daggr.engine.lookup import Lookup
from daggr.engine.order import Order, Outcome
from daggr.engine.outputs import Taken, take
from daggr.engine.overlap import Overlaps
from daggr.engine.plan import Step
from daggr.engine.program import Definition, Program
from daggr.engine.runners.base import Call, Returned, Runner, failed
from daggr.engine.scheduler import Slots
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import DaggrError, NodeFailedError, StoreError
from daggr.filename import readable
from daggr.graph.port import SampledSource
from daggr.store import runs
from daggr.store.artifacts import Staged
from daggr.store.records import Binding, Run, new_id
from daggr.store.store import Store
from daggr.store.tables import Txn

log = logging.getLogger("daggr.engine")

T = TypeVar("T")
LOG_LIMIT = 64 * 1024


class Executor:
    """Executes steps."""

    def __init__(self, store: Store, runners: Mapping[str, Runner], worker: ThreadWorker) -> None:
        self._store = store
        self._runners = runners
        self._worker = worker
        self._slots = Slots()
        self._flights = Flights(store)
        self._overlaps = Overlaps()
        self.has_run = False
        """Whether any function of the user's has been executed."""
        self._io = ThreadPoolExecutor(4, thread_name_prefix="daggr-io")

    async def execute(self, program: Program, step: Step, order: Order) -> Outcome:
        """Execute a step and record the run, failed or not; or share the run of who executes the same just now.

        Raises:
            NodeFailedError, RemoteError: it failed; a failed run has been recorded.
        """
        definition = program.definitions[step.node]
        if order.alone or not _flies(definition, step):
            return await self._execute(program, step, order, None)
        identity = identity_of(definition.fingerprint.digest, step.bindings)
        return await self._flights.join(
            definition.spec, identity, order, lambda order: self._execute(program, step, order, identity)
        )

    async def _execute(self, program: Program, step: Step, order: Order, shared: Identity | None) -> Outcome:
        attempt = _Attempt(program, program.definitions[step.node], order)
        with ExitStack() as claimed:
            try:
                done = await self._attempt(attempt, step, shared, claimed)
            except Exception as error:
                failure = error if isinstance(error, DaggrError) else failed(attempt.definition.spec, error)
                self._overlaps.end(attempt.id)
                if attempt.started:
                    await self._record_failure(attempt, str(failure))
                raise failure from error
            if isinstance(done, Run):
                return Outcome(done, hit=True)
            record = self._record(attempt, *done)  # the slot is free by now
            held = claimed.pop_all()  # until it is decided, whatever becomes of who waits for it
            record.add_done_callback(lambda _: held.close())
            return Outcome(await asyncio.wrap_future(record), hit=False)

    async def _attempt(
        self, attempt: _Attempt, step: Step, shared: Identity | None, claimed: ExitStack
    ) -> Run | tuple[Returned, Taken]:
        """Run a step in its slot, with a claim on its key; or give the run that somebody else recorded meanwhile."""
        while True:
            async with self._slots.hold(attempt.definition.spec, attempt.order.owner):
                if shared is None or self._claim(shared, claimed):
                    if shared is not None and (known := self._known(attempt.program, step, shared)) is not None:
                        return known
                    with self._store.scratch() as folder:
                        attempt.begin()
                        self._overlaps.begin(attempt.id)
                        attempt.order.started(attempt.started)
                        return await self._perform(attempt, step, folder)
            await self._flights.until_free(shared.action)  # without a slot
            if (known := self._known(attempt.program, step, shared)) is not None:
                return known

    def _claim(self, shared: Identity, claimed: ExitStack) -> bool:
        claim = self._store.claims.take(shared.action)
        if claim is not None:
            claimed.callback(claim.release)
        return claim is not None

    def _known(self, program: Program, step: Step, shared: Identity) -> Run | None:
        with self._store.read() as txn:
            return Lookup(txn, self._store, program).by_action(step.node, shared, drawn=True)

    async def _perform(self, attempt: _Attempt, step: Step, folder: Path) -> tuple[Returned, Taken]:
        self.has_run = True
        await self._draw(attempt, step)
        inputs = await self._in_io(lambda: self._load(attempt, folder))
        spec = attempt.definition.spec
        call = Call(spec, inputs, folder, attempt.write_log, attempt.order.progress)
        returned = await self._runners[spec.kind].run(call)
        return returned, await self._in_io(lambda: self._take(attempt, returned, folder))

    def close(self) -> None:
        """Let go of the threads."""
        self._io.shutdown(wait=True, cancel_futures=True)

    async def _in_io(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._io, work)

    async def _draw(self, attempt: _Attempt, step: Step) -> None:
        """Sample the callables that have not been drawn yet."""
        for binding in step.bindings:
            if binding.source != "sampled" or binding.digest:
                attempt.bindings.append(binding)
                continue
            source = attempt.definition.spec.inputs[binding.port]
            if not isinstance(source, SampledSource):
                raise AssertionError(f"{binding.port} is not sampled")
            value = await self._worker.submit(lambda source=source: _sample(attempt, source), attempt.write_log)  # type: ignore[misc]
            attempt.sample(self._store, binding, value)

    def _load(self, attempt: _Attempt, folder: Path) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        with self._store.read() as txn:
            for binding in attempt.bindings:
                constant = attempt.definition.fixed.get(binding.port)
                if binding.port in attempt.samples:
                    inputs[binding.port] = attempt.samples[binding.port]
                elif constant is not None and constant.volatile:
                    inputs[binding.port] = constant.value
                else:
                    inputs[binding.port] = self._store.artifacts.load(txn, binding.digest, folder)
        return inputs

    def _take(self, attempt: _Attempt, returned: Returned, folder: Path) -> Taken:
        taken = take(self._store.artifacts, attempt.definition.spec, returned, attempt.id, folder)
        self._overlaps.give(attempt.id, taken.outside)
        return taken

    def _record(self, attempt: _Attempt, returned: Returned, taken: Taken) -> Future[Run]:
        clash, why = self._overlaps.end(attempt.id), ""
        if clash is not None:
            why = f"not cached: another run wrote {clash.path!r} at the same time; write to a path of its own"
            taken = replace(taken, uncached=taken.uncached or why)
        run = attempt.run("done", taken, notes=returned.notes)

        def record(txn: Txn) -> Run:
            attempt.put(txn, run)
            for other in clash.recorded if clash is not None else ():
                runs.disown(txn, other, why)
            if attempt.order.keep is not None:
                attempt.order.keep(txn, run)
            return run

        return self._store.submit(record, [*attempt.staged, *taken.staged])

    async def _record_failure(self, attempt: _Attempt, reason: str) -> None:
        run = attempt.run("failed", Taken((), (), ""), error=reason)
        try:
            await asyncio.wrap_future(self._store.submit(lambda txn: attempt.put(txn, run), attempt.staged))
        except StoreError as trouble:  # such as a full disk; the node's own failure is the news
            log.warning("a failed run could not be recorded: %s", trouble)


class _Attempt:
    """What is known of an execution so far."""

    def __init__(self, program: Program, definition: Definition, order: Order) -> None:
        self.id = new_id()
        self.program = program
        self.definition = definition
        self.order = order
        self.started = 0.0
        self.bindings: list[Binding] = []
        self.samples: dict[str, Any] = {}
        self.staged: list[Staged] = []
        self._clock = 0.0
        self._log: list[str] = []
        self._logged = 0

    def begin(self) -> None:
        """It has its slot: time runs from now on."""
        self.started, self._clock = time.time(), time.perf_counter()

    def write_log(self, text: str) -> None:
        if self._logged < LOG_LIMIT:
            text = readable(text)
            if len(text) > LOG_LIMIT - self._logged:
                text = text[: LOG_LIMIT - self._logged] + "\n… (cut)\n"
            self._log.append(text)
            self._logged += len(text)
            self.order.log(text)

    def sample(self, store: Store, binding: Binding, value: Any) -> None:
        """Take a drawn value as the input it is."""
        try:
            staged = store.artifacts.stage(value)
            identity = staged.digest
            self.staged.append(staged)
        except UnencodableError:
            identity = digest("volatile", self.id, binding.port.encode())
        self.samples[binding.port] = value
        self.bindings.append(Binding(binding.port, identity, "sampled", provider=binding.provider))

    def run(self, status: Any, taken: Taken, error: str = "", notes: tuple[str, ...] = ()) -> Run:
        spec, fingerprint = self.definition.spec, self.definition.fingerprint
        identity = identity_of(fingerprint.digest, self.bindings)
        uncached = fingerprint.uncached or taken.uncached
        if spec.cache is False:
            uncached = uncached or "not cached: cache=False"
        if changed := fingerprint.changed_source():  # it ran with something else than its fingerprint says
            uncached = f"not cached: the module {changed} was changed after the script was loaded; load it again"
            identity = identity_of(digest("daggr/changed", fingerprint.digest, self.id), self.bindings)
        return Run(
            id=self.id,
            graph=self.program.graph,
            node=spec.name,
            kind=spec.kind,
            owner=self.order.owner,
            scope="",
            fingerprint=identity.fingerprint,
            key=identity.action,
            lookup=identity.lookup,
            inputs=tuple(self.bindings),
            outputs=taken.outputs,
            status=status,
            started=self.started,
            seconds=time.perf_counter() - self._clock,
            error=error,
            log="".join(self._log),
            uncached=uncached,
            notes=notes,
            soft=dict(fingerprint.soft),
        )

    def put(self, txn: Txn, run: Run) -> None:
        """Record a run, and what its definition is."""
        fingerprint = self.definition.fingerprint
        runs.put(txn, run, fingerprint.leaves, fingerprint.sources)


def _flies(definition: Definition, step: Step) -> bool:
    """Whether others may share the run of a step: it is found by key, and all its inputs are known."""
    vouched = not definition.fingerprint.uncached and definition.spec.cache is not False
    return vouched and all(binding.digest for binding in step.bindings)


def _sample(attempt: _Attempt, source: SampledSource) -> Any:
    try:
        return source.provider()
    except BaseException as error:
        spec = attempt.definition.spec
        raise NodeFailedError(
            readable(f"{source.name}, which {spec.name!r} samples, failed: {type(error).__name__}: {error}"),
            where=spec.where,
            node=spec.name,
        ) from error
