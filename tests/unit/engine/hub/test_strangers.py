"""What one caller, Hub or node must not do to another."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import EndpointError, Graph, InferenceNode, RunCancelledError
from daggr.engine.engine import Engine
from daggr.engine.hub.accounts import Accounts
from daggr.engine.hub.hub import Kept
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.remote import Repo
from daggr.store.store import Store
from daggr.testing.hub import Asked, FakeHub
from tests.serving import serving
from tests.unit.engine.hub.rooms import SmallApp, node, opened
from tests.unit.engine.making import PATIENCE

TOKEN = "hf_of_somebody_called_local"


def slow(hub: FakeHub, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Hub think about models for a while."""
    real = hub.reply

    def reply(asked: Asked) -> Any:
        if asked.path.startswith("/api/models"):
            time.sleep(seconds)
        return real(asked)

    monkeypatch.setattr(hub, "reply", reply)


def chat(prompt: str, **given: Any) -> Graph:
    inputs = {"prompt": gr.Textbox(value=prompt)}
    return Graph(
        "Chat", nodes=[InferenceNode("owner/chat", name="chat", inputs=inputs, outputs={"said": None}, **given)]
    )


def start(engine: Engine, graph: Graph, owner: str = "local", credential: Credential | None = None) -> Any:
    program = engine.load(drawing_of(graph))
    return engine.call(program, owner, {}, frozenset(program.drawing.nodes), credential=credential)


@pytest.fixture
def talking(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.add_model("owner/chat", tags=("conversational",))
    return hub


def test_somebody_called_local_on_the_hub_is_not_the_local_user(talking: FakeHub, tmp_path: Path) -> None:
    talking.add_user(TOKEN, "local")
    with serving(chat("Hi"), tmp_path / "store") as served:
        assert served.call(authorization=f"Bearer {TOKEN}").status_code == 200
        assert served.call().headers["x-daggr-cache"] == "miss"
        assert served.call(authorization=f"Bearer {TOKEN}").headers["x-daggr-cache"] == "hit"


def test_visitors_do_not_wait_for_each_other(engine: Engine, talking: FakeHub) -> None:
    def think(asked: Asked) -> str:
        time.sleep(1)
        return "yes"

    talking.answer("owner/chat", think)
    callers = [talking.add_user(f"hf_token_of_{name}_here", name) for name in ("anna", "bert", "carl")]
    began = time.monotonic()
    answers = [start(engine, chat("Hi"), token, Credential(token, personal=True)) for token in callers]
    for answer in answers:
        answer.result(PATIENCE)
    assert time.monotonic() - began < 2.5


def test_a_space_of_another_hub_is_another_space(tmp_path: Path) -> None:
    async def called(token: str) -> tuple[str, Any]:
        async with opened(tmp_path) as catalogue:
            app = await catalogue.app(node("o/app"), Credential(token))
            return app.url, app.headers

    with SmallApp() as first, SmallApp() as second, FakeHub() as one, FakeHub() as two:
        for hub, app, token in ((one, first, "hf_token_of_hub_one"), (two, second, "hf_token_of_hub_two")):
            hub.add_user(token, "u")
            hub.add_space("o/app", app.url)
        for hub, app, token in ((one, first, "hf_token_of_hub_one"), (two, second, "hf_token_of_hub_two")):
            with hub.patched():
                url, headers = asyncio.run(called(token))
            assert url.startswith(app.url)
            assert headers == {"x-hf-authorization": f"Bearer {token}"}


def test_a_copy_is_called_from_the_moment_it_stands_for_a_space(hub: FakeHub) -> None:
    async def main() -> list[str]:
        async with opened() as catalogue:
            before = (await catalogue.app(node("o/app"), NOBODY)).url
            catalogue.hub.instead[Repo("space", "o/app")] = Kept("me/app-abc", "a" * 40)
            return [before, (await catalogue.app(node("o/app"), NOBODY)).url]

    with SmallApp() as app, SmallApp() as copy:
        copy.app_id = "copy"
        hub.add_space("o/app", app.url)
        hub.add_space("me/app-abc", copy.url)
        before, after = asyncio.run(main())
        assert before.startswith(app.url)
        assert after.startswith(copy.url)


def test_the_impatience_of_one_node_is_not_the_others(hub: FakeHub) -> None:
    async def main(url: str) -> None:
        async with opened() as catalogue:
            hasty = asyncio.create_task(catalogue.check(node(url, timeout=0.3), NOBODY))
            assert (await catalogue.app(node(url), NOBODY)).url.startswith(url)
            assert "within 0.3 s" in str((await asyncio.gather(hasty, return_exceptions=True))[0])
            await catalogue.app(node(url), NOBODY)

    with SmallApp() as app:
        app.seconds = 1.0
        asyncio.run(main(app.url))


def test_an_error_is_an_error_when_the_hub_is_slow_too(
    talking: FakeHub, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(prompt: str) -> Any:
        engine = Engine(store, cache=tmp_path, policy="error")
        try:
            return start(engine, chat(prompt, timeout=5)).result(PATIENCE)
        finally:
            engine.close()

    run("first")
    talking.models["owner/chat"].sha = "f" * 40
    slow(talking, 0.8, monkeypatch)
    with pytest.raises(EndpointError, match="→ fffffff"):
        run("second")


def test_stop_reaches_what_is_still_being_looked_up(
    engine: Engine, talking: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(talking, 4, monkeypatch)
    future = start(engine, chat("Hi"))
    time.sleep(0.3)
    (job,) = engine._jobs
    began = time.monotonic()
    assert engine.stop(job)
    with pytest.raises(RunCancelledError):
        future.result(PATIENCE)
    assert time.monotonic() - began < 2


def test_a_token_is_asked_about_once(hub: FakeHub) -> None:
    async def main() -> list[str]:
        accounts = Accounts(ThreadWorker())
        asked = [Credential(hub.token, f"ip-token-number-{number}", personal=True) for number in range(20)]
        return await asyncio.gather(*map(accounts.name, asked))

    assert len(set(asyncio.run(main()))) == 1
    assert len(hub.asked("whoami")) == 1
