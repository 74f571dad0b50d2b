"""Spaces: woken up when they sleep, explained when they do not run, and asked with a token only they may see."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daggr import EndpointError, RemoteError
from daggr.engine.hub import catalogue as catalogues
from daggr.engine.hub import spaces
from daggr.engine.hub.hub import Kept
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.graph.nodes.remote import Repo
from daggr.testing.hub import FakeHub, FakeSpace
from tests.unit.engine.hub.rooms import SmallApp, node, opened


@pytest.fixture
def app() -> Iterator[SmallApp]:
    with SmallApp() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "EVERY", 0.05)
    monkeypatch.setattr(spaces, "LIMIT", 20.0)


def wakes(app: SmallApp, space: FakeSpace, *stages: str) -> threading.Thread:
    """As soon as the app is asked for anything, its Space goes through these stages."""

    def wake() -> None:
        while not app.requests:
            time.sleep(0.01)
        for stage in stages:
            space.stage = stage
            time.sleep(0.4)

    thread = threading.Thread(target=wake, daemon=True)
    thread.start()
    return thread


def test_a_space_is_called_where_the_hub_says(hub: FakeHub, app: SmallApp, tmp_path: Path) -> None:
    space = hub.add_space("owner/name", app.url)

    async def call() -> None:
        async with opened(tmp_path) as catalogue:
            spec = node("owner/name")
            await catalogue.check(spec, NOBODY)
            called = await catalogue.app(spec, Credential(hub.token, "an-ip-token"))
            assert called.source == "owner/name"
            assert called.headers["x-hf-authorization"] == f"Bearer {hub.token}"
            assert called.headers["x-ip-token"] == "an-ip-token"
            assert catalogue.soft(spec, NOBODY) == {"space owner/name": space.sha}

    asyncio.run(call())


def test_a_sleeping_space_is_woken_up_by_a_call(hub: FakeHub, app: SmallApp) -> None:
    space = hub.add_space("owner/name", app.url, stage="SLEEPING")
    waking = wakes(app, space, "BUILDING", "APP_STARTING", "RUNNING")
    said: list[list[str]] = [[], []]

    async def call() -> None:
        async with opened() as catalogue:
            first = asyncio.create_task(catalogue.app(node("owner/name"), NOBODY, said[0].append))
            await asyncio.sleep(0.15)
            second = asyncio.create_task(catalogue.app(node("owner/name"), NOBODY, said[1].append))
            assert (await first).endpoints == (await second).endpoints

    asyncio.run(call())
    waking.join()
    assert said[0][0] == "waking up owner/name…"
    assert "owner/name is starting…" in said[0]
    assert said[0][-1] == said[1][-1] == "", "nothing is waited for any more"
    assert len(said[1]) > 1, "who comes later is told, too"
    assert app.count("/config") == 1


def test_a_space_that_just_woke_up_is_given_a_moment(
    hub: FakeHub, app: SmallApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = hub.add_space("owner/name", app.url, stage="SLEEPING")
    app.status = 503
    waking = wakes(app, space, "RUNNING")

    async def call() -> None:
        async with opened() as catalogue:
            calling = asyncio.create_task(catalogue.app(node("owner/name"), NOBODY))
            await asyncio.sleep(0.5)
            assert app.count("/config"), "it was asked, and said that it is not ready"
            app.status = 200
            assert (await calling).endpoints

    asyncio.run(call())
    waking.join()


def test_at_launch_a_sleeping_space_is_woken_but_not_waited_for(hub: FakeHub, app: SmallApp) -> None:
    hub.add_space("owner/name", app.url, stage="SLEEPING")

    async def check() -> None:
        async with opened() as catalogue:
            await catalogue.check(node("owner/name"), NOBODY)

    began = time.monotonic()
    with pytest.raises(RemoteError, match="was asleep") as told:
        asyncio.run(check())
    assert time.monotonic() - began < 5
    assert told.value.retryable
    assert told.value.where is not None
    assert app.count("/") == 1


def test_waiting_has_an_end(hub: FakeHub, app: SmallApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "LIMIT", 0.3)
    hub.add_space("owner/name", app.url, stage="BUILDING")

    async def call() -> None:
        async with opened() as catalogue:
            await catalogue.app(node("owner/name"), NOBODY)

    with pytest.raises(RemoteError, match="is being built") as told:
        asyncio.run(call())
    assert told.value.retryable


@pytest.mark.parametrize("stage", sorted(spaces.GONE))
def test_a_space_that_does_not_run_says_why_and_what_to_do(hub: FakeHub, app: SmallApp, stage: str) -> None:
    hub.add_space("owner/name", app.url, stage=stage, error="No module named 'torch'")

    async def call(wait: bool) -> None:
        async with opened() as catalogue:
            await (catalogue.app if wait else catalogue.check)(node("owner/name"), NOBODY)

    for wait in (True, False):
        with pytest.raises((RemoteError, EndpointError), match="No module named 'torch'") as told:
            asyncio.run(call(wait))
        assert f"{hub.url}/spaces/owner/name" in told.value.hint
        assert told.value.where is not None
        assert not getattr(told.value, "retryable", False)
    assert not app.requests


def test_a_space_that_fails_while_it_wakes_up_is_not_waited_for(hub: FakeHub, app: SmallApp) -> None:
    space = hub.add_space("owner/name", app.url, stage="SLEEPING", error="CUDA is missing")
    wakes(app, space, "RUNTIME_ERROR")

    async def call() -> None:
        async with opened() as catalogue:
            await catalogue.app(node("owner/name"), NOBODY)

    with pytest.raises(RemoteError, match="has failed: CUDA is missing"):
        asyncio.run(call())


def test_a_private_space_says_how_to_log_in(hub: FakeHub, app: SmallApp) -> None:
    hub.add_space("ada/secret", app.url, private=True)

    async def call(credential: Credential) -> None:
        async with opened() as catalogue:
            await catalogue.app(node("ada/secret"), credential)

    with pytest.raises(EndpointError, match="Space 'ada/secret' not found on Hugging Face") as told:
        asyncio.run(call(NOBODY))
    assert "hf auth login" in told.value.hint
    asyncio.run(call(Credential(hub.token)))


def test_a_pinned_space_that_moved_on_is_not_called(
    hub: FakeHub, app: SmallApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogues, "SURE", 0.0)
    space = hub.add_space("owner/name", app.url)
    spec = node("owner/name", revision=space.sha[:10])

    async def call() -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(spec, NOBODY)
            await catalogue.app(spec, NOBODY)
            space.commit({"app.py": b"other"})
            app.app_id = "2"
            with pytest.raises(EndpointError, match=f"is at {space.sha[:7]}, and pinned to {spec.revision[:7]}"):
                await catalogue.app(spec, NOBODY)
            await catalogue.app(node("owner/name"), NOBODY)

    asyncio.run(call())


def test_a_hub_that_is_out_of_order_does_not_stop_calls_of_a_space_that_runs(
    hub: FakeHub, app: SmallApp, tmp_path: Path
) -> None:
    space = hub.add_space("owner/name", app.url)
    spec = node("owner/name")

    async def call() -> str:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(spec, NOBODY)
            await catalogue.app(spec, NOBODY)
            return catalogue.soft(spec, NOBODY).get("space owner/name", "")

    assert asyncio.run(call()) == space.sha
    hub.fail("/api/", 503, times=100)
    assert asyncio.run(call()) == space.sha
    app.app_id = "2"
    assert asyncio.run(call()) == "", "it was started anew, and nobody knows from which commit"


def test_a_copy_is_called_under_the_name_of_the_original(hub: FakeHub, app: SmallApp, tmp_path: Path) -> None:
    original = hub.add_space("owner/name", "http://127.0.0.1:1")
    hub.add_space("ada/name-3f2c1ab", app.url, private=True)
    spec = node("owner/name", revision="3f2c1ab")

    async def call() -> None:
        async with opened(tmp_path) as catalogue:
            catalogue.hub.instead[Repo("space", "owner/name")] = Kept("ada/name-3f2c1ab", "3f2c1ab" + "0" * 33)
            ada = Credential(hub.token)
            await catalogue.check(spec, ada)
            called = await catalogue.app(spec, ada)
            assert (called.source, called.url) == ("owner/name", f"{app.url}/gradio_api")
            assert catalogue.soft(spec, ada) == {"space owner/name": "3f2c1ab" + "0" * 33}
            visitor = Credential(hub.add_user("hf_testBobBobBobBob", "bob"), personal=True)
            original.url = app.url
            await catalogue.app(node("owner/name"), visitor)
            assert catalogue.soft(spec, visitor) == {"space owner/name": original.sha}, "who cannot see the copy"

    asyncio.run(call())


def test_a_space_whose_address_is_not_known_is_told_so(hub: FakeHub) -> None:
    hub.fail("/api/", 200, b'{"id": "owner/name", "runtime": {"stage": "RUNNING"}}')

    async def call() -> None:
        async with opened() as catalogue:
            await catalogue.app(node("owner/name"), NOBODY)

    with pytest.raises(RemoteError, match="does not say where"):
        asyncio.run(call())
