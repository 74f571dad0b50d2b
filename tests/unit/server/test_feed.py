"""The feed, when the engine's news and the server's own looks cross each other."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from daggr.engine.engine import Engine
from daggr.engine.events import JobEnded, StepEvent, StepLogged, StepQueued, StepStarted
from daggr.graph.graph import drawing_of
from daggr.server.feed import Feed
from daggr.server.served import Served
from daggr.store.store import Store
from tests.unit.engine.graphs import chain
from tests.unit.server.test_sheets import Page


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["happens", "is told", "look"]), max_size=30))
def test_a_log_comes_whole_and_once_in_whatever_order_news_arrives(turns: list[str]) -> None:
    with Store(None) as store:
        engine = Engine(store)
        try:
            served = Served(engine, engine.load(drawing_of(chain())), "local")
            sheet = served.sheets.all()[0].id
            asyncio.run(_take_turns(engine, served.feed(sheet.hex()), sheet, turns))
        finally:
            engine.close()


async def _take_turns(engine: Engine, feed: Feed, sheet: bytes, turns: list[str]) -> None:
    page = Page(None)  # type: ignore[arg-type]
    stream = feed.listen("", -1)
    page.take(msgspec.to_builtins(await anext(stream)))
    untold: list[StepEvent] = []
    written = ""

    def happen(event: StepEvent) -> None:  # in the engine at once, in the server later
        engine.live(event)
        untold.append(event)

    happen(StepQueued("job", sheet, "shout"))
    happen(StepStarted("job", sheet, "shout", 1.0))
    for number, turn in enumerate(turns):
        if turn == "happens":
            written += f"{number}\n"
            happen(StepLogged("job", sheet, "shout", f"{number}\n"))
        elif turn == "is told" and untold:
            feed.take(untold.pop(0))
        elif turn == "look":
            feed.refresh()
    for event in untold:
        feed.take(event)
    feed.close()
    async for event in stream:
        page.take(msgspec.to_builtins(event))
    assert page.sheet["nodes"]["shout"]["log"] == written
    engine.live(JobEnded("job", sheet, ""))
