"""Apps of early Gradio 4, which speak another protocol: through gradio_client, under the same rules."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client

from daggr import FnNode, GradioNode, Graph, NodeFailedError, RemoteError
from daggr.engine.engine import Engine
from daggr.engine.runners.base import Returned
from daggr.graph.graph import drawing_of
from daggr.testing.proxy import FaultProxy
from daggr.testing.web import Asked, Reply, Web, said
from tests.servers import Servers
from tests.unit.engine.remote import Watch, run, until
from tests.unit.engine.test_engine import call

APP = Path(__file__).parents[2] / "apps" / "older.py"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    servers = Servers(tmp_path_factory.mktemp("older"))
    yield servers.program(APP).url
    servers.stop()


def node(url: str, endpoint: str, **how: Any) -> GradioNode:
    return GradioNode(url, endpoint, name="node", outputs={"out": how.pop("component", None)}, **how)


def test_it_is_called_and_checked_like_any_other(engine: Engine, tmp_path: Path, older: str) -> None:
    upper = node(older, "upper", inputs={"some_text": gr.Textbox()})
    graph = Graph("Older", nodes=[upper])
    assert engine.check(drawing_of(graph)) == []
    assert call(engine, graph, tmp_path, node__some_text="abc") == {"node": {"out": "ABC"}}
    (error,) = engine.check(drawing_of(Graph("Wrong", nodes=[node(older, "upper", inputs={"some_txt": "x"})])))
    assert "'some_txt' -> 'some_text'" in error.message


def test_files_go_up_and_come_down_under_the_same_rules(engine: Engine, tmp_path: Path, older: str) -> None:
    make = FnNode(_made, name="make", inputs={"folder": str(tmp_path)}, outputs={"file": gr.File()})
    same = node(older, "same", inputs={"file": make.file}, component=gr.File())
    back = call(engine, Graph("Files", nodes=[same]), tmp_path)["node"]["out"]
    assert (Path(back).name, Path(back).read_text()) == ("made.txt", "made")
    with pytest.raises(NodeFailedError, match="takes a file"):
        run(node(older, "same"), file=str(tmp_path / "made.txt"))
    with pytest.raises(RemoteError):  # sent as it is; gradio_client by itself would have uploaded the file
        run(node(older, "same"), file={"path": str(tmp_path / "made.txt"), "meta": {"_type": "gradio.FileData"}})


def _made(folder: str) -> str:
    path = Path(folder) / "made.txt"
    path.write_text("made")
    return str(path)


def test_what_it_gives_meanwhile_is_shown(older: str) -> None:
    returned, watch = run(node(older, "slow"), steps=5)
    assert returned.values == {"out": "step 4"}
    assert {"out": "step 1"} in watch.partials
    assert watch.words


def test_its_errors_are_its_own_words(older: str) -> None:
    with pytest.raises(RemoteError, match=r"'node' failed: .* says: The older app refuses 'x'\.") as caught:
        run(node(older, "fail"), text="x")
    assert caught.value.where


def test_each_run_is_a_session_without_state_of_others(older: str) -> None:
    for word in ("one", "two"):
        returned, _ = run(node(older, "words"), word=word)
        assert returned.values == {"out": word}


def test_it_can_be_stopped(older: str) -> None:
    before = threading.active_count()

    async def stop(watch: Watch, task: asyncio.Task[Returned]) -> None:
        await until(lambda: watch.partials or task.done())
        task.cancel()

    started = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        run(node(older, "slow"), stop, steps=100)
    assert time.monotonic() - started < 3
    while threading.active_count() > before:  # nothing of it goes on
        time.sleep(0.05)
        assert time.monotonic() - started < 8


def test_only_the_app_is_told_of_the_call(older: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """gradio_client sends telemetry and the machine's token, if it is let."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.setenv("HF_TOKEN", "hf_plantedPlantedPlanted")
    asked: list[str] = []
    real = socket.getaddrinfo

    def noted(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(str(host))
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    monkeypatch.setattr(Client, "_telemetry_thread", lambda client: asked.append("its makers"))
    with FaultProxy(older) as proxy:
        run(node(proxy.url, "upper"), some_text="x")
    assert set(asked) <= {"127.0.0.1", "b'127.0.0.1'"}


def test_a_protocol_that_nobody_speaks(older: str) -> None:
    with FaultProxy(older) as proxy:
        proxy.fault("rewrite", path="/config", pattern=b'"sse"', body=b'"ws"')
        with pytest.raises(RemoteError, match="speaks the protocol 'ws', which neither daggr nor") as caught:
            run(node(proxy.url, "upper"), some_text="x")
    assert "version 4 or later" in caught.value.hint


def test_an_older_app_that_breaks_off(older: str) -> None:
    with FaultProxy(older) as proxy:
        proxy.fault("reset", path="/queue/join", after=10)
        with pytest.raises(RemoteError) as caught:
            run(node(proxy.url, "upper"), some_text="x")
        assert caught.value.retryable
        proxy.clear()
        proxy.fault("status", path="/queue/join", status=503, body=b"<html>busy</html>")
        with pytest.raises(RemoteError) as caught:
            run(node(proxy.url, "upper"), some_text="x")
        assert "<html" not in str(caught.value)


def test_an_event_of_an_older_app_that_makes_no_sense(older: str) -> None:
    with FaultProxy(older) as proxy:
        odd = b'"msg": "process_starts", "output": null'
        proxy.fault("rewrite", path="/queue/join", pattern=b'"msg": "process_starts"', body=odd)
        with pytest.raises(RemoteError, match="cannot be understood by gradio_client"):
            run(node(proxy.url, "upper"), some_text="x")


# ---------------------------------------------------------------- silence


def listening() -> set[threading.Thread]:
    """The threads of gradio_client."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")}


def gone_within(seconds: float, before: set[threading.Thread]) -> bool:
    end = time.monotonic() + seconds
    while listening() - before and time.monotonic() < end:
        time.sleep(0.05)
    return not listening() - before


def test_silence_of_an_older_app_ends_the_call(older: str) -> None:
    with FaultProxy(older) as proxy:
        proxy.fault("stall", path="/queue/join", after=10)
        before, started = listening(), time.monotonic()
        with pytest.raises(RemoteError, match=r"said nothing for 0\.5 s") as caught:
            run(node(proxy.url, "upper", idle_timeout=0.5), some_text="x")
        assert time.monotonic() - started < 5
        assert "idle_timeout=" in caught.value.hint
        assert gone_within(3, before)


@pytest.mark.parametrize("after", [0, 10])
def test_nobody_listens_to_a_silent_app_after_a_stop(older: str, after: int) -> None:
    async def stop(watch: Watch, task: asyncio.Task[Returned]) -> None:
        await until(lambda: proxy.count("/queue/join"))
        await asyncio.sleep(0.3)
        task.cancel()

    with FaultProxy(older) as proxy:
        proxy.fault("stall", path="/queue/join", after=after)
        before = listening()
        with pytest.raises(asyncio.CancelledError):
            run(node(proxy.url, "upper"), stop, some_text="x")
        assert gone_within(4, before)


# ---------------------------------------------------------------- whom it names


class Elsewhere(Web):
    """Another host, which is to be asked nothing."""

    def reply(self, asked: Asked) -> Reply:
        return said({"named_endpoints": {}, "unnamed_endpoints": {}})


class Naming(Web):
    """An older app that says, from some look at it on, that its routes are on another host."""

    def __init__(self, prefix: str, honest: int) -> None:
        super().__init__()
        self.prefix, self.honest = prefix, honest

    def reply(self, asked: Asked) -> Reply:
        if asked.path == "/config":
            self.honest -= 1
            prefix = "" if self.honest >= 0 else self.prefix
            predict = {"id": 0, "api_name": "predict", "inputs": [], "outputs": [], "backend_fn": True, "cancels": []}
            config = {"version": "4.0.2", "protocol": "sse", "app_id": 1, "components": [], "dependencies": [predict]}
            return said({**config, "api_prefix": prefix})
        if asked.path.endswith("/info"):
            return said({"named_endpoints": {"/predict": {"parameters": [], "returns": []}}, "unnamed_endpoints": {}})
        return said({"app_id": 1} if asked.path.endswith("/app_id") else {}, 404)


@pytest.mark.parametrize(
    ("honest", "message"), [(0, "in a way that daggr does not understand"), (1, "cannot be understood")]
)
@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_another_host_that_it_names_is_asked_nothing(honest: int, message: str, slashes: str) -> None:
    """Each request carries the token."""
    with Elsewhere() as elsewhere, Naming(f"{slashes}{elsewhere.url}/x", honest) as app:
        with pytest.raises(RemoteError, match=message):
            run(node(app.url, "predict", retries=0))
        assert elsewhere.requests == []
        assert len([one for one in app.requests if one.path == "/queue/join"]) == honest
