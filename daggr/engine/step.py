"""One step: load what it is given, run it, keep what it gave, record it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from daggr.digest import encode, key
from daggr.engine.attempt import NOTHING, Attempt, is_undrawn
from daggr.engine.flight import Flights
from daggr.engine.keys import Identity, identity_of
from daggr.engine.lookup import Lookup
from daggr.engine.order import Order, Outcome
from daggr.engine.outputs import Taken, take
from daggr.engine.overlap import Overlaps
from daggr.engine.plan import Step
from daggr.engine.program import Definition, Program
from daggr.engine.runners.base import LocalRunner, Returned, Runner, failed
from daggr.engine.scatter import Scatter
from daggr.engine.scheduling.place import place_of
from daggr.engine.scheduling.slots import SLOTS, Lease
from daggr.engine.waiting import all_ended, heard, to_the_end, whole
from daggr.engine.workers.handle import Raised, Stopped
from daggr.engine.workers.thread import ThreadWorker
from daggr.engine.workers.usercode import UserCode
from daggr.errors import (
    ArtifactCorruptError,
    ArtifactMissingError,
    DaggrError,
    RunCancelledError,
    RunTimeoutError,
    StoreError,
)
from daggr.store import runs
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import Txn

log = logging.getLogger("daggr.engine")

T = TypeVar("T")
Done = tuple[Returned, Taken]

GRACE = 2.0
"""Seconds that a function has to end by itself once it is asked to stop."""


class Executor:
    """Executes steps.

    Args:
        store: Where runs are kept.
        runners: By kind of node.
        worker: The threads that functions run in.
        allowed: Folders from which functions may give files, beside the working and the temporary folder.
    """

    def __init__(
        self,
        store: Store,
        runners: Mapping[str, Runner | LocalRunner],
        worker: ThreadWorker,
        allowed: tuple[Path, ...] = (),
    ) -> None:
        self._store = store
        self._runners = runners
        self._worker = worker
        self._allowed = allowed
        self._flights = Flights(store)
        self._overlaps = Overlaps()
        self.has_run = False
        """Whether any function of the user's has been executed."""
        self.grace = GRACE
        self._io = ThreadPoolExecutor(4, thread_name_prefix="daggr-io")
        self._scatter = Scatter(store, self._one, self._in_io)

    async def execute(self, program: Program, step: Step, order: Order) -> Outcome:
        """Execute a step and record the run, failed or not; or share the run of who executes the same just now.

        A scattered step is executed item by item; its run is there even if some of them fail.

        Raises:
            NodeFailedError, RemoteError, ScatterError: it failed; a failed run has been recorded.
            RunCancelledError: it was stopped.
        """
        if step.node in program.drawing.scattered:
            return await self._scatter.run(program, step, order)
        return await self._one(program, step, order)

    async def _one(self, program: Program, step: Step, order: Order) -> Outcome:
        definition = program.definitions[step.node]
        if not _flies(definition, step):
            return await self._execute(program, step, order, None)
        identity = identity_of(definition.fingerprint.digest, step.bindings)
        return await self._flights.join(
            definition.spec, identity, order, lambda order: self._execute(program, step, order, identity)
        )

    async def _execute(self, program: Program, step: Step, order: Order, shared: Identity | None) -> Outcome:
        attempt = Attempt(program, step, order, self._store, self._allowed)
        with ExitStack() as claimed:
            try:
                done = await self._attempt(attempt, shared, claimed)
            except Exception as error:
                failure = _failure(attempt, error)
                if trace := getattr(failure, "traceback", ""):
                    attempt.write_log(trace)
                self._overlaps.end(attempt.id)
                if attempt.started and not isinstance(failure, (ArtifactMissingError, ArtifactCorruptError)):
                    await self._record_failure(attempt, failure)
                raise failure from error
            if isinstance(done, Run):
                return Outcome(done, hit=True)
            held = claimed.pop_all()  # until it is decided, whatever becomes of who waits for it
            done.add_done_callback(lambda _: held.close())
            return Outcome(await to_the_end(_given(done)), hit=False)  # it is recorded, whoever stops it now

    async def _attempt(self, attempt: Attempt, shared: Identity | None, claimed: ExitStack) -> Run | Future[Run]:
        """Run a step in its slot, with a claim on its key; or give the run that somebody else recorded meanwhile."""
        while True:
            lease = await SLOTS.take(place_of(attempt.spec, self._session(attempt.order)), attempt.order.flow)
            with ExitStack() as slot:
                slot.callback(lease.release)
                forced = attempt.order.alone  # it executes in any case; others need not do so, too
                if shared is None or self._claim(attempt, shared, claimed) or forced:
                    if shared is not None and not forced and (known := self._known(attempt, shared)) is not None:
                        return known
                    self.has_run = True
                    attempt.begin()
                    self._overlaps.begin(attempt.id)
                    return await self._perform(attempt, lease, slot)
            await self._flights.until_free(_claimed(attempt, shared))  # without a slot
            if (known := self._known(attempt, shared)) is not None:
                return known

    def _session(self, order: Order) -> str:
        return f"{order.owner} at {self._store.root}"

    def _claim(self, attempt: Attempt, shared: Identity, claimed: ExitStack) -> bool:
        claim = self._store.claims.take(_claimed(attempt, shared))
        if claim is not None:
            claimed.callback(claim.release)
        return claim is not None

    def _known(self, attempt: Attempt, shared: Identity) -> Run | None:
        with self._store.read() as txn:
            lookup = Lookup(txn, self._store, attempt.program, attempt.order.owner)
            return lookup.by_action(attempt.step.node, shared, drawn=True)

    # ------------------------------------------------------------ running

    async def _perform(self, attempt: Attempt, lease: Lease, slot: ExitStack) -> Future[Run]:
        runner = self._runners["isolated" if getattr(attempt.spec, "isolate", False) else attempt.spec.kind]
        if hasattr(runner, "execute"):
            return await self._in_thread(attempt, cast(LocalRunner, runner), lease, slot)
        try:
            running = self._run_remote(attempt, runner, lease, slot)
            given = await _within(running, attempt) if attempt.spec.timeout is not None else await running
            return self._record(attempt, *given)
        except asyncio.CancelledError:
            raise _stopped(attempt) from None
        finally:
            attempt.remove_folder()

    async def _in_thread(self, attempt: Attempt, runner: LocalRunner, lease: Lease, slot: ExitStack) -> Future[Run]:
        """Everything about the step in one thread. It has the slot until it has really ended, whoever waits for it."""

        def work(user: UserCode) -> Future[Run]:
            with lease.held():
                attempt.draw(user)
                returned = runner.execute(attempt.call(), user)
            taken = self._take(attempt, returned)
            record = attempt.conclude(lambda: self._record(attempt, returned, taken))
            if record is None:
                self._drop(taken)
                raise Stopped
            return record

        handle = self._worker.submit(work, attempt.write_log)
        slot.pop_all()
        handle.on_end(lease.release)
        handle.on_end(attempt.remove_folder)
        try:
            if attempt.spec.timeout is None:
                return await handle.result()
            waiting = heard(asyncio.ensure_future(handle.result()))
            try:
                await asyncio.wait({waiting}, timeout=attempt.spec.timeout)
                if waiting.done():
                    return waiting.result()
            finally:
                waiting.cancel()
            failure: Callable[[Attempt, bool], DaggrError] = _timed_out
        except asyncio.CancelledError:
            failure = _stopped
        ended = await to_the_end(handle.cancel(self.grace)) == "stopped"
        record = attempt.give_up()
        if record is None:
            raise failure(attempt, ended)
        return record

    def _drop(self, taken: Taken) -> None:
        for item in taken.staged:
            self._store.artifacts.discard(item)

    async def _run_remote(self, attempt: Attempt, runner: Runner, lease: Lease, slot: ExitStack) -> Done:
        attempt.folder.mkdir(parents=True, exist_ok=True)
        if any(map(is_undrawn, attempt.step.bindings)):
            await self._draw(attempt, lease, slot)
        else:
            attempt.draw(None)
        call = await whole(self._in_io(attempt.call))
        with lease.held():
            returned = await runner.run(call)
        return returned, await self._in_io(lambda: self._take(attempt, returned))

    async def _draw(self, attempt: Attempt, lease: Lease, slot: ExitStack) -> None:
        """Sample the callables, in a thread. It has the slot as long as they run."""
        with lease.held():
            handle = self._worker.submit(attempt.draw, attempt.write_log)
        try:
            await handle.result()
        except asyncio.CancelledError:
            if await to_the_end(handle.cancel(self.grace)) != "stopped":
                slot.pop_all()
                handle.on_end(lease.release)
            raise

    def close(self) -> None:
        """Let go of the threads."""
        self._io.shutdown(wait=True, cancel_futures=True)
        self._worker.close()

    async def _in_io(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._io, work)

    async def lost(self, step: Step) -> list[str]:
        """The nodes before a step whose values are damaged or gone."""
        await asyncio.wrap_future(self._store.submit(lambda txn: None))  # what was seen to be damaged is noted by then

        def look() -> list[str]:
            with self._store.read() as txn:
                found = {binding.run: runs.get(txn, binding.run) for binding in step.bindings if binding.run}
                return [
                    run.node
                    for run in found.values()
                    if run is not None and not all(_iswhole(txn, self._store, out.digest) for out in run.outputs)
                ]

        return await self._in_io(look)

    # ------------------------------------------------------------ recording

    def _take(self, attempt: Attempt, returned: Returned) -> Taken:
        taken = take(
            self._store.artifacts,
            attempt.spec,
            returned,
            attempt.id,
            attempt.folder,
            attempt.handed,
            int(attempt.started * 1e9),
            self._allowed,
        )
        self._overlaps.give(attempt.id, taken.outside)
        return taken

    def _record(self, attempt: Attempt, returned: Returned, taken: Taken) -> Future[Run]:
        clash, why = self._overlaps.end(attempt.id), ""
        if clash is not None:
            why = f"not cached: another run wrote {clash.path!r} at the same time; write to a path of its own"
            taken = replace(taken, uncached=taken.uncached or why)
        run = attempt.run("done", taken, returned=returned)

        def record(txn: Txn) -> Run:
            attempt.put(txn, run)
            for other in clash.recorded if clash is not None else ():
                runs.disown(txn, other, why)
            if attempt.order.keep is not None:
                attempt.order.keep(txn, run)
            return run

        return self._store.submit(record, [*attempt.staged, *taken.staged])

    async def _record_failure(self, attempt: Attempt, failure: DaggrError) -> None:
        status: Any = "cancelled" if isinstance(failure, RunCancelledError) else "failed"
        run = attempt.run(status, NOTHING, error=str(failure))
        attempt.order.recorded(run)
        try:
            await asyncio.wrap_future(self._store.submit(lambda txn: attempt.put(txn, run), attempt.staged))
        except StoreError as trouble:  # such as a full disk; the node's own failure is the news
            log.warning("a failed run could not be recorded: %s", trouble)


