"""What a function is given where it asks for a `gr.Progress`: the same words, told to the engine."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

Report = Callable[[float | None, str], None]
"""Takes a fraction from 0 to 1 (or None) and a few words."""

INTERVAL = 0.05
"""Seconds between two reports of a loop; a loop of a million steps has other things to do."""


def is_progress(value: object) -> bool:
    """Whether this is a `gr.Progress`, or something with its face: told without importing Gradio."""
    kind = type(value)
    return callable(value) and all(callable(getattr(kind, name, None)) for name in ("tqdm", "update", "__iter__"))


class Progress:
    """Reports how far a function is.

    `progress(0.3, desc="…")`, `progress((3, 10), unit="steps")` and `progress(None)` say it; `progress.tqdm(items)`
    says it of the items it goes through; `progress.tqdm(None, total=10)` and `progress.update(n)` of what is counted.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counts: list[_Count] = []
        self._next = 0.0

    def __call__(
        self,
        progress: float | tuple[float, float | None] | None,
        desc: str | None = None,
        total: float | None = None,
        unit: str = "steps",
        _tqdm: object = None,
    ) -> None:
        """Say how far it is: a fraction, a pair of steps done and steps in all, or None for "not known"."""
        if isinstance(progress, (tuple, list)):
            count = _Count(None, progress[0], progress[1] if len(progress) > 1 else total, desc, unit)
            self._report(count.fraction, count.words)
        else:
            self._report(None if progress is None else _clipped(progress), desc or "")

    def tqdm(
        self,
        iterable: Iterable[Any] | None,
        desc: str | None = None,
        total: float | None = None,
        unit: str = "steps",
        _tqdm: object = None,
    ) -> Progress:
        """Go through items, saying how far it is; without items, count what `update` says."""
        known = len(iterable) if isinstance(iterable, Sized) else total
        items = None if iterable is None else iter(iterable)
        self._counts.append(_Count(items, 0, known, desc, unit, _tqdm))
        self._tell()
        return self

    def update(self, n: float = 1) -> None:
        """So many steps more are done."""
        if self._counts:
            self._counts[-1].done += n
            self._tell()

    def close(self, _tqdm: object) -> None:
        """A bar of tqdm has ended."""
        self._counts = [count for count in self._counts if count.bar is None or count.bar is not _tqdm]

    def __len__(self) -> int:
        """How many items the innermost loop has; 0 if that is not known."""
        return int(self._counts[-1].total or 0) if self._counts else 0

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        """The items of the innermost loop."""
        while self._counts and self._counts[-1].items is None:
            self._counts.pop()
        return self._through(self._counts[-1]) if self._counts else iter(())

    def __next__(self) -> Any:
        """The next item of the innermost loop."""
        if not self._counts or (items := self._counts[-1].items) is None:
            raise StopIteration
        try:
            item = next(items)
        except StopIteration:
            self._counts.pop()
            raise
        self.update()
        return item

    def _through(self, count: _Count) -> Iterator[Any]:
        """Items as they are asked for: a step is done when the next one is wanted."""
        try:
            for item in count.items or ():
                yield item
                count.done += 1
                self._tell()
        finally:
            if count in self._counts:
                del self._counts[self._counts.index(count) :]

    def _tell(self) -> None:
        now = time.monotonic()
        if self._counts and (now >= self._next or self._counts[-1].done == self._counts[-1].total):
            self._next = now + INTERVAL
            fraction = 0.0
            known = [count for count in self._counts if count.total]
            for count in reversed(known):  # what is within a step is a part of that step
                fraction = min((count.done + fraction) / (count.total or 1), 1.0)
            self._report(fraction if known else None, " · ".join(filter(None, [c.words for c in self._counts])))

    def _progress_callback(self) -> Callable[..., None]:
        """Gradio's patch of tqdm asks for it, to know whether anybody listens."""
        return lambda *_: None


class _Count:
    """A loop: how many steps are done, of how many."""

    def __init__(
        self,
        items: Iterator[Any] | None,
        done: float,
        total: float | None,
        desc: str | None,
        unit: str,
        bar: object = None,
    ) -> None:
        self.items = items
        self.done = done
        self.total = total
        self.bar = bar
        self._desc = desc or ""
        self._unit = unit

    @property
    def fraction(self) -> float | None:
        return _clipped(self.done / self.total) if self.total else None

    @property
    def words(self) -> str:
        """Such as `reading 3/10 steps`."""
        counted = f"{self.done:g}/{self.total:g}" if self.total else f"{self.done:g}" if self.done else ""
        return " ".join(filter(None, [self._desc, counted, self._unit if counted else ""]))


def _clipped(fraction: float) -> float:
    return min(max(float(fraction), 0.0), 1.0)


@contextlib.contextmanager
def tqdm_heard(given: Progress | None) -> Iterator[None]:
    """Let loops of the tqdm library report to it, where `gr.Progress(track_tqdm=True)` has asked Gradio for that."""
    gradio = sys.modules.get("gradio.context")
    heard = getattr(getattr(gradio, "LocalContext", None), "progress", None)
    if given is None or heard is None:
        yield
        return
    token = heard.set(given)
    try:
        yield
    finally:
        heard.reset(token)
