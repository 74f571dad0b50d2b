"""The Hub and inference providers that fail while an InferenceNode is at work: the fake Hub behind a proxy.

As with apps: a call ends in time with an error that says what to do, nothing of it is stored, nothing that may have
begun is asked again, and the next call is right.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daggr import Graph, InferenceNode, RemoteError
from daggr.engine.engine import Engine
from daggr.errors import DaggrError, RunTimeoutError
from daggr.graph.graph import drawing_of
from daggr.store.store import Store
from daggr.store.tables import RUNS
from daggr.testing.hub import FakeHub
from daggr.testing.proxy import FaultProxy
from tests.faults.invariants import violations
from tests.faults.test_remote import BROKEN, DEADLINE, REFUSED, SILENT, some

TOKEN = "hf_plantedTokenThatNobodyMaySee"
CHAT, TASK, MODEL = "/chat/completions$", "^/hf-inference/models/", "^/api/models/"
PLACES = {"the model's page": MODEL, "a chat": CHAT, "a task": TASK}


@dataclass
class Desk:
    """An engine, and models behind a proxy."""

    proxy: FaultProxy
    store: Store
    engine: Engine

    def call(self, place: str, **how: Any) -> Any:
        """What a model says: one that chats, or one that sums up."""
        id = "x/summer" if place == "a task" else "x/chat"
        inputs = {"text": "hello"} if place == "a task" else {"prompt": "hello"}
        node = InferenceNode(id, name="model", inputs=inputs, outputs={"said": None}, **how)
        program = self.engine.load(drawing_of(Graph("Asked", nodes=[node])))
        answer = self.engine.call(program, "local", {}, frozenset(program.drawing.nodes)).result(20)
        return self.store.load(answer.runs["model"].output("said"))

    def fails(self, place: str, **how: Any) -> DaggrError:
        """The error of a call."""
        with pytest.raises((RemoteError, RunTimeoutError)) as raised:
            self.call(place, **{"idle_timeout": DEADLINE, "connect_timeout": DEADLINE, **how})
        error = raised.value
        assert error.hint, f"does not say what to do: {error}"
        assert Path(__file__).name in str(error.where)
        assert "<html" not in str(error)
        assert TOKEN not in str(error)
        return error

    def check_nothing_stored(self) -> None:
        """No run is done, and the next call is right."""
        with self.store.read() as txn:
            assert not [run for _, run in txn.scan(RUNS) if run.status == "done"]
        self.proxy.clear()
        assert self.call("a chat") == "You said: hello"
        assert self.call("a task") == "in short"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with FakeHub() as hub, FaultProxy(hub.url) as proxy, hub.patched(through=proxy.url):
        hub.add_user(TOKEN, "ada")
        hub.add_model("x/chat", tags=["conversational"])
        hub.add_model("x/summer", task="summarization")
        with Store(tmp_path / "store") as store:
            engine = Engine(store)
            try:
                yield Desk(proxy, store, engine)
            finally:
                proxy.clear()
                engine.close()
        assert violations(tmp_path / "store", []) == []


@pytest.mark.parametrize(("place", "fault"), some(PLACES, BROKEN))
def test_a_connection_that_breaks(desk: Desk, place: str, fault: str) -> None:
    desk.proxy.fault(path=PLACES[place], **BROKEN[fault])
    desk.fails(place)
    assert time.monotonic() - desk.proxy.met[-1] < 0.2 * DEADLINE, "it waited for nothing"
    assert desk.proxy.count(f"{CHAT}|{TASK}", "POST") <= 1
    desk.check_nothing_stored()


@pytest.mark.parametrize(("place", "fault"), some(PLACES, SILENT))
def test_a_connection_that_goes_silent(desk: Desk, place: str, fault: str) -> None:
    desk.proxy.fault(path=PLACES[place], **SILENT[fault])
    desk.fails(place)
    assert time.monotonic() - desk.proxy.met[0] < 1.2 * DEADLINE
    assert desk.proxy.count(f"{CHAT}|{TASK}", "POST") <= 1
    desk.check_nothing_stored()


@pytest.mark.parametrize(("place", "fault"), some(PLACES, REFUSED))
def test_a_refusal_that_stays(desk: Desk, place: str, fault: str) -> None:
    desk.proxy.fault(path=PLACES[place], **REFUSED[fault])
    begun = time.monotonic()
    desk.fails(place, retries=1)
    assert time.monotonic() - begun < 2 * DEADLINE
    assert desk.proxy.count(f"{CHAT}|{TASK}", "POST") <= 2
    desk.check_nothing_stored()


@pytest.mark.parametrize("place", PLACES)
def test_the_nodes_own_deadline_holds_everywhere(desk: Desk, place: str) -> None:
    desk.proxy.fault("black_hole", path=PLACES[place])
    begun = time.monotonic()
    error = desk.fails(place, timeout=DEADLINE, idle_timeout=None, connect_timeout=None)
    assert time.monotonic() - begun < 1.2 * DEADLINE + 0.1
    assert isinstance(error, RunTimeoutError) or place == "the model's page"
    desk.check_nothing_stored()


def test_a_busy_provider_is_asked_again_when_it_says(desk: Desk) -> None:
    desk.call("a task")
    desk.proxy.clear()
    desk.proxy.fault("status", path=CHAT, status=429, times=2, headers={"Retry-After": "1"})
    begun = time.monotonic()
    assert desk.call("a chat") == "You said: hello"
    assert 2 <= time.monotonic() - begun < 3.5
    assert desk.proxy.count(CHAT) == 3


def test_a_slow_network_is_no_fault(desk: Desk) -> None:
    desk.proxy.fault("latency", seconds=0.3)
    assert desk.call("a chat") == "You said: hello"
