"""Slots, in whatever order people come, go, give up and are stopped: limits hold, nothing leaks, all is fair."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from daggr.engine.scheduling import Place, Slots
from daggr.engine.scheduling.fairness import FIRST_ESTIMATE
from tests.simulation.loop import SimLoop
from tests.simulation.stays import Stay, check, check_turns


@dataclass(frozen=True)
class Visit:
    """Somebody who wants a slot."""

    flow: tuple[str, str, str]
    at: float
    stay: float
    patience: float | None = None
    """After so long its task is cancelled, wherever it is."""
    releases: int = 1
    """How often it says that it is done."""
    used: float | None = None


SECONDS = st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0, 5.0, 20.0])
FLOWS = st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"), st.sampled_from("12"))
VISITS = st.builds(
    Visit,
    flow=FLOWS,
    at=st.integers(0, 12).map(float),
    stay=SECONDS,
    patience=st.none() | st.none() | SECONDS,
    releases=st.sampled_from([1, 1, 2, 3]),
    used=st.none() | st.none() | SECONDS,
)


def let_in(visits: list[Visit], limit: int, seed: int) -> list[Stay]:
    """Everybody comes, works and goes; what has been begun goes on after a cancel, as a thread would."""
    loop, stays = SimLoop(seed), list[Stay]()
    slots = Slots(loop.time)

    async def visit(guest: Visit) -> None:
        await asyncio.sleep(guest.at)
        stay = Stay("room", limit, guest.flow, loop.time())
        stays.append(stay)
        try:
            lease = await slots.take(Place("room", limit), guest.flow)
        except asyncio.CancelledError:
            stay.gave_up = loop.time()
            raise
        stay.came = loop.time()

        def leave() -> None:
            stay.left = loop.time()
            for _ in range(guest.releases):
                lease.release(guest.used)
                guest.releases > 1 and loop.call_later(1, lease.release)

        loop.call_later(guest.stay, leave)
        await asyncio.sleep(guest.stay)

    async def main() -> None:
        tasks = [asyncio.create_task(visit(guest)) for guest in visits]
        for task, guest in zip(tasks, visits, strict=True):
            if guest.patience is not None:
                loop.call_later(guest.at + guest.patience, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(100)

    loop.run(main())
    assert not loop.trouble
    assert not slots._rooms, "somebody is still inside"
    return stays


@given(st.lists(VISITS, max_size=40), st.integers(1, 4), st.integers(0, 1000))
@example([Visit(("a", "x", "1"), 0.0, 1.0)] * 2 + [Visit(("b", "x", "1"), 0.0, 1.0, patience=1.0)], 1, 0)
@settings(max_examples=400)
def test_no_limit_is_exceeded_and_no_slot_is_idle_or_lost(visits: list[Visit], limit: int, seed: int) -> None:
    stays = let_in(visits, limit, seed)
    check(stays)
    patient = sum(guest.patience is None for guest in visits)
    assert sum(stay.left < float("inf") for stay in stays) >= patient, "somebody waits for ever"


@given(st.lists(VISITS, max_size=60), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=400)
def test_nobody_is_passed_over(visits: list[Visit], limit: int, seed: int) -> None:
    visits = [Visit(guest.flow, guest.at, guest.stay, guest.patience) for guest in visits]
    stays = let_in(visits, limit, seed)
    check_turns(stays, longest=max([FIRST_ESTIMATE, *[guest.stay for guest in visits]]))


@given(st.integers(1, 4), st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=2, max_size=4), st.integers(0, 1000))
@settings(max_examples=50)
def test_everybody_who_keeps_wanting_gets_the_same(limit: int, seconds: list[float], seed: int) -> None:
    """However many jobs one starts, and however long each takes: what counts is the time they are given."""
    until = 20 * max(seconds)
    crowd = [
        Visit((str(owner), "x", str(number % (1 + 2 * owner))), 0.0, each)
        for owner, each in enumerate(seconds)
        for number in range(int(until / each) * limit)
    ]
    got = dict.fromkeys("01234"[: len(seconds)], 0.0)
    for stay in let_in(crowd, limit, seed):
        got[stay.flow[0]] += max(0.0, min(stay.left, until) - min(stay.came, until))
    assert max(got.values()) - min(got.values()) <= 2 * limit * max(seconds), got
