"""How a function is called: hooks, coroutines, generators, progress."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import FnNode, NodeFailedError
from daggr.engine.runners.base import Call
from daggr.engine.runners.function import execute
from daggr.engine.workers.usercode import UserCode
from daggr.graph.nodes.base import spec_of
from daggr.store.codecs.fileref import FilePath
from tests.unit.engine.calls import Watch, give, node

PROGRESS = gr.Progress()


# ---------------------------------------------------------------- functions and coroutines


def test_arguments_go_by_keyword_or_by_place() -> None:
    def both(first: int, /, second: int, *, third: int = 3) -> tuple[int, int, int]:
        return first, second, third

    @functools.wraps(both)
    def wrapped(*args: Any) -> Any:
        return both(*args)

    assert give(both, "a", "b", "c", first=1, second=2) == {"a": 1, "b": 2, "c": 3}
    assert give(wrapped, "a", "b", "c", first=1, second=2) == {"a": 1, "b": 2, "c": 3}
    assert give(lambda **rest: rest, x=1, y=2) == {"output": {"x": 1, "y": 2}}


def test_an_async_function_has_a_loop_of_its_own() -> None:
    async def both() -> tuple[str, int]:
        first, second = await asyncio.gather(asyncio.sleep(0, "one"), asyncio.to_thread(lambda: 2))
        return first, second

    assert give(both, "first", "second") == {"first": "one", "second": 2}


def test_what_is_returned_and_awaitable_is_awaited() -> None:
    async def later() -> int:
        return 7

    assert give(lambda: later()) == {"output": 7}
    assert give(functools.partial(later)) == {"output": 7}


def test_a_dict_or_a_list_is_one_value() -> None:
    assert give(lambda: {"b": 1}, "a", "b") == {"a": {"b": 1}, "b": None}
    assert give(lambda: [1, 2], "a", "b") == {"a": [1, 2], "b": None}


@pytest.mark.parametrize(
    ("returned", "note"),
    [
        ((1, 2, 3), ("returned 3 value(s) for 2 output port(s); the others were dropped",)),
        ((1,), ("returned 1 value(s) for 2 output port(s); the others are None",)),
        ((1, 2), ()),
    ],
)
def test_too_many_or_too_few_values_are_noted_once_with_both_counts(returned: Any, note: tuple[str, ...]) -> None:
    def chatty() -> Iterator[Any]:
        for _ in range(5):
            yield returned
            time.sleep(0.02)

    assert Watch(node(lambda: returned, "a", "b")).run().notes == note
    assert Watch(node(chatty, "a", "b")).run().notes == note


def test_hooks_wrap_the_function() -> None:
    doubling = node(
        lambda text: (text, len(text)),
        preprocess=lambda inputs: {"text": inputs["text"] * 2},
        postprocess=lambda text, size: f"{text}: {size}",
    )
    assert Watch(doubling, text="ab").run().values == {"output": "abab: 4"}


@pytest.mark.parametrize("which", ["preprocess", "postprocess"])
def test_what_a_hook_raises_is_the_nodes_failure(which: str) -> None:
    def bad(*_: Any) -> Any:
        raise LookupError("no such key")

    hooked = node(lambda: 1, name="hooked", **{which: bad})
    with pytest.raises(NodeFailedError, match=f"{which} of 'hooked' failed: LookupError: no such key") as failure:
        Watch(hooked).run()
    assert "in bad\n    raise LookupError" in failure.value.traceback


def test_a_preprocess_that_returns_no_dict_is_told_what_to_do() -> None:
    with pytest.raises(NodeFailedError, match="it must return the dict of inputs"):
        Watch(node(lambda: 1, preprocess=lambda inputs: None)).run()


def test_texts_are_what_came_in_but_not_the_paths_that_were_handed_out(tmp_path: Path) -> None:
    own = str(tmp_path / "in.png")
    given = {"text": "typed", "deep": [{"a": ("b", own)}], "path": FilePath("/else/where.png"), "number": 3}
    changing = node(lambda **_: None, preprocess=lambda inputs: inputs.clear() or inputs)
    assert Watch(changing, tmp_path, **given).run().texts == {"typed", "b"}


# ---------------------------------------------------------------- generators


def test_the_last_value_of_a_generator_is_the_result_and_the_first_is_shown_at_once() -> None:
    def count() -> Iterator[tuple[int, str]]:
        for number in range(4):
            yield number, "so far"
            time.sleep(0.06)

    watch = Watch(node(count, "number", "text"))
    assert watch.run().values == {"number": 3, "text": "so far"}
    assert watch.partials == [{"number": number, "text": "so far"} for number in range(4)]


def test_an_async_generator_streams_too() -> None:
    async def count() -> AsyncIterator[int]:
        for number in range(3):
            yield number
            await asyncio.sleep(0.06)

    watch = Watch(node(count))
    assert watch.run().values == {"output": 2}
    assert watch.partials == [{"output": 0}, {"output": 1}, {"output": 2}]


def test_a_fast_generator_is_shown_every_fifty_milliseconds_at_most() -> None:
    def fast() -> Iterator[int]:
        end = time.monotonic() + 0.4
        number = 0
        while time.monotonic() < end:
            number += 1
            yield number

    watch = Watch(node(fast))
    last = watch.run().values["output"]
    assert watch.partials[0] == {"output": 1}
    assert 3 <= len(watch.partials) <= 10 < last
    assert all(after - before > 0.03 for before, after in zip(watch.times, watch.times[1:], strict=False))


def test_what_comes_just_before_a_long_silence_is_shown() -> None:
    def loading() -> Iterator[list[str]]:
        said = ["loading"]
        yield said
        said.append("working")
        yield said
        said.append("never shown")
        time.sleep(0.3)
        yield ["done"]

    watch = Watch(node(loading))
    assert watch.run().values == {"output": ["done"]}
    assert watch.partials == [{"output": ["loading"]}, {"output": ["loading", "working"]}, {"output": ["done"]}]


def test_nothing_is_shown_after_the_end() -> None:
    def quick() -> Iterator[int]:
        yield from range(3)

    watch = Watch(node(quick))
    assert watch.run().values == {"output": 2}
    seen = len(watch.partials)
    time.sleep(0.12)
    assert len(watch.partials) == seen == 1


def test_partials_are_postprocessed_and_those_that_fail_are_left_out() -> None:
    def count() -> Iterator[int]:
        for number in range(4):
            yield number
            time.sleep(0.06)

    watch = Watch(node(count, postprocess=lambda number: 12 // (number - 1)))
    assert watch.run().values == {"output": 6}
    assert watch.partials == [{"output": -12}, {"output": 12}, {"output": 6}]  # that of 1 is a division by zero


def test_a_generator_that_yields_nothing() -> None:
    def silent() -> Iterator[int]:
        yield from ()

    def returning() -> Iterator[int]:
        yield from ()
        return 5

    def both() -> Iterator[int]:
        yield 1
        return 5

    def must_not_be_called(*_: Any) -> Any:
        raise AssertionError

    done = Watch(node(silent, "a", "b", postprocess=must_not_be_called)).run()
    assert (done.values, done.notes) == ({"a": None, "b": None}, ("yielded nothing; its outputs are None",))
    assert give(returning) == {"output": 5}
    assert give(both) == {"output": 1}


def test_what_cannot_be_shown_does_not_make_the_node_fail(caplog: pytest.LogCaptureFixture) -> None:
    def count() -> Iterator[int]:
        yield 1
        yield 2

    def broken(values: Mapping[str, Any]) -> None:
        raise OSError("the socket is gone")

    call = Call(spec_of(node(count)), {}, Path("/nowhere"), print, lambda *_: None, broken)
    assert execute(call, UserCode()).values == {"output": 2}
    assert "could not be shown" in caplog.text


# ---------------------------------------------------------------- progress


def test_progress_is_told_in_gradios_words() -> None:
    def work(text: str, progress: Any = PROGRESS) -> str:
        progress(0, desc="begin")
        progress(0.25)
        progress((3, 10), desc="reading", unit="pages")
        progress((4, None))
        progress(None)
        return text

    watch = Watch(FnNode(work), text="x")
    assert watch.run().values == {"output": "x"}
    assert watch.progress == [(0, "begin"), (0.25, ""), (0.3, "reading 3/10 pages"), (None, "4 steps"), (None, "")]


def test_progress_follows_loops() -> None:
    def work(progress: Any = PROGRESS) -> list[int]:
        seen = []
        for number in progress.tqdm([1, 2], desc="outer"):
            time.sleep(0.06)
            for other in progress.tqdm((n for n in (10, 20)), total=2, unit="items"):
                time.sleep(0.06)
                seen.append(number + other)
        return seen

    watch = Watch(FnNode(work))
    assert watch.run().values == {"output": [11, 21, 12, 22]}
    assert watch.progress[0] == (0.0, "outer 0/2 steps")
    assert (0.25, "outer 0/2 steps · 1/2 items") in watch.progress
    assert (0.75, "outer 1/2 steps · 1/2 items") in watch.progress
    assert watch.progress[-1] == (1.0, "outer 2/2 steps")


def test_progress_is_counted_by_hand_or_by_next() -> None:
    def work(progress: Any = PROGRESS) -> Any:
        progress.tqdm(None, total=4, desc="counting")
        for _ in range(4):
            time.sleep(0.06)
            progress.update(1)
        progress.tqdm(["a", "b"])
        return next(progress), next(progress), next(progress, "no more"), len(progress)

    watch = Watch(node(work, "a", "b", "c", "d"))
    assert watch.run().values == {"a": "a", "b": "b", "c": "no more", "d": 4}
    assert (0.5, "counting 2/4 steps") in watch.progress
    assert (1.0, "counting 4/4 steps") in watch.progress


def test_a_loop_of_many_steps_does_not_flood_the_engine() -> None:
    def work(progress: Any = PROGRESS) -> int:
        return sum(progress.tqdm(range(20_000)))

    watch = Watch(FnNode(work))
    assert watch.run().values == {"output": sum(range(20_000))}
    assert watch.progress[-1] == (1.0, "20000/20000 steps")
    assert len(watch.progress) < 100


def test_leaving_a_loop_early_ends_its_progress() -> None:
    def work(progress: Any = PROGRESS) -> None:
        for number in progress.tqdm(range(10)):
            if number:
                break
        time.sleep(0.06)
        for _ in progress.tqdm(["only"], desc="second"):
            pass

    watch = Watch(FnNode(work))
    watch.run()
    assert watch.progress[-1] == (1.0, "second 1/1 steps")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Gradio's patch opens /dev/null for each loop
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_of_tqdm_are_heard_where_the_script_asks_for_it() -> None:
    tqdm = pytest.importorskip("tqdm")
    before = {name: vars(tqdm.tqdm).get(name) for name in ("__init__", "update", "close", "__exit__", "__iter__")}
    try:
        tracking = gr.Progress(track_tqdm=True)

        def work(progress: Any = tracking) -> int:
            return sum(tqdm.tqdm(range(4), desc="library"))

        watch = Watch(FnNode(work))
        assert watch.run().values == {"output": 6}
    finally:
        for name, method in before.items():
            setattr(tqdm.tqdm, name, method)
    assert watch.progress[-1] == (1.0, "library 4/4 steps")


def test_a_progress_that_something_else_was_given_for_stays() -> None:
    assert give(lambda progress=PROGRESS: progress, progress="mine") == {"output": "mine"}
