"""The Hub: what Hugging Face says of Spaces and models. Asked once for all who want to know, and kept for a minute.

The last answers are on disk, too: without network, a workflow is checked against what was the case.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple

from huggingface_hub import constants

from daggr.engine.hub.answers import TIMEOUT, Info, ask_model, ask_space, revived
from daggr.engine.hub.answers import ModelInfo as ModelInfo
from daggr.engine.hub.answers import Served as Served
from daggr.engine.hub.answers import SpaceInfo as SpaceInfo
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.refusals import page, silent, told, what
from daggr.engine.hub.shelf import Shelf
from daggr.engine.hub.together import Silence, Together, placed
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import EndpointError, RemoteError
from daggr.graph.nodes.remote import RemoteSpec, Repo

KEPT = 60.0
"""Seconds for which an answer stands."""


@dataclass(frozen=True)
class Asking(Generic[Info]):
    """How the Hub is asked: for what, whether as it is now, in how many seconds, and whether for a check."""

    ask: Callable[[str, Credential], Info]
    kind: type[Info]
    fresh: bool
    within: float | None
    checking: bool


class Kept(NamedTuple):
    """A Space of the user's that stands for another: a copy of it, as it was at a commit."""

    id: str
    sha: str


class Hub:
    """What the Hub says.

    Args:
        worker: The threads in which it is asked.
        folder: Where its last answers are kept; None to keep none. Tokens are not, and private things neither if a
            visitor asked.

    Attributes:
        folder: As given.
        observed: The commit of each Space and model, as last seen.
        instead: The Spaces that are called in place of others, and the commits of those which they are copies of.
    """

    def __init__(self, worker: ThreadWorker, folder: Path | None) -> None:
        self.folder = folder
        self.observed: dict[Repo, str] = {}
        self.instead: dict[Repo, Kept] = {}
        self._worker = worker
        self._shelf = Shelf(folder / "answers") if folder is not None else None
        self._kept: dict[tuple[Repo, Credential], tuple[float, Any]] = {}
        self._silence = Silence()
        self._together: Together[tuple[Repo, Credential, bool], Any] = Together()

    async def space(
        self,
        id: str,
        credential: Credential,
        where: str | None = None,
        *,
        fresh: bool = False,
        within: float | None = None,
        checking: bool = False,
    ) -> SpaceInfo:
        """A Space, as it was at most a minute ago, or as it is now.

        Args:
            id: `owner/name`.
            credential: Who asks.
            where: The line of the node that it is for.
            fresh: Whether it must be as it is now.
            within: Seconds that this may take; see `patience`.
            checking: Whether the Hub is to be asked even if it was silent just now. What runs after a check, and was
                silent in it, is not waited for again.

        Raises:
            EndpointError: there is none that this credential may see.
            RemoteError: the Hub does not answer, and it is not known from before.
        """
        return await self._info(
            Repo("space", id), credential, where, Asking(ask_space, SpaceInfo, fresh, within, checking)
        )

    async def model(
        self,
        id: str,
        credential: Credential,
        where: str | None = None,
        *,
        fresh: bool = False,
        within: float | None = None,
        checking: bool = False,
    ) -> ModelInfo:
        """A model, as it was at most a minute ago, or as it is now. Its arguments are those of `space`.

        Raises:
            EndpointError: there is none that this credential may see.
            RemoteError: the Hub does not answer, and it is not known from before.
        """
        return await self._info(
            Repo("model", id), credential, where, Asking(ask_model, ModelInfo, fresh, within, checking)
        )

    async def _info(self, repo: Repo, credential: Credential, where: str | None, asking: Asking[Info]) -> Info:
        credential = replace(credential, ip_token="")  # the Hub is not sent it
        since, known = self._kept.get((repo, credential), (0.0, None))
        if known is not None and not asking.fresh and time.monotonic() - since < KEPT:
            return known  # type: ignore[no-any-return]
        return await placed(self._ask(repo, credential, asking), where)

    async def _ask(self, repo: Repo, credential: Credential, asking: Asking[Info]) -> Info:
        """Ask, together with others, and not for longer than the asker has time."""

        async def look() -> Info:
            info = await in_thread(self._worker, lambda: self._look(repo, credential, asking))
            self._keep(repo, credential, info)
            return info

        who: tuple[Repo, Credential] = (repo, credential)
        waiting = (*who, asking.within)
        if asking.checking:
            self._silence.end(waiting)
        self._silence.check(waiting)
        with self._silence.kept(waiting):
            try:
                answer: Info = await asyncio.wait_for(self._together.ask((*who, asking.fresh), look), asking.within)
                return answer
            except asyncio.TimeoutError as error:
                before = None
                if not asking.fresh:
                    before = await in_thread(self._worker, lambda: self._before(repo, credential, asking.kind))
                if before is None:
                    raise silent(repo, f"it does not answer within {asking.within:g} s") from error
                return before

    def _keep(self, repo: Repo, credential: Credential, info: SpaceInfo | ModelInfo) -> None:
        now = time.monotonic()
        self._kept = {asked: kept for asked, kept in self._kept.items() if now - kept[0] < KEPT}
        self._kept[repo, credential] = (now, info)
        if info.sha and repo not in self.instead:
            self.observed[repo] = info.sha

    def _look(self, repo: Repo, credential: Credential, asking: Asking[Info]) -> Info:
        """Ask the Hub; what it said before stands in for it if it cannot be reached. This blocks."""
        try:
            info = self._answer(repo, credential, asking)
        except RemoteError:
            before = None if asking.fresh else self._before(repo, credential, asking.kind)
            if before is None:
                raise
            return before
        if self._shelf is not None and not (info.private and credential.personal):
            self._shelf.put(f"{constants.ENDPOINT} {repo}", asdict(info))
        return info

    def _answer(self, repo: Repo, credential: Credential, asking: Asking[Info]) -> Info:
        try:
            return asking.ask(repo.id, credential)
        except Exception as error:  # noqa: BLE001  (the Hub's library speaks over one of two HTTP libraries)
            seen = [known.id for known, by in list(self._kept) if known.kind == repo.kind and by == credential]
            late = TimeoutError() if "Timeout" in type(error).__name__ else None
            raise told(repo, credential, error, seen) from late  # not from what may hold what was sent

    def _before(self, repo: Repo, credential: Credential, kind: type[Info]) -> Info | None:
        document = self._shelf.get(f"{constants.ENDPOINT} {repo}") if self._shelf is not None else None
        info = None if document is None else revived(kind, document)
        if info is not None and info.private and (credential.personal or not credential.token):
            return None  # whoever asks now need not be whoever could see it
        return info


def patience(spec: RemoteSpec) -> float:
    """Seconds for which a node's Space or model is looked up at most: no longer than its own limits say."""
    return min(TIMEOUT, spec.idle_timeout or TIMEOUT, spec.timeout or TIMEOUT)


def check_revision(spec: RemoteSpec, sha: str) -> None:
    """See to it that what a node calls is at the commit that it is pinned to, if it is.

    Raises:
        EndpointError: it is at another.
    """
    repo = spec.repo
    if not spec.revision or repo is None or sha.startswith(spec.revision):
        return
    instead = (
        "duplicate the Space at that commit and call your own"
        if repo.kind == "space"
        else "pin the commit that is there"
    )
    raise EndpointError(
        f"{what(repo)} is at {sha[:7] or 'a commit that the Hub does not tell'}, and pinned to {spec.revision[:7]}.",
        f"Remove revision=, or {instead}: {page(repo)}",
        spec.where,
    )
