"""Spaces: where one answers, which commit of it that is, and what there is to do before it does: wake it, wait, or ask.

A Space that nobody has called for a while sleeps; a request to it wakes it up, which takes a minute or two.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpx
from huggingface_hub import constants

from daggr.engine.hub.hub import Hub, Kept, SpaceInfo
from daggr.engine.hub.identity import Credential, may_know
from daggr.engine.hub.refusals import page
from daggr.errors import EndpointError, RemoteError
from daggr.graph.nodes.remote import Repo

OFFICIAL = "https://huggingface.co"
LIMIT = 300.0
"""Seconds within which a Space must be awake."""

EVERY = 2.0
"""Seconds between two looks whether it is."""

AWAKE = 60.0
"""Seconds after which it most likely is."""

POKE = httpx.Timeout(5.0)
TRIED = 3
"""How often in a row the Hub may fail to say how a Space is."""

ASLEEP = "SLEEPING"
COMING = {
    ASLEEP: "waking up {id}…",
    "BUILDING": "{id} is being built…",
    "APP_STARTING": "{id} is starting…",
}
"""The stages that end by themselves, or by a request, and what is said meanwhile."""

GONE = {
    "PAUSED": ("is paused", "Its owner can restart it; or duplicate it, and call your own"),
    "STOPPED": ("is stopped", "Its owner can restart it; or duplicate it, and call your own"),
    "BUILD_ERROR": ("could not be built", "Its owner has to repair it; or duplicate it, and repair your own"),
    "RUNTIME_ERROR": ("has failed", "Its owner has to repair or restart it; or duplicate it, and call your own"),
    "CONFIG_ERROR": ("is not configured rightly", "Its owner has to repair the head of its README.md"),
    "NO_APP_FILE": ("has no app", "Its owner has to add one; is it the Space that you mean?"),
    "DELETING": ("is being deleted", "Call another"),
}
"""The stages that last, in words, and what to do about them."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Address:
    """Where an app answers, its commit, and whether it was waited for."""

    url: str
    commit: str
    woken: bool = False


@dataclass(frozen=True)
class Looking:
    """How a Space is looked for.

    Attributes:
        fresh: Whether the Hub is to be asked anew.
        wait: Whether to wait for a Space that sleeps or is being built.
        before: Where it answered the last time; empty if that is not known.
        within: Seconds that the Hub has to answer.
        say: Told what is waited for.
    """

    fresh: bool
    wait: bool
    before: str
    within: float
    say: Say


class Spaces:
    """Finds Spaces, and wakes those that sleep.

    Args:
        client: Speaks with their apps.
        hub: Knows them.
    """

    def __init__(self, client: httpx.AsyncClient, hub: Hub) -> None:
        self._client = client
        self._hub = hub

    async def address(self, id: str, credential: Credential, looking: Looking) -> Address:
        """Where a Space answers; a copy stands for it where the user decided so.

        A Hub that is out of order need not stop calls of a Space that is known from before; its commit is not known.

        Raises:
            EndpointError: there is none that this credential may see.
            RemoteError: it does not run; retryable if it will.
        """
        repo = Repo("space", id)
        kept = Kept(id, "")
        if not credential.personal:  # a copy is private: visitors do not see it
            kept = self._hub.instead.get(repo, kept)
        try:
            space = await self._hub.space(
                kept.id, credential, fresh=looking.fresh, within=looking.within, checking=True
            )
        except RemoteError as error:
            if not looking.before or not error.retryable:
                raise
            return Address(looking.before, kept.sha)
        is_coming = space.stage in COMING
        if is_coming:
            space = await self._awake(space, credential, looking)
        if space.stage in GONE:
            raise _gone(space)
        if not space.host:
            raise RemoteError(f"The Hub does not say where the Space {id!r} answers.", f"See {page(repo)}")
        if kept.sha:
            self._hub.observed[repo] = kept.sha
        return Address(space.host, kept.sha or space.sha, is_coming)

    async def _awake(self, space: SpaceInfo, credential: Credential, looking: Looking) -> SpaceInfo:
        """A Space when it runs, or has failed to."""
        end, failures = time.monotonic() + LIMIT, 0
        await self._poke(space, credential)
        if not looking.wait:
            raise _coming(space)
        looking.say(COMING[space.stage].format(id=space.id))
        while space.stage in COMING:
            if time.monotonic() >= end:
                raise _coming(space)
            await asyncio.sleep(EVERY)
            before = space.stage
            try:
                space, failures = await self._hub.space(space.id, credential, fresh=True, checking=True), 0
            except RemoteError as error:
                failures += 1
                if failures >= TRIED or not error.retryable:
                    raise
            if space.stage in COMING and space.stage != before:
                looking.say(COMING[space.stage].format(id=space.id))
        looking.say("")
        return space

    async def _poke(self, space: SpaceInfo, credential: Credential) -> None:
        """Ask the Space for anything: that wakes it."""
        if space.stage != ASLEEP:
            return
        headers = headers_for(space.host, credential, is_space=True) if space.host else {}
        url = f"{space.host or _usual_host(space.id)}/"
        with suppress(httpx.HTTPError, httpx.InvalidURL):
            async with self._client.stream("GET", url, headers=headers, timeout=POKE):
                pass  # whatever it says


def headers_for(url: str, credential: Credential, *, is_space: bool) -> Mapping[str, str]:
    """The headers for an app. A token goes to Spaces only; a Hub of one's own has them where it likes."""
    is_elsewhere = is_space and constants.ENDPOINT != OFFICIAL
    return credential.headers() if is_elsewhere or may_know(url) else {}


def _usual_host(id: str) -> str:
    """Where a Space most likely is, for the Hub may not say so while it sleeps. It is sent no token."""
    return f"https://{re.sub(r'[^a-z0-9]+', '-', id.lower()).strip('-')}.hf.space"


def _coming(space: SpaceInfo) -> RemoteError:
    repo = Repo("space", space.id)
    what = COMING[space.stage].format(id=space.id).rstrip("…")
    if space.stage == ASLEEP:
        return RemoteError(
            f"The Space {space.id!r} was asleep; it has been told to wake up.",
            f"That takes a minute or two. If it stays so, look at {page(repo)}",
            retryable=True,
            retry_after=AWAKE,
        )
    hint = f"Try again in a minute or two, or look at {page(repo)}"
    return RemoteError(f"The Space {what}.", hint, retryable=True, retry_after=AWAKE)


def _gone(space: SpaceInfo) -> EndpointError | RemoteError:
    state, advice = GONE[space.stage]
    said = space.error.strip()
    reason = f": {said[:300]}" if said else ""
    text, hint = f"The Space {space.id!r} {state}{reason}.", f"{advice}: {page(Repo('space', space.id))}"
    return EndpointError(text, hint) if space.stage == "DELETING" else RemoteError(text, hint)