def _claimed(attempt: Attempt, shared: Identity) -> bytes:
    """What is claimed: the action key; of what serves one user only, that user's own."""
    scope = attempt.order.scope(attempt.spec)
    return key(encode([shared.action, scope])) if scope else shared.action


def _flies(definition: Definition, step: Step) -> bool:
    """Whether others may share the run of a step: it is found by key, and all its inputs are known."""
    vouched = not definition.fingerprint.uncached and definition.spec.cache is not False
    return vouched and all(binding.digest for binding in step.bindings)


def _iswhole(txn: Txn, store: Store, identity: bytes) -> bool:
    """Whether a value and all that it refers to is there."""
    return all(store.artifacts.is_readable(txn, found) for found in store.artifacts.with_refs(txn, identity))


def _failure(attempt: Attempt, error: Exception) -> DaggrError:
    if isinstance(error, DaggrError):
        return error
    if isinstance(error, Raised) and isinstance(error.error, Stopped):
        return _stopped(attempt)
    return failed(attempt.spec, error.error if isinstance(error, Raised) else error)


def _stopped(attempt: Attempt, ended: bool = True) -> RunCancelledError:
    if ended:
        return RunCancelledError(f"{attempt.spec.name!r} was stopped.")
    return RunCancelledError(
        f"{attempt.spec.name!r} is still running and cannot be stopped: it keeps its slot until it ends.",
        "Use FnNode(…, isolate=True): then it runs in a process of its own, which can always be stopped.",
        attempt.spec.where,
    )


def _timed_out(attempt: Attempt, ended: bool = True) -> RunTimeoutError:
    message = f"{attempt.spec.name!r} took longer than {attempt.spec.timeout:g} s"
    if ended:
        return RunTimeoutError(
            f"{message} and was stopped.", "Its `timeout=` says how long it may take.", attempt.spec.where
        )
    return RunTimeoutError(
        f"{message}; it is still running and cannot be stopped.",
        "Use FnNode(…, isolate=True): then it runs in a process of its own, which can always be stopped.",
        attempt.spec.where,
    )


async def _within(running: Awaitable[T], attempt: Attempt) -> T:
    """The result of something, if it comes in time."""
    task = heard(asyncio.ensure_future(running))
    try:
        done, _ = await asyncio.wait({task}, timeout=attempt.spec.timeout)
    except asyncio.CancelledError:
        task.cancel()
        await all_ended([task])
        raise
    if not done:
        task.cancel()
        await all_ended([task])
        raise _timed_out(attempt)
    return task.result()


async def _given(future: Future[T]) -> T:
    return await asyncio.wrap_future(future)
