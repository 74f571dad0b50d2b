"""A Stop comes up in user code, and nowhere else."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from daggr.engine.workers.handle import Stopped
from daggr.engine.workers.usercode import UserCode

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def spin(steps: int) -> int:
    for _ in range(steps):
        pass
    return steps


def engine_code(steps: int) -> int:
    """What runs before and after the user's."""
    return sum(spin(7) for _ in range(steps))


class Racing(threading.Thread):
    """One thread that does task after task, as a worker's does."""

    def __init__(self, seed: int) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.over = False
        self.now: UserCode | None = None
        self.wrong: list[str] = []
        self.stopped = self.done = 0

    def run(self) -> None:
        while not self.over:
            user = UserCode()
            place = "outside"
            try:
                self.now = user
                place = "outside, before"
                engine_code(3)
                place = "at the block"
                try:
                    with user.code():
                        spin(self.random.randrange(2000))
                    place = "outside, after"
                    self.done += 1
                except Stopped:
                    place = "outside, stopped"
                    self.stopped += 1
                engine_code(20)
                user.end()
                place = "outside, between tasks"
                engine_code(10)
            except Stopped:
                self.wrong.append(place)


@pytest.mark.parametrize("seed", range(4))
def test_a_stop_never_lands_outside_of_the_block(seed: int) -> None:
    thread = Racing(seed)
    thread.start()
    chance, cancels, last = random.Random(seed), 0, None
    until = time.monotonic() + 10
    while cancels < 500 and thread.is_alive() and time.monotonic() < until:
        user = thread.now
        if user is not None and user is not last:
            last = user
            cancels += 1
            for _ in range(chance.randrange(1, 5)):
                user.interrupt()
        time.sleep(chance.random() * 100e-6)
    thread.over = True
    thread.join(10)
    assert not thread.wrong
    assert cancels > 50, "it did not race"


def test_what_is_aside_is_whole_and_a_stop_comes_after_it() -> None:
    for _ in range(300):
        user, went = UserCode(), threading.Event()
        steps: list[str] = []

        def work(user: UserCode = user, went: threading.Event = went, steps: list[str] = steps) -> None:
            try:
                with user.code():
                    went.set()
                    while True:
                        with user.aside():
                            steps.append("in")
                            spin(20)
                            steps.append("out")
            except Stopped:
                engine_code(5)
                user.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        went.wait()
        while thread.is_alive():
            user.interrupt()
            thread.join(0.001)
        assert steps.count("in") == steps.count("out")


def test_aside_does_nothing_outside_of_user_code_and_in_other_threads() -> None:
    user = UserCode()
    user.interrupt()
    with user.aside():
        pass
    assert user.stopped
    with pytest.raises(Stopped), user.code():
        pass

    other = UserCode()
    told: list[bool] = []

    def tell() -> None:
        with other.aside():
            other.interrupt()
            told.append(True)

    thread = threading.Thread(target=tell)
    with pytest.raises(Stopped), other.code():  # noqa: PT012
        thread.start()
        thread.join()
        spin(10**9)
    assert told == [True]


def test_a_callback_that_comes_too_late_is_called_at_once() -> None:
    user, told = UserCode(), []
    user.stop()
    user.on_stop(lambda: told.append(True))()
    assert told == [True]


def stopped_in(name: str) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that raises Stopped at the first instruction of a function, once, as another thread might."""
    raised: list[bool] = []

    def trace(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == name and not raised:
            raised.append(True)
            raise Stopped

    return trace


def test_a_stop_while_the_block_is_being_left_is_swallowed() -> None:
    user = UserCode()
    before = sys.gettrace()
    try:
        with user.code():
            sys.settrace(stopped_in("_leave"))
        left = True
    finally:
        sys.settrace(before)
    user.interrupt()
    assert left
    assert engine_code(100)


def test_a_stop_at_the_first_instruction_of_leaving_is_the_last() -> None:
    user, wrong = UserCode(), []
    left = threading.Event()

    def swallow() -> None:
        try:
            user.interrupt()
            spin(10**9)
        except Stopped:
            pass

    def work() -> None:
        try:
            with user.code():
                swallow()
                sys.settrace(stopped_in("__exit__"))
        except Stopped:
            sys.settrace(None)
            left.set()
        try:
            engine_code(5000)
        except Stopped:
            wrong.append("after the block")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert left.wait(10)
    while thread.is_alive():
        user.interrupt()
        thread.join(0.001)
    assert not wrong


TRACED = """
import sys, threading, time
from daggr.engine.workers.handle import Stopped
from daggr.engine.workers.usercode import UserCode

def spin():
    try:
        while True:
            pass
    except Stopped:
        pass

def traced():
    return sum(range(3))

for number in range(50):
    user = UserCode()
    with user.code(), user.aside():
        pass
    user.end()
    user = UserCode()
    begun = threading.Event()
    def work():
        try:
            with user.code():
                begun.set()
                spin()
                with user.aside():
                    pass
                time.sleep(0.002)
        except Stopped:
            pass
        user.end()
    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    while thread.is_alive():
        user.interrupt()
        thread.join(0.001)
    sys.settrace(lambda *_: None)
    traced()
    sys.settrace(None)
print("done")
"""


def test_a_debugger_works_after_a_stop() -> None:
    """Python 3.11 hung in whatever was traced after an exception had been taken back."""
    run = subprocess.run(
        [sys.executable, "-c", TRACED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout, run.stderr) == ("done\n", "")
