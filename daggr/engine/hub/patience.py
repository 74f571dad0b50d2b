"""Trying again: only what was refused before anything had been done, and never in step with others.

The pauses grow, each a random part of what it may be at most ("full jitter", as in Exponential Backoff And Jitter,
AWS Architecture Blog 2015). An app that says when to come back is taken at its word.
"""

from __future__ import annotations

import asyncio
import email.utils
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from daggr.errors import RemoteError

T = TypeVar("T")
FIRST, MOST = 0.5, 20.0
"""Seconds that the first pause, and any pause, takes at most."""

LONGEST = 120.0
"""Seconds beyond which nobody waits for an app, whatever it says."""


async def patiently(
    ask: Callable[[], Awaitable[T]],
    retries: int,
    tell: Callable[[str], None],
    helps: Callable[[RemoteError], bool] = lambda error: error.retryable,
) -> T:
    """Ask, and ask again if that can help.

    Args:
        ask: Raises a retryable RemoteError if it was refused before anything was done.
        retries: How often it is asked again at most.
        tell: Takes a few words on what is waited for.
        helps: Says of a refusal whether asking again can help.

    Raises:
        RemoteError: it cannot help, or was asked too often.
    """
    for attempt in range(retries + 1):
        try:
            return await ask()
        except RemoteError as error:
            pause = error.retry_after
            if not helps(error) or attempt == retries or (pause or 0.0) > LONGEST:
                raise
            if pause is None:
                pause = random.uniform(0, min(MOST, FIRST * 2**attempt))
            tell(f"busy; trying again in {pause:.0f} s")
            await asyncio.sleep(pause)
    raise AssertionError("there is always a last attempt")


def seconds_of(retry_after: str | None) -> float | None:
    """What a Retry-After header says (RFC 9110 §10.2.3), in seconds from now; None if it says nothing."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
