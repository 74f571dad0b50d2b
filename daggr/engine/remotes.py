"""What nodes call elsewhere: the runners of remote nodes, and checking the nodes before anything runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from daggr.config import DependencyCheck
from daggr.engine.hub.accounts import Accounts
from daggr.engine.hub.hub import Hub
from daggr.engine.hub.identity import Credential, local
from daggr.engine.hub.revisions import Revisions
from daggr.engine.hub.settling import Ask, Settling
from daggr.engine.plan import Plan
from daggr.engine.program import Program
from daggr.engine.runners.gradio.runner import GradioRunner
from daggr.engine.runners.inference.runner import InferenceRunner
from daggr.engine.waiting import heard
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import DaggrError, EndpointError
from daggr.graph.drawing import Drawing
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.remote import RemoteSpec

log = logging.getLogger("daggr.engine")

Say = Callable[[str], None]

MOMENT, SHARE = 5.0, 0.1
"""Seconds, and the part of a node's own deadline, in which what it calls must say of itself before it is called."""


class Remotes:
    """The remote side of an engine.

    Args:
        worker: The threads for what blocks.
        folder: Where it is kept what apps and models say of themselves; None to keep nothing.
        known_as: The persist key of a graph that keeps no results this time, and has commits recorded all the same.
    """

    def __init__(self, worker: ThreadWorker, folder: Path | None, known_as: str | None = None) -> None:
        self._worker = worker
        self._known_as = known_as
        self._revisions = Revisions(folder / "revisions.json") if folder is not None else None
        self._settled: set[str] = set()
        self.hub = Hub(worker, folder)
        self.accounts = Accounts(worker)
        self.runners: Mapping[str, GradioRunner | InferenceRunner] = {
            "gradio": GradioRunner(worker, self.hub),
            "inference": InferenceRunner(worker, self.hub),
        }

    async def wrong(self, specs: Iterable[NodeSpec], credential: Credential | None = None) -> list[DaggrError]:
        """Check nodes against what they call, all at once. Returns what is wrong, in the order of the nodes.

        Nodes that call nothing, or are not to be validated, are right.
        """
        asked = [spec for spec in specs if isinstance(spec, RemoteSpec) and spec.validate]
        if not asked:
            return []
        caller = credential or local()  # a look at the environment and a file: a thread would take longer
        checks = (self.runners[spec.kind].check(spec, caller) for spec in asked)  # type: ignore[arg-type]
        found = await asyncio.gather(*checks, return_exceptions=True)
        for error in found:
            if error is not None and not isinstance(error, DaggrError):
                raise error
        return [error for error in found if isinstance(error, DaggrError)]

    async def settle(self, drawing: Drawing, policy: DependencyCheck, say: Say, ask: Ask | None = None) -> None:
        """Look whether what a graph calls has changed since it was recorded, and do what the policy says; once.

        Args:
            drawing: The graph.
            policy: What is done about changes.
            say: Told of them.
            ask: Asks the user; None without a terminal.

        Raises:
            EndpointError: something has changed, and the policy is `error`.
        """
        graph = drawing.persist_key or self._known_as
        if self._revisions is None or graph is None or graph in self._settled:
            return
        drawing = replace(drawing, persist_key=graph)
        caller = await in_thread(self._worker, local)
        await Settling(self.hub, self._revisions, self._worker, caller, say, ask).settle(drawing, policy)
        self._settled.add(graph)

    async def prepare(
        self, program: Program, plan: Plan, credential: Credential | None, policy: DependencyCheck
    ) -> None:
        """See to it that what a plan is going to call is there, before any of it runs.

        What does not answer now, or not soon, is no reason to stop: it may when its turn comes.

        Raises:
            EndpointError: an app or a model has not what is called; or has changed, and may not.
        """
        steps = (step for step in plan.steps.values() if step.state in ("ready", "waiting"))
        specs = [spec for step in steps if isinstance(spec := program.definitions[step.node].spec, RemoteSpec)]
        if specs:
            if policy == "error":  # it is no policy if it does not hold when the Hub is slow
                await self.settle(program.drawing, policy, log.warning)
            looking = asyncio.create_task(self._look(program.drawing, specs, credential, policy))
            await asyncio.wait({heard(looking)}, timeout=_moment(specs))
            if looking.done():
                looking.result()

    async def _look(
        self, drawing: Drawing, specs: Sequence[RemoteSpec], credential: Credential | None, policy: DependencyCheck
    ) -> None:
        await self.settle(drawing, policy, log.warning)
        raise_wrong(await self.wrong(specs, credential))

    async def close(self) -> None:
        """Let go of connections."""
        for runner in self.runners.values():
            await runner.close()


def _moment(specs: Iterable[RemoteSpec]) -> float:
    """Seconds for which it is waited for what apps say of themselves: a small part of what nodes have in all."""
    given = [s for spec in specs for s in (spec.timeout, spec.connect_timeout, spec.idle_timeout) if s is not None]
    return min(MOMENT, *(SHARE * seconds for seconds in given), MOMENT)


def raise_wrong(found: Iterable[DaggrError]) -> None:
    """Raise what makes a workflow impossible; several as one.

    Raises:
        EndpointError: there is something.
    """
    wrong = [error for error in found if isinstance(error, EndpointError)]
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise EndpointError("\n".join(map(str, wrong)))
