"""Waiting for what must not be broken off, whoever is stopped meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Task = TypeVar("Task", bound=asyncio.Future[Any])


def heard(task: Task) -> Task:
    """What comes of a task may be nobody's concern any more: then it is no error that nobody asks."""
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return task


async def all_ended(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Wait until tasks have ended, however they do; that somebody stops who waits is forgotten."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        with suppress(asyncio.CancelledError):
            _, waiting = await asyncio.wait(waiting)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of something; that somebody stops who waits is forgotten."""
    task = heard(asyncio.create_task(work))
    await all_ended([task])
    return task.result()


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """The same, but who was stopped meanwhile is so then."""
    task = heard(asyncio.create_task(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await all_ended([task])
        raise
