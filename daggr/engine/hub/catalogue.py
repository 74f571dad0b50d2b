"""The catalogue: what is known of the apps that nodes call. Asked for once by all who want to know, and kept.

What was known the last time is on disk. A node that fits it passes at once, and is looked at again behind; a node that
does not is told so only after a fresh look. For a call, the app is made sure to be the one described: it says which
start of it that is (`/app_id`), and is described anew when it was started anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import httpx
from huggingface_hub import constants

from daggr.engine.hub.describe import Asking, Description
from daggr.engine.hub.gradio_app import GradioApp, check, read_app
from daggr.engine.hub.hub import Hub, check_revision, patience
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.patience import patiently
from daggr.engine.hub.shelf import Shelf
from daggr.engine.hub.spaces import Address, Looking, Say, Spaces, headers_for
from daggr.engine.hub.together import News, Silence, Together, placed
from daggr.engine.workers.blocking import in_thread, unheard
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import DaggrError, RemoteError
from daggr.graph.nodes.gradio import GradioSpec

IDLE, CONNECT = 30.0, 10.0
"""Seconds that an app has to say a word, and to be reached, when it is asked what it is."""

TIMEOUT = httpx.Timeout(IDLE, connect=CONNECT, pool=None)
SURE = 1.0
"""Seconds for which an app is taken for the one that it was."""

RECENT = 60.0
"""Seconds after which an app is looked at again when a node is checked."""

AFTER_WAKING = 5
"""How often a Space that has just woken up is asked again, if it does not answer yet."""

MOST = 1000
"""Apps that are remembered: each visitor's are their own."""

FORMAT = 1
"""Of what is on disk; another is not read."""

Who = tuple[str, ...]
"""An app as somebody sees it: its source, the copy that stands for it, their token."""


@dataclass
class Known:
    """An app, what it said of itself, its commit if it is a Space, and when it was last seen to be the same."""

    app: GradioApp
    description: Description
    commit: str
    seen: float = -float("inf")

    @property
    def age(self) -> float:
        """Seconds since it was last seen to be the same."""
        return time.monotonic() - self.seen


