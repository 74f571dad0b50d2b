"""Slots: taken in a coroutine, released by whoever did the work."""

from __future__ import annotations

import asyncio
import threading

import pytest

from daggr.engine.scheduling import Lease, Place, Slots

ONE = Place("one", 1)
FLOW = ("ada", "sheet", "job")


def at_once(slots: Slots, place: Place | None, flow: tuple[str, ...] = FLOW) -> Lease:
    """Take a slot that is free: without waiting, so no loop is needed."""
    with pytest.raises(StopIteration) as done:
        slots.take(place, flow).send(None)
    lease = done.value.value
    assert isinstance(lease, Lease)
    return lease


async def waiting(slots: Slots, place: Place, flow: tuple[str, ...] = FLOW) -> asyncio.Task[Lease]:
    """Somebody who waits for a slot."""
    task = asyncio.create_task(slots.take(place, flow))
    await settled()
    assert not task.done()
    return task


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_free_slot_is_taken_without_a_turn_of_the_loop() -> None:
    slots = Slots()
    leases = [at_once(slots, Place("three", 3)) for _ in range(3)]
    with pytest.raises(RuntimeError, match="no running event loop"):  # it would wait
        slots.take(Place("three", 3), FLOW).send(None)
    assert len({lease.id for lease in leases}) == 3


async def three_in_two() -> None:
    slots, two = Slots(), Place("two", 2)
    first, second = await slots.take(two, FLOW), await slots.take(two, FLOW)
    third = await waiting(slots, two)
    other = await slots.take(ONE, FLOW)  # another place is another matter
    second.release()
    (await asyncio.wait_for(third, 5)).release()
    first.release()
    other.release()
    assert not slots._rooms


def test_there_are_as_many_slots_as_the_limit_says() -> None:
    asyncio.run(three_in_two())


def test_a_node_without_a_limit_never_waits() -> None:
    slots = Slots()
    leases = [at_once(slots, None) for _ in range(100)]
    for lease in leases:
        with lease.held():
            lease.release()
    assert not slots._rooms


def test_releasing_again_frees_nobody_elses_slot() -> None:
    async def main() -> None:
        slots = Slots()
        first = await slots.take(ONE, FLOW)
        first.release()
        second = await slots.take(ONE, FLOW)
        first.release()
        third = await waiting(slots, ONE)
        first.release(3.0)
        await settled()
        assert not third.done()
        second.release()
        await asyncio.wait_for(third, 5)

    asyncio.run(main())


def test_a_slot_can_be_released_in_another_thread() -> None:
    async def main() -> None:
        slots = Slots()
        first = await slots.take(ONE, FLOW)
        second = await waiting(slots, ONE)
        threading.Timer(0.05, first.release).start()
        await asyncio.wait_for(second, 5)

    asyncio.run(main())


def test_who_is_stopped_while_waiting_leaves_the_line() -> None:
    async def main() -> None:
        slots = Slots()
        first = await slots.take(ONE, FLOW)
        stopped, patient = await waiting(slots, ONE), await waiting(slots, ONE)
        stopped.cancel()
        await settled()
        assert stopped.cancelled()
        first.release()
        (await asyncio.wait_for(patient, 5)).release()
        assert not slots._rooms

    asyncio.run(main())


@pytest.mark.parametrize("first_the_slot", [True, False])
def test_a_slot_that_comes_at_the_moment_of_the_stop_goes_to_the_next(first_the_slot: bool) -> None:
    async def main() -> None:
        slots = Slots()
        first = await slots.take(ONE, FLOW)
        stopped, patient = await waiting(slots, ONE), await waiting(slots, ONE)
        for act in (first.release, stopped.cancel)[:: 1 if first_the_slot else -1]:
            act()
        (await asyncio.wait_for(patient, 5)).release()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        assert not slots._rooms

    asyncio.run(main())


