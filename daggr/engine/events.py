"""What happens while something runs. Everybody who watches gets the same stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from daggr.errors import DaggrError
from daggr.store.records import Run


@dataclass(frozen=True)
class StepEvent:
    """Something about one node. `sheet` is empty for runs without a sheet."""

    job: str
    sheet: bytes
    node: str


@dataclass(frozen=True)
class StepQueued(StepEvent):
    """It will run, and waits for its turn."""


@dataclass(frozen=True)
class StepStarted(StepEvent):
    """It runs."""

    at: float


@dataclass(frozen=True)
class StepProgressed(StepEvent):
    """It says how far it is; `fraction` from 0 to 1, or None."""

    fraction: float | None
    text: str


@dataclass(frozen=True)
class StepLogged(StepEvent):
    """It printed something."""

    text: str


@dataclass(frozen=True)
class StepGave(StepEvent):
    """It gave values, by port, and will give others: only the last ones are its result."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class ItemsProgressed(StepEvent):
    """A scattered step says how many of its items have a result, how many failed, and how many there are."""

    done: int
    failed: int
    total: int


@dataclass(frozen=True)
class StepFinished(StepEvent):
    """It has a result; `hit` when nothing was executed for it."""

    run: Run
    hit: bool


@dataclass(frozen=True)
class StepFailed(StepEvent):
    """It has no result, or one of which items failed, and why."""

    error: DaggrError


@dataclass(frozen=True)
class StepCancelled(StepEvent):
    """It was stopped."""

    error: DaggrError


@dataclass(frozen=True)
class StepSkipped(StepEvent):
    """It will not run after all, since something before it failed."""

    reason: str


@dataclass(frozen=True)
class JobEnded(StepEvent):
    """Everything that was asked for has come to an end. `node` is empty."""


class Observer(Protocol):
    """Somebody who watches. Called in the engine's thread, and in that of who starts a job: be quick, raise nothing."""

    def __call__(self, event: StepEvent) -> None:
        """Take note of an event."""
