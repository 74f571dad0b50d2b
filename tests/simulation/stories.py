"""What was told of each job, and what must be true of that, whatever the order of events was."""

from __future__ import annotations

from dataclasses import dataclass, field

from daggr.engine.events import (
    JobEnded,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepFinished,
    StepQueued,
    StepSkipped,
)
from daggr.store import items, runs
from daggr.store.records import Run
from tests.simulation.loop import SimLoop
from tests.simulation.memory import MemoryStore

ENDINGS = (StepFinished, StepFailed, StepCancelled, StepSkipped)


@dataclass
class Story:
    """One job. `open` are the nodes that were announced and have not ended."""

    number: int
    announces: bool
    open: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    is_over: bool = False


class Stories:
    """An observer that believes nothing."""

    def __init__(self, loop: SimLoop, store: MemoryStore) -> None:
        self.told: list[str] = []
        self.stories: dict[str, Story] = {}
        self.problems: list[str] = []
        self._loop = loop
        self._store = store

    def __call__(self, event: StepEvent) -> None:
        """Take note of an event."""
        story = self.stories.setdefault(event.job, Story(len(self.stories), bool(event.sheet)))
        line = f"{self._loop.time():g} job {story.number} {event.node} {type(event).__name__}"
        self.told.append(line)
        if problem := self._problem(story, event):
            self.problems.append(f"{problem}: {line}")

    def _problem(self, story: Story, event: StepEvent) -> str:
        node = event.node
        if story.is_over:
            return "told after the end"
        if isinstance(event, JobEnded):
            story.is_over = True
            return f"without an ending: {sorted(story.open)}" if story.open else ""
        if isinstance(event, StepQueued):
            is_open = node in story.open
            story.open.add(node)
            return "announced twice" if is_open else ""
        if isinstance(event, ENDINGS):
            return self._problem_of_ending(story, event)
        return "told of a step that has ended" if node in story.ended and node not in story.open else ""

    def _problem_of_ending(self, story: Story, event: StepEvent) -> str:
        node, was_open = event.node, event.node in story.open
        story.open.discard(node)
        if node in story.ended and not was_open and story.announces:
            return "ended twice"
        if story.announces and not was_open and not isinstance(event, StepSkipped):
            return "ended without having been announced"
        story.ended.add(node)
        if isinstance(event, StepFinished):
            with self._store.read() as txn:
                if runs.get(txn, event.run.id) is None:
                    return "finished without a record"
            if event.run.status != "done":
                return f"finished, but its run is {event.run.status}"
        return ""


def check_groups(store: MemoryStore) -> None:
    """See that each group has the results of its items, each at its place."""
    with store.read() as txn:
        rows: list[Run] = list(store.tables.rows[b"run"].values())
        for group in (run for run in rows if run.items >= 0):
            ids, gave = items.get(txn, group.id), store.artifacts.items(txn, group.outputs[0].digest)
            assert gave is None or len(ids) // 16 == len(gave) // 32 == group.items
            found = [runs.get(txn, ids[16 * at : 16 * at + 16]) for at in range(group.items)]
            assert group.status != "done" or all(run is not None and run.status == "done" for run in found)
            for at, run in enumerate(found):
                given = gave[32 * at : 32 * at + 32] if gave is not None else b""
                if run is not None and run.status == "done":
                    assert not given or run.outputs[0].digest == given, f"item {at} of {group.node!r} is another's"
                else:
                    assert not any(given), f"item {at} of {group.node!r} failed and has a result"