def test_a_slot_that_was_given_but_not_yet_taken_is_not_lost_with_a_stop() -> None:
    """The slot is given, the loop knows it, and then, before the task runs on, it is stopped."""

    async def main() -> None:
        slots = Slots()
        first = await slots.take(ONE, FLOW)
        stopped = await waiting(slots, ONE)
        first.release()
        await asyncio.sleep(0)  # its future is done now
        stopped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        assert not slots._rooms

    asyncio.run(main())


def test_a_click_is_next_after_sixty_four_of_somebody_else() -> None:
    async def main() -> None:
        slots, order = Slots(), list[str]()

        async def work(owner: str) -> None:
            lease = await slots.take(ONE, (owner, "sheet", "job"))
            order.append(owner)
            await asyncio.sleep(0)
            lease.release()

        first = await slots.take(ONE, ("ada", "sheet", "job"))
        tasks = [asyncio.create_task(work("ada")) for _ in range(64)]
        await settled()
        tasks.append(asyncio.create_task(work("bob")))
        await settled()
        first.release()
        await asyncio.gather(*tasks)
        assert order[0] == "bob"
        assert len(order) == 65

    asyncio.run(main())


def test_what_was_used_while_nobody_waited_is_not_held_against_anybody() -> None:
    """Who had the machine alone for an hour is not put last by who comes in its last second."""
    now = [0.0]

    async def main() -> None:
        slots = Slots(lambda: now[0])
        alone = await slots.take(ONE, ("ada", "sheet", "job"))
        now[0] = 3600.0
        scatter = [await waiting(slots, ONE, ("bob", "sheet", "job")) for _ in range(50)]
        click = await waiting(slots, ONE, ("ada", "sheet", "click"))
        now[0] += 1.0
        alone.release()
        served = 0
        while not click.done():
            await settled()
            for task in [task for task in scatter if task.done()]:
                scatter.remove(task)
                now[0] += 1.0
                served += 1
                task.result().release()
        assert served <= 3
        for task in scatter:
            task.cancel()

    asyncio.run(main())


def test_only_what_is_said_is_charged() -> None:
    """Such as the time that an app really worked, not that in which its answer was fetched."""
    now = [0.0]

    async def main() -> None:
        slots, order = Slots(lambda: now[0]), list[str]()
        first = await slots.take(ONE, ("eve", "sheet", "job"))
        tasks = {await waiting(slots, ONE, (owner, "sheet", "job")): owner for owner in "ab" * 40}
        first.release()
        while tasks:
            await settled()
            for task in [task for task in tasks if task.done()]:
                order.append(tasks.pop(task))
                now[0] += 10.0
                task.result().release(1.0 if order[-1] == "a" else None)
        assert order[:33].count("b") in (3, 4)

    asyncio.run(main())


def test_of_two_limits_for_one_place_the_lesser_counts() -> None:
    """While a script with another limit is being loaded, calls of both are there."""

    async def main() -> None:
        slots = Slots()
        first, second = await slots.take(Place("gpu", 3), FLOW), await slots.take(Place("gpu", 3), FLOW)
        careful = await waiting(slots, Place("gpu", 1))
        other = await waiting(slots, Place("gpu", 3))
        first.release()
        await settled()
        assert not careful.done()
        assert not other.done()
        second.release()
        (await asyncio.wait_for(careful, 5)).release()
        (await asyncio.wait_for(other, 5)).release()
        assert not slots._rooms

    asyncio.run(main())


def test_when_the_lesser_limit_goes_all_the_others_get_on() -> None:
    async def main() -> None:
        slots = Slots()
        first = await slots.take(Place("gpu", 3), FLOW)
        careful = await waiting(slots, Place("gpu", 1))
        others = [await waiting(slots, Place("gpu", 3)) for _ in range(2)]
        careful.cancel()
        for lease in await asyncio.wait_for(asyncio.gather(*others), 5):
            lease.release()
        first.release()
        assert not slots._rooms

    asyncio.run(main())
