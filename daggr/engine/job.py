"""One job: a plan carried out, step by step, as results come in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from daggr.engine.events import (
    ItemsProgressed,
    JobEnded,
    Observer,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepFinished,
    StepGave,
    StepLogged,
    StepProgressed,
    StepQueued,
    StepSkipped,
    StepStarted,
)
from daggr.engine.hub.identity import Credential
from daggr.engine.order import Order, Outcome
from daggr.engine.plan import Find, Plan, Step
from daggr.engine.program import Program
from daggr.engine.step import Executor
from daggr.errors import ArtifactCorruptError, ArtifactMissingError, DaggrError, NodeFailedError, RunCancelledError
from daggr.store.records import Run
from daggr.store.tables import Txn

log = logging.getLogger("daggr.engine")

Keep = Callable[[Txn, Step, Run], None]
"""Records what else changes with a step's result, in the transaction that records the run."""


@dataclass(eq=False)
class Job:
    """What is carried out, for whom; `lookup` opens a look at the store, `items` one for the items of scattered steps.

    `sheet` is empty when no sheet shows it. The nodes of `forced` execute in any case, whoever else does the same; of a
    scattered node the items that are not known, or with `anew` all. `credential` is who calls what is remote.
    """

    id: str
    program: Program
    plan: Plan
    owner: str
    lookup: Callable[[], AbstractContextManager[Find]]
    items: Callable[[], AbstractContextManager[Find]]
    sheet: bytes = b""
    keep: Keep | None = None
    forced: frozenset[str] = frozenset()
    anew: bool = False
    credential: Credential | None = None
    reopened: set[str] = field(default_factory=set)
    ended: bool = False
    """Nothing is told of it any more: what was abandoned may go on printing."""


def announce(job: Job, observe: Observer) -> None:
    """Tell of everything that will run, or may have to, before any of it does."""
    for step in job.plan.steps.values():
        if step.state in ("ready", "waiting"):
            observe(StepQueued(job.id, job.sheet, step.node))
        elif step.state == "blocked":
            observe(StepSkipped(job.id, job.sheet, step.node, step.reason))


async def carry_out(job: Job, executor: Executor, observe: Observer) -> DaggrError | None:
    """Execute the steps of a plan, independent ones at once. Returns the first failure, when all has come to an end.

    When it is cancelled it stops what runs, and returns a RunCancelledError when that has ended. That items of a
    scattered step failed is no failure here: it may be that nobody needs them.
    """
    running: dict[asyncio.Task[Outcome], Step] = {}
    ended: asyncio.Queue[asyncio.Task[Outcome]] = asyncio.Queue()
    first: DaggrError | None = None

    def start_ready() -> None:
        for step in job.plan.ready():
            step.state = "running"
            order = _order(job, step, observe)
            task = asyncio.create_task(executor.execute(job.program, step, order))
            task.add_done_callback(ended.put_nowait)  # to wait for all of many, again and again, takes long
            running[task] = step

    start_ready()
    try:
        while running:
            task = await ended.get()
            step = running[task]
            error = _error_of(task, step)
            if error is None:
                _finish(job, step, task.result(), observe)
            elif not await _reopen(job, step, error, executor, observe):
                first = first or error
                _fail(job, step, error, observe)
            del running[task]
            start_ready()
    except asyncio.CancelledError:
        first = await _stop(job, running, observe)
    except BaseException:
        await _stop(job, running, observe)
        raise
    finally:
        job.ended = True
        observe(JobEnded(job.id, job.sheet, ""))
    return first


async def _stop(job: Job, running: dict[asyncio.Task[Outcome], Step], observe: Observer) -> DaggrError:
    """Stop everything. Each step that was announced and has not ended is told of."""
    for task in running:
        task.cancel()
    while running:
        with contextlib.suppress(asyncio.CancelledError):  # whoever asks again
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                step = running.pop(task)
                error = _error_of(task, step)
                if error is None:
                    observe(StepFinished(job.id, job.sheet, step.node, task.result().run, task.result().hit))
                elif isinstance(error, RunCancelledError):
                    observe(StepCancelled(job.id, job.sheet, step.node, error))
                else:
                    observe(StepFailed(job.id, job.sheet, step.node, error))
    for step in job.plan.steps.values():
        if step.state in ("ready", "waiting"):
            observe(StepSkipped(job.id, job.sheet, step.node, "stopped"))
    return RunCancelledError("The run was stopped.")


async def _reopen(job: Job, step: Step, error: DaggrError, executor: Executor, observe: Observer) -> bool:
    """Have results made again whose values are gone, such as by a damaged disk; once for each step that needs them."""
    if not isinstance(error, (ArtifactMissingError, ArtifactCorruptError)) or step.node in job.reopened:
        return False
    job.reopened.add(step.node)
    try:
        gone = await executor.lost(step)
    except DaggrError:  # the store has other troubles
        return False
    again = job.plan.reopen(step.node, gone)
    for other in again or ():
        log.warning("the result of %r is damaged or gone; it is made again", other.node)
        observe(StepQueued(job.id, job.sheet, other.node))
    return again is not None


def _error_of(task: asyncio.Task[Outcome], step: Step) -> DaggrError | None:
    """Why a step has no run; None if it has one."""
    if task.cancelled():
        return RunCancelledError(f"{step.node!r} was stopped.")
    error = task.exception()
    if error is None or isinstance(error, DaggrError):
        return error
    log.error("%r ended in an unexpected way", step.node, exc_info=error)
    return NodeFailedError(f"{step.node!r} failed: {type(error).__name__}: {error}", node=step.node)


def _finish(job: Job, step: Step, outcome: Outcome, observe: Observer) -> None:
    with job.lookup() as find:
        changed = job.plan.advance(step.node, outcome.run, find)
    if outcome.run.status == "done":
        observe(StepFinished(job.id, job.sheet, step.node, outcome.run, outcome.hit))
    else:
        observe(StepFailed(job.id, job.sheet, step.node, NodeFailedError(outcome.run.error, node=step.node)))
    for other in changed:
        if other.run is not None:
            observe(StepFinished(job.id, job.sheet, other.node, other.run, hit=True))
        else:
            observe(StepSkipped(job.id, job.sheet, other.node, other.reason))


def _fail(job: Job, step: Step, error: DaggrError, observe: Observer) -> None:
    blocked = job.plan.block(step.node, error.message)
    observe(StepFailed(job.id, job.sheet, step.node, error))
    for other in blocked:
        observe(StepSkipped(job.id, job.sheet, other.node, other.reason))


def _order(job: Job, step: Step, observe: Observer) -> Order:
    loop, keep = asyncio.get_running_loop(), job.keep

    def deliver(event: StepEvent) -> None:
        if not job.ended:
            observe(event)

    def tell(kind: type[StepEvent], *values: object) -> None:  # user code tells from its own thread
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody hears it any more
            loop.call_soon_threadsafe(deliver, kind(job.id, job.sheet, step.node, *values))

    return Order(
        owner=job.owner,
        log=lambda text: tell(StepLogged, text),
        progress=lambda fraction, text: tell(StepProgressed, fraction, text),
        partial=lambda values: tell(StepGave, values),
        items=lambda done, failed, total: tell(ItemsProgressed, done, failed, total),
        started=lambda at: tell(StepStarted, at),
        keep=None if keep is None else lambda txn, run: keep(txn, step, run),
        flow=(job.owner, job.sheet.hex(), job.id),
        find=job.items,
        alone=step.node in job.forced,
        anew=job.anew and step.node in job.forced,
        credential=job.credential,
    )
