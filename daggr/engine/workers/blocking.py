"""Doing what may block – a hook of the user's, a library without asyncio – in a thread, from the engine's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from daggr.engine.workers.thread import ThreadWorker
from daggr.engine.workers.usercode import UserCode

T = TypeVar("T")


def unheard(text: str) -> None:
    """Takes what nobody wants to read."""


async def in_thread(worker: ThreadWorker, work: Callable[[], T], log: Callable[[str], None] = unheard) -> T:
    """Do something that may block, such as a hook of the user's. It is stopped when nobody waits for it any more."""

    def run(user: UserCode) -> T:
        with user.code():
            return work()

    handle = worker.submit(run, log)
    try:
        return await handle.result()
    except asyncio.CancelledError:
        await handle.cancel()
        raise
