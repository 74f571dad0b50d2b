"""Work in threads: its result, what it prints, and how it is stopped."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from daggr.engine.capture import printing_to
from daggr.engine.workers.handle import Raised, Stopped
from daggr.engine.workers.thread import ThreadWorker
from daggr.engine.workers.usercode import UserCode


@pytest.fixture
def worker() -> Iterator[ThreadWorker]:
    worker = ThreadWorker()
    yield worker
    worker.close()


def quiet(text: str) -> None:
    """A log that nobody reads."""


def user(function: Callable[[], Any]) -> Callable[[UserCode], Any]:
    """A task that is nothing but user code."""

    def work(user: UserCode) -> Any:
        with user.code():
            return function()

    return work


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("daggr-fn")]


async def begun(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


class Spin:
    """User code that runs until it is stopped, and tells that it has begun."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.left = threading.Event()

    def __call__(self) -> None:
        try:
            self.begun.set()
            while True:
                pass
        finally:
            self.left.set()


async def test_the_result_is_what_the_work_returned(worker: ThreadWorker) -> None:
    assert await worker.submit(user(lambda: 42), quiet).result() == 42


async def test_an_error_arrives_as_it_is(worker: ThreadWorker) -> None:
    handle = worker.submit(user(lambda: {}["key"]), quiet)
    for _ in range(2):
        with pytest.raises(KeyError, match="key"):
            await handle.result()


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), StopIteration(1), StopAsyncIteration(), asyncio.CancelledError()]
)
async def test_what_would_harm_the_loop_arrives_wrapped(worker: ThreadWorker, error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(Raised) as raised:
        await worker.submit(user(fail), quiet).result()
    assert raised.value.error is error


async def test_context_variables_reach_the_work(worker: ThreadWorker) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("mine")
    other = contextvars.copy_context()
    other.run(variable.set, "other")
    assert await worker.submit(user(variable.get), quiet).result() == "mine"
    assert await worker.submit(user(variable.get), quiet, other).result() == "other"


async def test_threads_are_used_again_and_end_when_idle() -> None:
    worker = ThreadWorker(idle_seconds=0.2)
    seen = {await worker.submit(user(threading.get_ident), quiet).result() for _ in range(20)}
    assert len(seen) == 1
    thread = next(thread for thread in threading.enumerate() if thread.ident in seen)
    thread.join(5)
    assert not thread.is_alive()
    assert await worker.submit(user(lambda: "again"), quiet).result() == "again"
    worker.close()


async def test_a_worker_that_is_closed_leaves_no_thread() -> None:
    worker = ThreadWorker()
    gate = threading.Event()
    handle = worker.submit(user(gate.wait), quiet)
    idle = await worker.submit(user(threading.current_thread), quiet).result()
    worker.close()
    idle.join(5)
    gate.set()
    await handle.result()
    deadline = time.monotonic() + 5
    while threads_of_ours() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert not threads_of_ours()


async def test_a_hundred_tasks_run_at_once(worker: ThreadWorker) -> None:
    together = threading.Barrier(100)
    await asyncio.gather(*(worker.submit(user(lambda: together.wait(20)), quiet).result() for _ in range(100)))


async def test_prints_of_two_tasks_are_not_mixed(worker: ThreadWorker, capsys: pytest.CaptureFixture[str]) -> None:
    together = threading.Barrier(2)
    logs: dict[str, list[str]] = {"one": [], "two": []}

    def talk(name: str) -> None:
        for _ in range(50):
            together.wait(10)
            print(name)
            print(name, file=sys.stderr)
            sys.stdout.writelines([name, "\n"])

    await asyncio.gather(*(worker.submit(user(lambda n=n: talk(n)), log.append).result() for n, log in logs.items()))
    for name, log in logs.items():
        assert "".join(log) == f"{name}\n" * 150
    assert capsys.readouterr().out.count("one") == 100


async def test_bytes_pass_through_and_are_not_logged(
    worker: ThreadWorker, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log: list[str] = []

    def write() -> None:
        sys.stdout.flush()
        sys.stdout.buffer.write(b"\xff\n")
        sys.stdout.buffer.flush()
        print("text")

    await worker.submit(user(write), log.append).result()
    sys.stdout.flush()
    assert b"\xff\ntext" in capfdbinary.readouterr().out
    assert "".join(log) == "text\n"


async def test_user_code_may_put_a_stream_of_its_own_in_place(worker: ThreadWorker) -> None:
    log: list[str] = []

    class Twice:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def write(self, text: str) -> int:
            self.inner.write(text)
            return len(text)

        def flush(self) -> None:
            self.inner.flush()

    def play() -> str:
        with redirect_stdout(io.StringIO()) as kept:
            print("mine")
        before, sys.stdout = sys.stdout, Twice(sys.stdout)  # type: ignore[assignment]
        try:
            with printing_to(log.append):  # as the next task would
                print("seen once")
        finally:
            sys.stdout = before
        return kept.getvalue()

    assert await worker.submit(user(play), log.append).result() == "mine\n"
    assert "".join(log) == "seen once\n"


async def test_the_flag_and_the_callbacks_come_at_once(worker: ThreadWorker) -> None:
    started, told = threading.Event(), threading.Event()

    def work(user: UserCode) -> bool:
        forgotten = user.on_stop(lambda: told.set() or pytest.fail("it was removed"))
        forgotten()
        user.on_stop(told.set)
        started.set()
        return told.wait(10) and user.stopped

    handle = worker.submit(work, quiet)
    await begun(started)
    before = time.monotonic()
    assert await handle.cancel() == "stopped"
    assert time.monotonic() - before < 1
    assert await handle.result() is True
    assert await handle.cancel() == "stopped"


async def test_a_loop_is_stopped_after_the_grace(worker: ThreadWorker) -> None:
    spin = Spin()
    handle = worker.submit(user(spin), quiet)
    await begun(spin.begun)
    before = time.monotonic()
    assert await handle.cancel(0.3) == "stopped"
    assert 0.3 <= time.monotonic() - before < 1.3
    with pytest.raises(Raised) as raised:
        await handle.result()
    assert isinstance(raised.value.error, Stopped)
    assert spin.left.is_set()


async def test_a_loop_that_prints_is_stopped_where_it_prints(worker: ThreadWorker) -> None:
    whole: list[bool] = []
    started = threading.Event()

    def slow(text: str) -> None:
        whole.append(False)
        started.set()
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            pass
        whole[-1] = True

    def talk() -> None:
        while True:
            print(".", end="", file=sys.stderr)

    handle = worker.submit(user(talk), slow)
    await begun(started)
    assert await handle.cancel(0.0) == "stopped"
    assert all(whole), "the log was interrupted"


async def test_code_that_swallows_a_stop_is_told_again(worker: ThreadWorker) -> None:
    started, swallowed = threading.Event(), []

    def stubborn() -> None:
        started.set()
        while len(swallowed) < 3:
            try:
                while True:
                    pass
            except BaseException as error:  # noqa: BLE001
                swallowed.append(error)

    handle = worker.submit(user(stubborn), quiet)
    await begun(started)
    assert await handle.cancel(0.0) == "stopped"
    assert [type(error) for error in swallowed] == [Stopped] * 3


async def test_cleaning_up_is_not_interrupted_by_its_own_prints(worker: ThreadWorker) -> None:
    started, log = threading.Event(), []

    def tidy() -> None:
        try:
            started.set()
            while True:
                pass
        finally:
            print("tidying")
            print("tidied")

    handle = worker.submit(user(tidy), log.append)
    await begun(started)
    assert await handle.cancel(0.0) == "stopped"
    assert "".join(log) == "tidying\ntidied\n"


async def test_a_sleeping_thread_is_abandoned_and_tells_its_end_later(worker: ThreadWorker) -> None:
    started, ends = threading.Event(), []

    def sleep() -> None:
        started.set()
        time.sleep(2.5)

    handle = worker.submit(user(sleep), quiet)
    handle.on_end(lambda: ends.append(time.monotonic()))
    await begun(started)
    before = time.monotonic()
    assert await handle.cancel(0.2) == "abandoned"
    assert 1.1 <= time.monotonic() - before < 2
    assert not ends
    with pytest.raises(Raised):
        await handle.result()
    assert len(ends) == 1
    assert ends[0] - before > 2
    handle.on_end(lambda: ends.append(0.0))
    assert len(ends) == 2


async def test_a_stop_goes_on_when_nobody_waits_for_it(worker: ThreadWorker) -> None:
    spin = Spin()
    handle = worker.submit(user(spin), quiet)
    await begun(spin.begun)
    waiting = asyncio.ensure_future(handle.cancel(0.1))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(Raised):
        await asyncio.wait_for(handle.result(), 5)


async def test_who_stops_waiting_does_not_stop_the_work(worker: ThreadWorker) -> None:
    gate = threading.Event()
    handle = worker.submit(user(gate.wait), quiet)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(handle.result(), 0.05)
    assert not handle.ended
    gate.set()
    assert await handle.result() is True


async def test_no_user_code_begins_after_a_stop(worker: ThreadWorker) -> None:
    started, gate, ran = threading.Event(), threading.Event(), []

    def work(user: UserCode) -> None:
        started.set()
        gate.wait(10)
        with user.code():
            ran.append(True)

    handle = worker.submit(work, quiet)
    await begun(started)
    ladder = asyncio.ensure_future(handle.cancel())
    await asyncio.sleep(0.05)
    gate.set()
    assert await ladder == "stopped"
    assert not ran


async def test_an_end_that_fails_harms_nobody(worker: ThreadWorker, caplog: pytest.LogCaptureFixture) -> None:
    gate, ends = threading.Event(), []
    handle = worker.submit(user(gate.wait), quiet)
    handle.on_end(lambda: 1 / 0)
    handle.on_end(lambda: ends.append(True))
    gate.set()
    assert await handle.result() is True
    assert ends == [True]
    assert "ZeroDivisionError" in caplog.text


def test_a_task_takes_little_beyond_its_function() -> None:
    """A bare round trip through a queue to a thread and back to the loop takes about 28 µs here, this about 5 more."""

    async def bare(count: int) -> float:
        loop = asyncio.get_running_loop()
        before = timeit.default_timer()
        for _ in range(count):
            await asyncio.to_thread(int)
        del loop
        return timeit.default_timer() - before

    async def ours(count: int) -> float:
        worker = ThreadWorker()
        before = timeit.default_timer()
        for _ in range(count):
            await worker.submit(lambda user: 0, quiet).result()
        took = timeit.default_timer() - before
        worker.close()
        return took

    figures = [(asyncio.run(ours(500)), asyncio.run(bare(500))) for _ in range(5)]
    assert min(own for own, _ in figures) < min(peer for _, peer in figures), figures
