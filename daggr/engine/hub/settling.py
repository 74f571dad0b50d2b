"""Settling what has changed: at launch, when Spaces and models are at other commits than the recorded ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from daggr.config import DependencyCheck
from daggr.engine.hub.copies import copy_space
from daggr.engine.hub.hub import Hub, Kept, patience
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.revisions import Moved, Revisions, called, changes
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import DaggrError, EndpointError, RemoteError
from daggr.graph.drawing import Drawing
from daggr.graph.nodes.remote import RemoteSpec, Repo

KEEP, ACCEPT = "keep", "accept"

Ask = Callable[[str, Sequence[str]], str]
"""Asks a person a question; one of the options is the answer."""


@dataclass(frozen=True)
class Settling:
    """Who is asked and told about changes.

    Attributes:
        hub: Knows what is there now.
        revisions: What was recorded.
        worker: The threads for what blocks.
        credential: Who is logged in here.
        say: Told what has changed, in a line or more.
        ask: Asks the user; None without a terminal.
    """

    hub: Hub
    revisions: Revisions
    worker: ThreadWorker
    credential: Credential
    say: Callable[[str], None]
    ask: Ask | None = None

    async def settle(self, drawing: Drawing, policy: DependencyCheck) -> list[Moved]:
        """Look for changes and do about them what the policy says. Returns them.

        What is met for the first time is recorded. Copies that stand for Spaces are used from here on. A Hub that does
        not answer is a warning.

        Raises:
            EndpointError: something has changed, and the policy is `error`.
        """
        graph, repos = drawing.persist_key, called(drawing)
        if not graph or not repos:
            return []
        recorded = self.revisions.recorded(graph)
        await self._use_copies(graph, list(repos), recorded, update=policy == "update")
        if policy == "skip":
            return []
        observed = await self._observe(graph, repos)
        await self._write(lambda: self.revisions.record(graph, observed, only_new=True))
        moved = changes(recorded, observed, drawing)
        if moved and policy == "error":
            raise _refused(moved)
        accepted = [change for change in moved if not await self._keep(graph, change, policy)]
        if accepted:
            new = {change.repo: change.new for change in accepted}
            await self._write(lambda: self.revisions.record(graph, new))
            self.say("Changed since it was recorded, and accepted:" + "".join(f"\n  {change}" for change in accepted))
        return moved

    # ------------------------------------------------------------ what is there

    async def _use_copies(
        self, graph: str, repos: Sequence[Repo], recorded: Mapping[Repo, str], *, update: bool
    ) -> None:
        """Call copies in the place of their originals; not any more if the user wants what is new."""
        for repo in repos:
            instead = self.revisions.kept(graph, repo)
            if instead is not None and update:
                self.say(f"{repo} itself is called again, in the place of {instead!r}.")
                await self._unuse(graph, repo)
            elif instead is not None:
                self._use(repo, Kept(instead, recorded[repo]))

    def _use(self, repo: Repo, kept: Kept) -> None:
        self.hub.instead[repo] = kept
        self.hub.observed[repo] = kept.sha

    async def _observe(self, graph: str, repos: Mapping[Repo, Sequence[RemoteSpec]]) -> dict[Repo, str]:
        """The commits that are there now, without those of copies. What is not there is told when it is checked."""
        asked = (self._commit(graph, repo, min(map(patience, specs))) for repo, specs in repos.items())
        found = await asyncio.gather(*asked, return_exceptions=True)
        silent = []
        for repo, commit in zip(repos, found, strict=True):
            if isinstance(commit, RemoteError):
                silent.append((repo, commit))
            elif isinstance(commit, BaseException) and not isinstance(commit, EndpointError):
                raise commit
        if silent:
            names = ", ".join(str(repo) for repo, _ in silent)
            self.say(f"Warning: it is not known whether there are changes of {names}: {silent[0][1].message}")
        return {repo: commit for repo, commit in zip(repos, found, strict=True) if isinstance(commit, str) and commit}

    async def _commit(self, graph: str, repo: Repo, within: float) -> str:
        kept = self.hub.instead.get(repo)
        if kept is not None:
            try:
                await self.hub.space(kept.id, self.credential, fresh=True, within=within, checking=True)
                return ""
            except EndpointError:
                self.say(f"The copy {kept.id!r} of {repo} is not there any more; {repo} itself is called again.")
                await self._unuse(graph, repo)
        if repo.kind == "space":
            return (await self.hub.space(repo.id, self.credential, fresh=True, within=within, checking=True)).sha
        return (await self.hub.model(repo.id, self.credential, fresh=True, within=within, checking=True)).sha

    async def _unuse(self, graph: str, repo: Repo) -> None:
        self.hub.instead.pop(repo, None)
        await self._write(lambda: self.revisions.keep(graph, repo, None))

    async def _write(self, work: Callable[[], None]) -> None:
        """Change the file: another process may have it."""
        await in_thread(self.worker, work)

    # ------------------------------------------------------------ keep or accept

    async def _keep(self, graph: str, change: Moved, policy: DependencyCheck) -> bool:
        """Whether a change is not accepted: the user has a copy of what was recorded, or wanted one."""
        if policy != "ask" or self.ask is None or change.repo.kind != "space" or not self.credential.token:
            return False
        if await self._answer(self.ask, change) != KEEP:
            return False
        self.say(f"Copying {change.repo} at {change.old[:7]}…")
        try:
            name = await in_thread(self.worker, lambda: copy_space(change.repo, change.old, self.credential))
        except DaggrError as error:
            self.say(f"It cannot be copied, so the one at {change.new[:7]} is called until it is settled: {error}")
            return True
        await self._write(lambda: self.revisions.keep(graph, change.repo, name))
        self._use(change.repo, Kept(name, change.old))
        self.say(f"From now on {name!r} is called in its place; secrets and hardware of the original are not copied.")
        return True

    async def _answer(self, ask: Ask, change: Moved) -> str:
        question = (
            f"Changed since it was recorded: {change}\n"
            f"Keep {change.old[:7]} (as a private copy of your own), or accept {change.new[:7]}?"
        )
        try:
            return await in_thread(self.worker, lambda: ask(question, (KEEP, ACCEPT)))
        except EOFError:  # there is nobody after all
            return ACCEPT


def _refused(moved: Sequence[Moved]) -> EndpointError:
    return EndpointError(
        "Changed since it was recorded:" + "".join(f"\n  {change}" for change in moved),
        "To accept this, run once with DAGGR_DEPENDENCY_CHECK=update.",
        moved[0].where if len(moved) == 1 else None,
    )
