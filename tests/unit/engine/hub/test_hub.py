"""What the Hub says of Spaces and models, and what a person is told when it says no."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daggr import DaggrError, EndpointError, RemoteError
from daggr.engine.hub import hub as hubs
from daggr.engine.hub.hub import Hub, ModelInfo, Served, check_revision, patience
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.nodes.remote import Repo
from daggr.testing.hub import FakeHub
from daggr.testing.proxy import FaultProxy
from tests.unit.engine.hub.rooms import TOKEN, node


def ask(folder: Path | None, what: Callable[[Hub], Awaitable[Any]]) -> Any:
    """Ask a Hub that was just begun with."""

    async def asking() -> Any:
        worker = ThreadWorker()
        try:
            return await what(Hub(worker, folder))
        finally:
            worker.close()

    return asyncio.run(asking())


def test_a_model_is_told_with_its_task_and_who_serves_it(hub: FakeHub) -> None:
    model = hub.add_model("a/chat", tags=["conversational"], providers={"groq": "conversational"})
    found = ask(None, lambda asked: asked.model("a/chat", NOBODY))
    assert (found.id, found.sha, found.task, found.library) == ("a/chat", model.sha, "text-generation", "transformers")
    assert "conversational" in found.tags
    assert found.served == (Served("groq", "conversational", "live"),)


def test_many_who_ask_at_once_share_one_request_and_the_answer_stands(hub: FakeHub) -> None:
    hub.add_space("a/b", "http://127.0.0.1:1")

    async def many(asked: Hub) -> None:
        await asyncio.gather(*(asked.space("a/b", NOBODY) for _ in range(20)))
        await asked.space("a/b", Credential(ip_token="changes with every visit"))
        assert len(hub.requests) == 1
        await asked.space("a/b", NOBODY, fresh=True)
        assert len(hub.requests) == 2
        await asked.space("a/b", Credential(hub.token))
        assert len(hub.requests) == 3, "what somebody else sees may differ"

    ask(None, many)


def test_an_answer_gets_old(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    space = hub.add_space("a/b", "http://127.0.0.1:1")
    monkeypatch.setattr(hubs, "KEPT", 0.05)

    async def later(asked: Hub) -> None:
        await asked.space("a/b", NOBODY)
        space.commit({"app.py": b"new"})
        await asyncio.sleep(0.06)
        assert (await asked.space("a/b", NOBODY)).sha == space.sha
        assert asked.observed == {Repo("space", "a/b"): space.sha}

    ask(None, later)


def test_while_a_newer_commit_is_built_the_one_that_answers_counts(hub: FakeHub) -> None:
    def told(stage: str) -> str:
        runtime = {"stage": stage, "sha": "1" * 40}
        space = {"id": "a/b", "sha": "2" * 40, "subdomain": "a-b", "runtime": runtime}
        hub.fail("/api/", 200, json.dumps(space).encode())
        found = ask(None, lambda asked: asked.space("a/b", NOBODY))
        assert found.host == "https://a-b.hf.space"
        return str(found.sha)

    assert told("RUNNING_BUILDING") == "1" * 40
    assert told("BUILDING") == "2" * 40


def test_without_network_the_last_answer_stands(hub: FakeHub, tmp_path: Path) -> None:
    hub.add_space("a/b", "http://127.0.0.1:1")
    hub.add_model("a/m")
    model = ask(tmp_path, lambda asked: asked.model("a/m", NOBODY))
    space = ask(tmp_path, lambda asked: asked.space("a/b", NOBODY))
    hub.fail("/api/", 503, times=100)
    assert ask(tmp_path, lambda asked: asked.model("a/m", NOBODY)) == model
    assert ask(tmp_path, lambda asked: asked.space("a/b", NOBODY)) == space
    with pytest.raises(RemoteError):
        ask(tmp_path, lambda asked: asked.space("a/b", NOBODY, fresh=True))


def test_offline_mode_is_no_network(own_home: Path, tmp_path: Path) -> None:
    """Tests run with HF_HUB_OFFLINE=1."""
    with pytest.raises(RemoteError, match="HF_HUB_OFFLINE is set") as told:
        ask(tmp_path, lambda asked: asked.model("a/m", NOBODY, "app.py:3"))
    assert told.value.retryable
    assert told.value.where == "app.py:3"


@pytest.mark.parametrize("kept", ["{", "[1]", '{"name": "N", "document": {"id": "a/m"}}', "{'served': 3}"])
def test_a_damaged_answer_on_disk_is_none(hub: FakeHub, tmp_path: Path, kept: str) -> None:
    hub.add_model("a/m")
    ask(tmp_path, lambda asked: asked.model("a/m", NOBODY))
    (path,) = tmp_path.rglob("*.json")
    path.write_text(kept.replace('"N"', json.dumps(f"{hub.url} model a/m")))
    hub.fail("/api/", 500, times=1)
    with pytest.raises(RemoteError, match="500"):
        ask(tmp_path, lambda asked: asked.model("a/m", NOBODY))
    assert isinstance(ask(tmp_path, lambda asked: asked.model("a/m", NOBODY)), ModelInfo)


def refusal(hub: FakeHub, id: str, credential: Credential = NOBODY, kind: str = "model") -> DaggrError:
    with pytest.raises(DaggrError) as told:
        ask(None, lambda asked: getattr(asked, kind)(id, credential, "app.py:7"))
    assert told.value.where == "app.py:7"
    return told.value


def test_unknown_names(hub: FakeHub) -> None:
    told = refusal(hub, "a/none")
    assert isinstance(told, EndpointError)
    assert told.message == (
        "Model 'a/none' not found on Hugging Face Hub. "
        "Please check the model name is correct (format: 'username/model-name')."
    )
    assert "hf auth login" in told.hint
    assert refusal(hub, "a/none", kind="space").message == "Space 'a/none' not found on Hugging Face."
    assert isinstance(refusal(hub, "not a name/..", kind="space"), EndpointError)


def test_private_things_are_shown_to_their_owner_only(hub: FakeHub, tmp_path: Path) -> None:
    hub.add_space("ada/secret", "http://127.0.0.1:1", private=True)
    hub.add_user(other := "hf_testBobBobBobBobBob", "bob")
    ada = Credential("hf_testAdaAdaAdaAdaAdaAda")
    assert "hf auth login" in refusal(hub, "ada/secret", kind="space").hint
    told = refusal(hub, "ada/secret", Credential(other), kind="space")
    assert f"{hub.url}/spaces/ada/secret" in told.hint
    assert ask(tmp_path, lambda asked: asked.space("ada/secret", ada)).private
    hub.fail("/api/", 503, times=100)
    assert ask(tmp_path, lambda asked: asked.space("ada/secret", ada)).private
    for stranger in (NOBODY, Credential(other, personal=True)):
        with pytest.raises(RemoteError):
            ask(tmp_path, lambda asked, who=stranger: asked.space("ada/secret", who))


def test_a_visitors_private_things_are_not_kept_on_disk(hub: FakeHub, tmp_path: Path) -> None:
    hub.add_space("ada/secret", "http://127.0.0.1:1", private=True)
    ask(tmp_path, lambda asked: asked.space("ada/secret", Credential(hub.token, personal=True)))
    assert not list(tmp_path.rglob("*.json"))


def test_a_token_that_is_not_valid(hub: FakeHub) -> None:
    hub.add_model("a/m")
    told = refusal(hub, "a/m", Credential(TOKEN))
    assert isinstance(told, RemoteError), "what is known is shown all the same"
    assert "not valid" in told.message
    assert "hf auth login" in told.hint
    assert TOKEN not in str(told)


def test_gated_models_say_where_access_is_asked_for(hub: FakeHub) -> None:
    hub.fail("/api/models/a/m", 403, b"{}", {"X-Error-Code": "GatedRepo"})
    told = refusal(hub, "a/m")
    assert isinstance(told, EndpointError)
    assert f"{hub.url}/a/m" in told.hint
    hub.add_model("a/gated", gated=True)
    assert ask(None, lambda asked: asked.model("a/gated", NOBODY)).gated


def test_a_busy_hub_says_when_to_come_back(hub: FakeHub) -> None:
    hub.fail("/api/models/a/m", 429, json.dumps({"error": f"slow down, {TOKEN}"}).encode(), {"Retry-After": "7"})
    hub.add_user(TOKEN, "eve")
    told = refusal(hub, "a/m", Credential(TOKEN))
    assert isinstance(told, RemoteError)
    assert (told.retryable, told.retry_after) == (True, 7.0)
    assert TOKEN not in str(told)


def test_pages_are_not_quoted(hub: FakeHub) -> None:
    hub.fail("/api/models/a/m", 503, b"<html>Service Unavailable</html>")
    told = refusal(hub, "a/m")
    assert "answers 503" in told.message
    assert "<" not in str(told)


@pytest.fixture
def slow_hub(hub: FakeHub) -> Iterator[FaultProxy]:
    hub.add_model("a/m")
    with FaultProxy(hub.url) as proxy, hub.patched(through=proxy.url):
        yield proxy


def test_a_silent_hub_is_waited_for_as_long_as_the_node_may_and_once(slow_hub: FaultProxy) -> None:
    slow_hub.fault("black_hole")

    async def run(asked: Hub) -> None:
        began = time.monotonic()
        for checking in (True, False):
            with pytest.raises(RemoteError, match=r"does not answer within 0\.5 s"):
                await asked.model("a/m", NOBODY, within=0.5, checking=checking)
        assert time.monotonic() - began < 0.95
        slow_hub.clear()
        await asked.model("a/m", NOBODY, within=5, checking=True)

    ask(None, run)


def test_a_silent_hub_is_as_good_as_none_where_the_last_answer_is_known(slow_hub: FaultProxy, tmp_path: Path) -> None:
    ask(tmp_path, lambda asked: asked.model("a/m", NOBODY))
    slow_hub.fault("black_hole")
    assert ask(tmp_path, lambda asked: asked.model("a/m", NOBODY, within=0.3)).id == "a/m"


def test_a_node_waits_no_longer_for_the_hub_than_its_own_limits_say() -> None:
    assert patience(node("a/b")) == 10
    assert patience(node("a/b", timeout=3)) == 3
    assert patience(node("a/b", timeout=30, idle_timeout=2)) == 2


def test_an_answer_that_is_no_answer(hub: FakeHub) -> None:
    for body in (b"<html>", b"[]", b"{}", b"3"):
        hub.fail("/api/spaces/a/b", 200, body)
        assert isinstance(refusal(hub, "a/b", kind="space"), RemoteError)


def test_a_pin_holds_a_node_to_a_commit() -> None:
    pinned = node("a/b", revision="3f2c1ab")
    check_revision(pinned, "3f2c1ab" + "0" * 33)
    check_revision(node("a/b"), "9a1b2c3")
    with pytest.raises(EndpointError, match="Space 'a/b' is at 9a1b2c3, and pinned to 3f2c1ab") as told:
        check_revision(pinned, "9a1b2c3" + "0" * 33)
    assert "revision=" in told.value.hint
    assert told.value.where is not None
    with pytest.raises(EndpointError, match="does not tell"):
        check_revision(pinned, "")
