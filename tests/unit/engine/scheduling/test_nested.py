"""Functions that run graphs: they hold a slot while what they ask for wants one."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from daggr.engine.scheduling import Lease, Place, Slots
from tests.simulation.loop import SimLoop, Stuck
from tests.unit.engine.scheduling.test_slots import settled, waiting

SESSION = Place("session ada", 1)
FLOW = ("ada", "sheet", "job")


async def function(
    slots: Slots, place: Place, flow: tuple[str, ...], body: Callable[[Lease], Awaitable[object]]
) -> None:
    """A function in its slot. What it calls is called in the context of its slot, as in a thread of its own."""
    lease = await slots.take(place, flow)
    try:
        with lease.held():
            await asyncio.create_task(_coroutine(body(lease)))
    finally:
        lease.release()


async def _coroutine(awaitable: Awaitable[object]) -> None:
    await awaitable


def run(main: Coroutine[Any, Any, None]) -> None:
    """To the end; what waits for ever is an error."""
    SimLoop(1).run(main)


def test_a_nested_call_does_not_wait_for_its_caller() -> None:
    slots, seen = Slots(), list[str]()

    async def inner(lease: Lease) -> None:
        seen.append("inner")

    async def outer(lease: Lease) -> None:
        await function(slots, SESSION, FLOW, inner)
        seen.append("outer")

    run(function(slots, SESSION, FLOW, outer))
    assert seen == ["inner", "outer"]
    assert not slots._rooms


def test_nor_does_one_that_is_nested_deeper() -> None:
    slots, deepest = Slots(), list[int]()

    async def call(depth: int) -> None:
        async def body(lease: Lease) -> None:
            deepest.append(depth)
            if depth < 5:
                await call(depth + 1)

        await function(slots, SESSION, FLOW, body)

    run(call(1))
    assert deepest == [1, 2, 3, 4, 5]
    assert not slots._rooms


def test_the_nested_calls_of_one_function_run_one_at_a_time() -> None:
    slots, running = Slots(), list[int]([0, 0])

    async def inner(lease: Lease) -> None:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(1)
        running[0] -= 1

    async def outer(lease: Lease) -> None:
        await asyncio.gather(*[function(slots, SESSION, FLOW, inner) for _ in range(4)])

    run(function(slots, SESSION, FLOW, outer))
    assert running == [0, 1]


def test_another_user_still_waits_for_the_caller() -> None:
    async def main() -> None:
        slots, gpu = Slots(), Place("group gpu", 1)
        outer = await slots.take(gpu, FLOW)
        with outer.held():
            inner = await slots.take(gpu, FLOW)
        other = await waiting(slots, gpu, ("bob", "sheet", "job"))
        inner.release()
        await settled()
        assert not other.done()
        outer.release()
        (await other).release()

    run(main())


def test_a_nested_call_waits_for_the_limits_of_others() -> None:
    """The caller holds its session's slot; the group is as full for it as for anybody."""

    async def main() -> None:
        slots, gpu = Slots(), Place("group gpu", 1)
        busy = await slots.take(gpu, ("bob", "sheet", "job"))
        outer = await slots.take(SESSION, FLOW)
        with outer.held():
            inner = await waiting(slots, gpu)
        busy.release()
        (await inner).release()
        outer.release()
        assert not slots._rooms

    run(main())


def test_a_caller_that_has_ended_lends_nothing() -> None:
    """A function may leave a thread behind, with its context, that runs graphs later on."""

    async def main() -> None:
        slots = Slots()
        outer = await slots.take(SESSION, FLOW)
        with outer.held():
            left_behind = contextvars.copy_context()
        outer.release()
        other = await slots.take(SESSION, FLOW)
        task = left_behind.run(asyncio.ensure_future, slots.take(SESSION, FLOW))
        await settled()
        assert not task.done()
        other.release()
        (await task).release()

    run(main())


def test_the_context_goes_with_a_call_from_a_thread() -> None:
    """As `graph.run` in a function does: from the worker's thread into the engine's loop."""

    async def main() -> None:
        slots, loop = Slots(), asyncio.get_running_loop()
        outer = await slots.take(SESSION, FLOW)

        def work() -> None:
            with outer.held():
                asyncio.run_coroutine_threadsafe(slots.take(SESSION, FLOW), loop).result(5).release()
            outer.release()

        await asyncio.wait_for(asyncio.to_thread(work), 10)
        assert not slots._rooms

    asyncio.run(main())


@pytest.mark.parametrize("members", [2, 3, 5])
@pytest.mark.parametrize("limit", [1, 2])
def test_callers_do_not_wait_for_each_other_in_a_circle(members: int, limit: int) -> None:
    """Each holds a slot of its group, and wants one of the next."""
    for seed in range(30):
        loop = SimLoop(seed)
        slots, ended = Slots(loop.time), list[int]()
        groups = [Place(f"group {number}", limit) for number in range(members)]

        def call(number: int, slots: Slots = slots, groups: list[Place] = groups, ended: list[int] = ended) -> Any:
            async def inner(lease: Lease) -> None:
                await asyncio.sleep(1)

            async def outer(lease: Lease) -> None:
                await asyncio.sleep(1)
                await function(slots, groups[(number + 1) % members], FLOW, inner)
                ended.append(number)

            return function(slots, groups[number % members], FLOW, outer)

        async def main(call: Callable[[int], Any] = call) -> None:
            await asyncio.gather(*[call(number) for number in range(members * limit * 2)])

        loop.run(main())
        assert len(ended) == members * limit * 2
        assert not slots._rooms


def test_a_circle_would_be_seen() -> None:
    """The tests above can fail: the same without the contexts of the callers never ends."""
    slots, groups = Slots(), [Place("a", 1), Place("b", 1)]

    async def call(own: Place, other: Place) -> None:
        await slots.take(own, FLOW)
        await asyncio.sleep(1)
        await slots.take(other, FLOW)

    async def main() -> None:
        await asyncio.gather(call(*groups), call(*reversed(groups)))

    with pytest.raises(Stuck):
        run(main())


def test_a_slot_beyond_the_limit_is_given_only_in_a_circle() -> None:
    """Both callers in the group wait; one of them for something that somebody is busy with."""

    async def main() -> None:
        slots, gpu, app = Slots(), Place("group gpu", 2), Place("app x", 1)
        busy = await slots.take(app, ("eve", "sheet", "job"))
        first, second = await slots.take(gpu, FLOW), await slots.take(gpu, FLOW)
        outer = await slots.take(SESSION, FLOW)
        with first.held():
            wants_app = await waiting(slots, app)
        with outer.held():
            wants_gpu = await waiting(slots, gpu)  # second is at work
        second.release()
        (await wants_gpu).release()
        busy.release()
        (await wants_app).release()
        first.release()
        outer.release()
        assert not slots._rooms

    run(main())


@pytest.mark.parametrize("stopped", [True, False])
def test_a_caller_that_waited_once_does_not_count_as_waiting_for_ever(stopped: bool) -> None:
    async def main() -> None:
        slots, gpu, app = Slots(), Place("group gpu", 1), Place("app x", 1)
        busy = await slots.take(app, ("eve", "sheet", "job"))
        first = await slots.take(gpu, FLOW)
        with first.held():
            wants_app = await waiting(slots, app)
        if stopped:
            wants_app.cancel()
            await settled()
        busy.release()
        await settled()
        outer = await slots.take(SESSION, FLOW)
        with outer.held():
            wants_gpu = await waiting(slots, gpu)  # first is at work again
        first.release()
        (await wants_gpu).release()

    run(main())