class Catalogue:
    """What is known of apps.

    Args:
        client: Keeps connections to them alive.
        worker: The threads for what blocks.
        hub: Knows Spaces.
    """

    def __init__(self, client: httpx.AsyncClient, worker: ThreadWorker, hub: Hub) -> None:
        self._client = client
        self._worker = worker
        self.hub = hub
        self._spaces = Spaces(client, hub)
        self._shelf = Shelf(hub.folder / "apps") if hub.folder is not None else None
        self._known: dict[Who, Known] = {}
        self._looking: Together[Any, Known] = Together()
        self._confirming: Together[Any, bool] = Together()
        self._silence = Silence()
        self._news: dict[Any, News] = {}
        self._behind: dict[Any, asyncio.Task[None]] = {}

    async def app(self, spec: GradioSpec, credential: Credential, say: Say = unheard) -> GradioApp:
        """The app that a node calls, as it is now. A Space that sleeps is woken up.

        Args:
            spec: The node.
            credential: Who calls it.
            say: Told what is waited for, in a few words.

        Raises:
            EndpointError: there is no such Space, or not at the commit that the node is pinned to.
            RemoteError: it does not answer, or not like a Gradio app.
        """
        return await placed(self._app(spec, credential, say), spec.where)

    async def _app(self, spec: GradioSpec, credential: Credential, say: Say) -> GradioApp:
        who = self._who(spec, credential)
        known = self._known.get(who) or await self._from_disk(spec, credential)
        if known is None or known.age >= SURE:
            self._silence.check((who, _patience(spec)))
        if known is None or not await self._is_current(spec, credential, known):
            known = await self._look(spec, credential, wait=True, say=say)
        check_revision(spec, known.commit)
        return _seen_by(known, spec, credential)

    async def check(self, spec: GradioSpec, credential: Credential) -> None:
        """Check a node against its app. One that sleeps is woken up, but not waited for.

        Raises:
            EndpointError: the app has no such endpoint, or it takes something else, or is not at its commit.
            RemoteError: it does not answer.
        """
        await placed(self._check(spec, credential), spec.where)

    async def _check(self, spec: GradioSpec, credential: Credential) -> None:
        who = self._who(spec, credential)
        self._silence.end((who, _patience(spec)))
        known = self._known.get(who) or await self._from_disk(spec, credential)
        if known is not None and _fits(spec, known):
            if known.age > RECENT:
                self._look_behind(spec, credential)
            return
        with self._silence.kept((who, _patience(spec))):
            known = await self._look_within(spec, credential)
        check_revision(spec, known.commit)
        check(spec, known.app)

    async def _look_within(self, spec: GradioSpec, credential: Credential) -> Known:
        """A fresh look that takes no longer than the node itself may."""
        try:
            return await asyncio.wait_for(self._look(spec, credential, wait=False, say=unheard), spec.timeout)
        except asyncio.TimeoutError as error:
            raise RemoteError(
                f"{spec.source!r} does not answer within {spec.timeout:g} s.",
                "Is it running? timeout= of the node sets how long is waited for it.",
                retryable=True,
            ) from error

    def soft(self, spec: GradioSpec, credential: Credential) -> Mapping[str, str]:
        """The commit of the Space that a node calls, by its name, as it is kept in runs; empty if there is none."""
        known = self._known.get(self._who(spec, credential))
        return {str(spec.repo): known.commit} if known is not None and known.commit and spec.repo is not None else {}

    def forget(self, spec: GradioSpec, credential: Credential) -> None:
        """Be sure of nothing the next time: the app broke off."""
        if (known := self._known.get(self._who(spec, credential))) is not None:
            known.seen = -float("inf")

    async def close(self) -> None:
        """Look at nothing behind any more."""
        behind = list(self._behind.values())
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)

    # ------------------------------------------------------------ is it the same

    async def _is_current(self, spec: GradioSpec, credential: Credential, known: Known) -> bool:
        """Whether the app is still the one that was asked: it is asked once a second at most, for all who call it.

        Raises:
            RemoteError: it does not answer; of a Space that is said after its Hub was asked.
        """
        if known.age < SURE:
            return True
        if not known.app.app_id:
            return False
        asking = self._asking(spec, credential, known.description.url)

        async def confirm() -> bool:
            is_same = await asking.is_same(known.app.app_id, known.app.url)
            if is_same:
                known.seen = time.monotonic()
            return is_same

        try:
            return await self._confirming.ask((self._who(spec, credential), known.app.app_id, *_waits(spec)), confirm)
        except RemoteError as error:
            is_gone = isinstance(error.__cause__, (httpx.TimeoutException, httpx.ConnectError))
            if is_gone and not spec.is_space:
                raise
            return False  # a Space may sleep or answer elsewhere now, and a connection may have been closed meanwhile

    def _look_behind(self, spec: GradioSpec, credential: Credential) -> None:
        who = self._who(spec, credential)
        if who in self._behind:
            return

        async def look() -> None:
            with suppress(DaggrError):  # whoever calls it is told
                known = self._known.get(who)
                if known is None or not await self._is_current(spec, credential, known):
                    await self._look(spec, credential, wait=False, say=unheard)

        self._behind[who] = task = asyncio.create_task(look())
        task.add_done_callback(lambda _: self._behind.pop(who, None))

    # ------------------------------------------------------------ a fresh look

    async def _look(self, spec: GradioSpec, credential: Credential, *, wait: bool, say: Say) -> Known:
        """Find the app and have it described; once for all who want that."""
        who = self._who(spec, credential)
        asked = (who, wait, *_patience(spec))
        news = self._news.setdefault(asked, News())

        async def look() -> Known:
            before = self._known.get(who)
            place = await self._place(spec, credential, before, wait=wait, say=news.say)
            asking = self._asking(spec, credential, place.url)
            description = await patiently(
                lambda: asking.describe(before.description if before is not None else None),
                AFTER_WAKING if place.woken else 0,
                news.say,
            )
            known = _read(spec, description, place.commit)
            if before is not None and known.app.app_id and before.app.app_id == known.app.app_id:
                known.commit = place.commit or before.commit  # the Hub may not have said it
            known.seen = time.monotonic()
            self._remember(spec, who, known)
            await self._to_disk(spec, credential, known)
            return known

        with news.told_to(say):
            try:
                return await self._looking.ask(asked, look)
            finally:
                if news.is_unheard:
                    self._news.pop(asked, None)

    async def _place(
        self, spec: GradioSpec, credential: Credential, before: Known | None, *, wait: bool, say: Say
    ) -> Address:
        if not spec.is_space:
            return Address(spec.source, "")
        url = before.description.url if before is not None else ""
        looking = Looking(fresh=wait or bool(url), wait=wait, before=url, within=patience(spec), say=say)
        return await self._spaces.address(spec.source, credential, looking)

    def _asking(self, spec: GradioSpec, credential: Credential, url: str) -> Asking:
        headers = headers_for(url, credential, is_space=spec.is_space)
        idle, connect = _waits(spec)
        timeout = httpx.Timeout(idle, connect=connect, pool=None)
        return Asking(self._client, self._worker, spec.source, url, headers, timeout)

    def _remember(self, spec: GradioSpec, who: Who, known: Known) -> None:
        if known.commit and spec.repo is not None:
            self.hub.observed.setdefault(spec.repo, known.commit)
        self._known.pop(who, None)
        self._known[who] = known
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    # ------------------------------------------------------------ on disk

    async def _from_disk(self, spec: GradioSpec, credential: Credential) -> Known | None:
        shelf = self._shelf
        if shelf is None or credential.personal:
            return None  # what one may see, another may not
        document = await in_thread(self._worker, lambda: shelf.get(self._name(spec)))
        if document is None or document.get("format") != FORMAT:
            return None
        try:
            known = _read(spec, Description.revived(document["description"]), str(document["commit"]))
        except (RemoteError, TypeError, KeyError):
            return None
        who = self._who(spec, credential)
        if who not in self._known:
            self._remember(spec, who, known)
        return self._known[who]

    async def _to_disk(self, spec: GradioSpec, credential: Credential, known: Known) -> None:
        shelf = self._shelf
        if shelf is None or credential.personal:
            return
        document = {"format": FORMAT, "commit": known.commit, "description": asdict(known.description)}
        await in_thread(self._worker, lambda: shelf.put(self._name(spec), document))

    def _name(self, spec: GradioSpec) -> str:
        """What a description is kept under: a Space is another one on another Hub, and so is a copy of it."""
        return " ".join([constants.ENDPOINT, spec.source, *self._copy_of(spec)]) if spec.is_space else spec.source

    def _who(self, spec: GradioSpec, credential: Credential) -> Who:
        return (spec.source, *self._copy_of(spec), credential.token)

    def _copy_of(self, spec: GradioSpec) -> list[str]:
        kept = self.hub.instead.get(spec.repo) if spec.repo is not None else None
        return [] if kept is None else [kept.id]


