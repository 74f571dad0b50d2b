"""What an app's generator has given so far, shown while it runs: the first value at once, then one every 50 ms at most.

Files are fetched for it, one value at a time; what comes meanwhile waits, and only the newest of it is shown. Nothing
that goes wrong here is the node's trouble: its last value is what counts.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from daggr.engine.runners.partials import INTERVAL, NOTHING
from daggr.errors import DaggrError

log = logging.getLogger("daggr.engine")

Make = Callable[[list[Any], Path], Awaitable[Mapping[str, Any]]]
"""Makes values by port of an answer; files go to the folder."""

KEPT = 2
"""Values whose files are kept: the one that is shown, and the one before, which a page may still be reading."""


class GradioPartials:
    """Shows what an app gives. Nothing is shown after its end.

    Args:
        make: Makes of an answer what the ports get.
        show: Takes the values by port.
        folder: Where files may be put.
    """

    def __init__(self, make: Make, show: Callable[[Mapping[str, Any]], None], folder: Path) -> None:
        self._make = make
        self._show = show
        self._folder = folder
        self._waiting: Any = NOTHING
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0
        self._count = 0

    def give(self, answer: list[Any]) -> None:
        """Show these values, now or a little later, unless there are newer ones by then."""
        self._waiting = answer
        if self._task is None:
            self._task = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting is not NOTHING:
                if (pause := self._next - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                answer, self._waiting = self._waiting, NOTHING
                self._next = time.monotonic() + INTERVAL
                await self._one(answer)
        finally:
            self._task = None

    async def _one(self, answer: list[Any]) -> None:
        self._count += 1
        folder = self._folder / f"partial-{self._count}"
        try:
            values = await self._make(answer, folder)
        except asyncio.CancelledError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except (DaggrError, httpx.HTTPError, OSError, RecursionError) as error:  # the last value will tell
            log.debug("what an app has given so far could not be taken: %s", error)
            return
        except Exception:
            log.exception("what an app has given so far could not be taken")
            return
        try:
            self._show(values)
        except Exception:  # showing is not the node's trouble
            log.exception("what an app has given so far could not be shown")
        shutil.rmtree(self._folder / f"partial-{self._count - KEPT}", ignore_errors=True)

    async def __aenter__(self) -> GradioPartials:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting = NOTHING
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
