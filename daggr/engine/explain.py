"""Explain: why a node would run, is stale, or stands; and what differs between two runs. Pure.

What a node is now is compared with the nearest recorded run of it: the one with the fewest changes, then the one that
is shown, then the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from daggr.engine.changes import Change, Side, changes, distance, in_short
from daggr.engine.fingerprint.redact import redacted
from daggr.engine.freshness import is_too_old
from daggr.store.records import Run

State = Literal[
    "fresh", "known", "waiting", "forced", "uncacheable", "sampled", "never run", "failed", "changed", "volatile",
    "evicted", "lost", "old", "ancestor",
]  # fmt: skip
"""Why a node would run, in a word.

`fresh` and `known` would not: its result is shown, or would be once the sheet looks. `waiting`: what it needs has no
result. `uncacheable`: the script says `cache=False`. `sampled`: a call draws an input anew. `volatile`: a result was
there that is good for one process only. `evicted`: gc took its result. `lost`: bytes are gone. `old`: older than its
`cache` allows. `ancestor`: a node before it is not up to date.
"""

UNKNOWN = "its code or settings changed"
"""Said where nobody knows any more what they were."""


@dataclass(frozen=True)
class Recorded:
    """A run, what it was made from, and whether its results are still there.

    Attributes:
        run: The run.
        side: What it was made from.
        loss: `evicted` by gc, or `lost`; empty if all its values can be loaded.
        is_known: Whether its leaf map is still kept.
    """

    run: Run
    side: Side
    loss: Literal["", "evicted", "lost"] = ""
    is_known: bool = True


@dataclass(frozen=True)
class Asked:
    """A node at the moment when somebody asks.

    Attributes:
        node: Its name.
        fingerprint: Of its definition.
        side: Its definition, and what it would be given.
        uncached: Why its results are not cached, if they are not.
        cache: What its script says of how long results are good.
        now: Seconds since the epoch.
        standing: The run that is its result now.
        shown: The run that its sheet shows.
        forced: Whether it is to run in any case.
        missing: The nodes before it that have no result yet.
        stale: Those that are not up to date, nearest to the inputs first, and why.
        is_call: Whether it is asked for by a call, which draws every sampled input anew.
    """

    node: str
    fingerprint: bytes
    side: Side
    uncached: str = ""
    cache: bool | timedelta = True
    now: float = 0.0
    standing: bytes = b""
    shown: bytes = b""
    forced: bool = False
    missing: tuple[str, ...] = ()
    stale: tuple[tuple[str, str], ...] = ()
    is_call: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why a node would run, is stale, or stands.

    Attributes:
        node: Its name.
        state: In a word.
        summary: In one line, such as "changed: helper `other.h`".
        changes: What differs from the nearest run, the reasons to run first.
        lines: Everything, a sentence a line; the summary first.
        nearest: The run that it is compared with; empty if there is none.
    """

    node: str
    state: State
    summary: str
    changes: tuple[Change, ...] = ()
    lines: tuple[str, ...] = ()
    nearest: bytes = b""

    @property
    def runs(self) -> bool:
        """Whether the node would execute if everything that is not up to date did."""
        return self.state not in ("fresh", "known")

    @property
    def reasons(self) -> tuple[Change, ...]:
        """The changes that are a reason to run."""
        return tuple(change for change in self.changes if change.hard)


def explain(
    asked: Asked, past: Sequence[Recorded], complete: Callable[[Recorded], Recorded] = lambda recorded: recorded
) -> Explanation:
    """Say why a node would run or is stale.

    Args:
        asked: The node.
        past: Recorded runs of it, newest first. Those of other nodes do not matter.
        complete: Finds out what takes longer to know, of the one run that matters: what fed it, what was lost.
    """
    nearest = _nearest(asked, past)
    nearest = complete(nearest) if nearest is not None else None
    found = () if nearest is None else _compare(nearest.side, asked.side, is_known=nearest.is_known)
    state, summary = next(_verdicts(asked, past, nearest, found))
    lines = [summary, *(change.text for change in found)]
    if asked.uncached:
        lines.append(_vouched_by(asked.uncached))
    if state != "waiting":
        lines += [_of_ancestor(name, reason) for name, reason in asked.stale]
    run = nearest.run.id if nearest is not None else b""
    return Explanation(asked.node, state, summary, found, tuple(dict.fromkeys(lines)), run)


def summarise(found: Sequence[Change]) -> str:
    """The reasons to run among some changes, in a line; empty if there are none."""
    hard = [change.phrase for change in found if change.hard]
    return f"changed: {in_short(hard)}" if hard else ""


# ---------------------------------------------------------------- the nearest run


def _nearest(asked: Asked, past: Sequence[Recorded]) -> Recorded | None:
    """The run with the fewest changes; of what is just the same a success comes first, else any success."""
    if asked.standing and (standing := next((one for one in past if one.run.id == asked.standing), None)):
        return standing

    def rank(one: Recorded) -> tuple[bool, bool, int, bool, bool]:
        is_done, away = one.run.status == "done", distance(one.side, asked.side)
        return not one.is_known, not is_done and away > 0, away, not is_done, one.run.id != asked.shown

    return min(past, key=rank, default=None)  # of equals the first, which is the newest