def _patience(spec: GradioSpec) -> tuple[float | None, ...]:
    """Whose waiting is the same."""
    return (*_waits(spec), spec.timeout)


def _waits(spec: GradioSpec) -> tuple[float, float]:
    """How long an app is waited for when it is asked what it is: no longer than the node's own limits say."""
    return min(spec.idle_timeout or IDLE, IDLE), spec.connect_timeout or CONNECT


def _read(spec: GradioSpec, description: Description, commit: str) -> Known:
    """An app as it describes itself; without the headers it is sent, which are each caller's own.

    Raises:
        RemoteError: the description is none.
    """
    try:
        app = read_app(spec.source, description.url, {}, description.config, description.info)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RemoteError(
            f"{spec.source!r} describes itself in a way that daggr does not understand ({type(error).__name__}).",
            "Is it a Gradio app? Its gradio may have to be updated.",
        ) from error
    return Known(app, description, commit)


def _fits(spec: GradioSpec, known: Known) -> bool:
    try:
        check_revision(spec, known.commit)
        check(spec, known.app)
    except DaggrError:
        return False
    return True


def _seen_by(known: Known, spec: GradioSpec, credential: Credential) -> GradioApp:
    """The app, with the headers that this caller sends."""
    headers = headers_for(known.description.url, credential, is_space=spec.is_space)
    return replace(known.app, headers=headers) if headers else known.app