def _compare(before: Side, after: Side, *, is_known: bool) -> tuple[Change, ...]:
    """The changes; without those of the definition when it is not known what that was."""
    if is_known:
        return changes(before, after)
    return changes(replace(before, leaves={}), replace(after, leaves={}))


# ---------------------------------------------------------------- the verdict


def _verdicts(
    asked: Asked, past: Sequence[Recorded], nearest: Recorded | None, found: Sequence[Change]
) -> Iterator[tuple[State, str]]:
    """All that can be said; the first is what matters."""
    if asked.missing:
        yield "waiting", f"`{asked.missing[0]}` has no result yet"
    if asked.forced:
        yield "forced", "run again, because somebody asked for it"
    if asked.cache is False:
        yield "uncacheable", "runs every time: the script says cache=False"
    if asked.standing and asked.stale:
        yield "ancestor", _of_ancestor(*asked.stale[0])
    if asked.standing and asked.standing == asked.shown:
        yield "fresh", "up to date"
    if not asked.standing:
        yield from _verdicts_on_past(asked, past, nearest, found)
    yield "known", "known: nothing has to run"


def _verdicts_on_past(
    asked: Asked, past: Sequence[Recorded], nearest: Recorded | None, found: Sequence[Change]
) -> Iterator[tuple[State, str]]:
    """What the runs that there are say about a node that has no result now."""
    if nearest is None:
        yield "never run", "never run"
        return
    run = nearest.run
    if all(one.run.status != "done" for one in past):
        yield "failed", f"never succeeded; {_failure(past[0].run)}"
    if not nearest.is_known:
        yield "changed", UNKNOWN
    if summary := summarise(found):
        yield "changed", summary
    if run.status != "done":
        yield "failed", f"for these inputs {_failure(run)}"
    if uncached := asked.uncached or run.uncached:
        yield "volatile", _vouched_by(uncached)
    if run.fingerprint != asked.fingerprint:
        yield "changed", UNKNOWN
    if nearest.loss:
        yield nearest.loss, _LOST[nearest.loss]
    if is_too_old(asked.cache, run, asked.now):
        yield "old", f"older than {asked.cache}"
    if asked.is_call and (drawn := [p for p, given in asked.side.inputs.items() if given.source == "sampled"]):
        yield "sampled", f"`{drawn[0]}` is drawn anew for every call"
    if asked.stale:
        yield "ancestor", _of_ancestor(*asked.stale[0])


_LOST: Mapping[str, str] = {"evicted": "its result was removed by gc", "lost": "its value is no longer kept"}


def _of_ancestor(name: str, reason: str) -> str:
    return f"`{name}` is not up to date" + (f": {reason}" if reason else "")


def _failure(run: Run) -> str:
    """How a run ended, in a line."""
    if run.status == "cancelled":
        return "the last run was stopped"
    said = redacted(next(iter(run.error.strip().splitlines()), ""))
    return f"the last run failed: {said}" if said else "the last run failed"


def _vouched_by(uncached: str) -> str:
    """Why a result is not cached, and what to do about a value that has no codec."""
    return f"{uncached}; register a codec with daggr.codec" if " holds " in uncached else uncached


# ---------------------------------------------------------------- two runs


@dataclass(frozen=True)
class RunDiff:
    """What differs between two runs.

    Attributes:
        before, after: The runs.
        nodes: Theirs.
        changes: Of their definitions, inputs and versions; the hard ones first.
        outputs: For each output port whether both gave the same.
        status, seconds: How each ended, and how long it took.
        summary: In one line.
        lines: Everything, a sentence a line; the summary first.
        is_known: Whether both leaf maps are still kept; else only inputs and outputs are compared.
    """

    before: bytes
    after: bytes
    nodes: tuple[str, str]
    changes: tuple[Change, ...]
    outputs: dict[str, bool]
    status: tuple[str, str]
    seconds: tuple[float, float]
    summary: str
    lines: tuple[str, ...]
    is_known: bool = True


def diff(before: Recorded, after: Recorded) -> RunDiff:
    """Compare two runs, of one node or of two."""
    one, two = before.run, after.run
    is_known = before.is_known and after.is_known
    found = _compare(before.side, after.side, is_known=is_known)
    gave = [{output.port: output.digest for output in run.outputs} for run in (one, two)]
    outputs = {port: gave[0].get(port) == gave[1].get(port) for port in {**gave[0], **gave[1]}}
    lines = [change.text for change in found]
    lines += [f"output `{port}` is {'the same' if same else 'another'}" for port, same in outputs.items()]
    if one.status != two.status:
        lines.append(f"{one.status}, then {two.status}")
    lines.append(f"{one.seconds:.2f} s, then {two.seconds:.2f} s")
    same_node = (one.graph, one.node) == (two.graph, two.node)
    if not is_known:
        lines.insert(0, "what their code was is no longer known")
    apart = "" if same_node else f"runs of different nodes, `{one.node}` and `{two.node}`; "
    summary = summarise(found) or ("no reason to run again" if is_known else "the same inputs")
    return RunDiff(
        before=one.id,
        after=two.id,
        nodes=(one.node, two.node),
        changes=found,
        outputs=outputs,
        status=(one.status, two.status),
        seconds=(one.seconds, two.seconds),
        summary=apart + summary,
        lines=(apart + summary, *lines),
        is_known=is_known,
    )
