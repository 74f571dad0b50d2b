"""The catalogue: apps are asked once, side by side, and what was known before never makes a node wrong."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daggr import EndpointError, RemoteError
from daggr.engine.hub import catalogue as catalogues
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.testing.hub import FakeHub
from daggr.testing.proxy import FaultProxy
from tests.servers import Server
from tests.unit.engine.hub.rooms import TOKEN, SmallApp, node, opened


@pytest.fixture
def app() -> Iterator[SmallApp]:
    with SmallApp() as running:
        yield running


def test_ten_slow_apps_are_checked_in_the_time_of_one(tmp_path: Path) -> None:
    with ExitStack() as running:
        apps = [running.enter_context(SmallApp()) for _ in range(10)]
        for slow in apps:
            slow.seconds = 1.0

        async def check() -> None:
            async with opened(tmp_path) as catalogue:
                await asyncio.gather(*(catalogue.check(node(one.url), NOBODY) for one in apps))

        began = time.monotonic()
        asyncio.run(check())
        assert time.monotonic() - began < 4
        assert [one.most for one in apps] == [2] * 10, "config and info are asked for side by side"


def test_nodes_of_one_app_share_one_request(app: SmallApp, tmp_path: Path) -> None:
    app.endpoints["other"] = ("text",)

    async def check() -> None:
        async with opened(tmp_path) as catalogue:
            nodes = [node(app.url, name) for name in ("predict", "other") for _ in range(20)]
            await asyncio.gather(*(catalogue.check(one, NOBODY) for one in nodes))

    asyncio.run(check())
    assert (app.count("/config"), app.count("/info")) == (1, 1)


def test_a_node_that_fits_what_was_known_passes_at_once_and_is_looked_at_behind(app: SmallApp, tmp_path: Path) -> None:
    async def first() -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url), NOBODY)

    async def second() -> float:
        async with opened(tmp_path) as catalogue:
            began = time.monotonic()
            await catalogue.check(node(app.url), NOBODY)
            took = time.monotonic() - began
            for _ in range(200):
                if app.count("/config") == 2:  # the look behind has begun; it is shared from here on
                    break
                await asyncio.sleep(0.05)
            await catalogue.check(node(app.url, "new"), NOBODY)
            return took

    asyncio.run(first())
    app.seconds, app.app_id, app.endpoints["new"] = 1.0, "2", ("text",)
    asked = len(app.requests)
    assert asyncio.run(second()) < 0.8, "a slow app is not waited for"
    assert app.count("/config") == 2, "what was seen behind is known afterwards: nobody asks again"
    assert len(app.requests) - asked == 3


def test_a_node_that_is_wrong_is_told_so_by_fresh_data_only(app: SmallApp, tmp_path: Path) -> None:
    async def check(name: str) -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url, name), NOBODY)

    asyncio.run(check("predict"))
    app.endpoints = {"renamed": ("text",)}  # without a new app_id, even
    asyncio.run(check("renamed"))
    with pytest.raises(EndpointError, match=r"API endpoint '/predict' not found in .*Available endpoints"):
        asyncio.run(check("predict"))


def test_a_start_without_network_still_checks(app: SmallApp, tmp_path: Path) -> None:
    url = app.url

    async def check(*names: str) -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(url, "predict", *names), NOBODY)

    asyncio.run(check())
    app.close()
    asyncio.run(check())
    with pytest.raises(RemoteError, match="does not answer") as told:
        asyncio.run(check("txet"))
    assert told.value.retryable
    assert told.value.where is not None


def test_calls_make_sure_of_the_app_once_a_second_for_all(app: SmallApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async def many() -> None:
        async with opened() as catalogue:
            spec = node(app.url)
            await catalogue.app(spec, NOBODY)
            await asyncio.gather(*(catalogue.app(spec, NOBODY) for _ in range(100)))
            assert app.count("/app_id") == 0, "it has just been described"
            monkeypatch.setattr(catalogues, "SURE", 0.2)
            await asyncio.sleep(0.3)
            app.seconds = 0.1
            await asyncio.gather(*(catalogue.app(spec, NOBODY) for _ in range(100)))
            assert app.count("/app_id") == 1

    asyncio.run(many())
    assert app.count("/config") == 1


def test_an_app_that_was_started_anew_is_described_anew(app: SmallApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogues, "SURE", 0.0)

    async def restart() -> None:
        async with opened() as catalogue:
            spec = node(app.url)
            before = await catalogue.app(spec, NOBODY)
            app.app_id, app.endpoints = "2", {"first": ("a",), "predict": ("text", "more")}
            after = await catalogue.app(spec, NOBODY)
            assert before.endpoints["/predict"].fn_index == 0
            assert after.endpoints["/predict"].fn_index == 1
            assert [one.name for one in after.endpoints["/predict"].parameters] == ["text", "more"]

    asyncio.run(restart())


def test_many_who_wait_for_an_app_that_is_gone_are_all_told_where(app: SmallApp) -> None:
    url = app.url
    app.close()

    async def ask() -> list[RemoteError]:
        async with opened() as catalogue:
            specs = [node(url) for _ in range(5)]
            for number, spec in enumerate(specs):
                spec.where = f"app.py:{number}"
            found = await asyncio.gather(*(catalogue.app(spec, NOBODY) for spec in specs), return_exceptions=True)
            return [error for error in found if isinstance(error, RemoteError)]

    assert [error.where for error in asyncio.run(ask())] == [f"app.py:{number}" for number in range(5)]


def test_one_who_leaves_does_not_take_the_answer_from_the_others(app: SmallApp) -> None:
    app.seconds = 0.5

    async def ask() -> None:
        async with opened() as catalogue:
            first = asyncio.create_task(catalogue.app(node(app.url), NOBODY))
            await asyncio.sleep(0.1)
            second = asyncio.create_task(catalogue.app(node(app.url), NOBODY))
            await asyncio.sleep(0.1)
            first.cancel()
            assert (await second).endpoints
            assert first.cancelled()

    asyncio.run(ask())
    assert app.count("/config") == 1


def test_what_an_app_with_etags_has_said_is_not_sent_again(app: SmallApp, tmp_path: Path) -> None:
    app.etags = True

    async def check(name: str) -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url, name), NOBODY)

    asyncio.run(check("predict"))
    with pytest.raises(EndpointError):
        asyncio.run(check("predcit"))
    asked = [one.headers.get("if-none-match") for one in app.requests if one.path == "/config"]
    assert asked == [None, '"1"']


def test_what_nobody_reads_is_not_kept(app: SmallApp, tmp_path: Path) -> None:
    app.ballast = 3_000_000

    async def check() -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url), NOBODY)

    asyncio.run(check())
    sizes = [path.stat().st_size for path in tmp_path.rglob("*.json")]
    assert sizes
    assert max(sizes) < 5_000


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"name": 1}', b"\xff\xfe", b'{"name": "N", "document": {"format": 1}}']
)
def test_a_damaged_cache_is_as_if_it_were_not_there(app: SmallApp, tmp_path: Path, damage: bytes) -> None:
    async def check(name: str) -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url, name), NOBODY)
            await catalogue.app(node(app.url, name), NOBODY)

    asyncio.run(check("predict"))
    for path in tmp_path.rglob("*.json"):
        path.write_bytes(damage.replace(b'"N"', json.dumps(app.url).encode()))
    asyncio.run(check("predict"))
    with pytest.raises(EndpointError):
        asyncio.run(check("nothing"))


def test_a_cache_whose_parts_are_of_other_kinds_is_no_cache(app: SmallApp, tmp_path: Path) -> None:
    async def check() -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url), NOBODY)

    asyncio.run(check())
    (path,) = tmp_path.rglob("*.json")
    whole = json.loads(path.read_text())
    for part, other in (("tags", []), ("config", 3), ("info", {"named_endpoints": 7}), ("url", None)):
        changed = json.loads(json.dumps(whole))
        changed["document"]["description"][part] = other
        path.write_text(json.dumps(changed))
        asyncio.run(check())


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(app: SmallApp, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("no folder")

    async def check() -> None:
        async with opened(taken) as catalogue:
            await catalogue.check(node(app.url), NOBODY)

    asyncio.run(check())


@pytest.mark.parametrize(
    ("status", "says", "retryable"),
    [(503, "try again later", True), (404, "shows the app in a browser", False), (401, "hf auth login", False)],
)
def test_what_is_no_app_is_told_so(app: SmallApp, status: int, says: str, retryable: bool) -> None:
    app.status = status

    async def check() -> None:
        async with opened() as catalogue:
            await catalogue.check(node(app.url), NOBODY)

    with pytest.raises(RemoteError, match=says) as told:
        asyncio.run(check())
    assert told.value.retryable is retryable
    assert "<html>" not in str(told.value)


def test_apps_have_their_api_where_they_say(app: SmallApp) -> None:
    app.prefix = ""

    async def check() -> None:
        async with opened() as catalogue:
            assert (await catalogue.app(node(app.url), NOBODY)).url == app.url
            with pytest.raises(EndpointError):
                await catalogue.check(node(app.url, "none"), NOBODY)

    asyncio.run(check())
    assert [one.path for one in app.requests if one.path.endswith("/info")] == ["/gradio_api/info", "/info", "/info"]


def test_a_real_app_fits_its_own_description(gradio_app: Server, tmp_path: Path) -> None:
    async def check() -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(gradio_app.url, "text"), NOBODY)
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(gradio_app.url, "text"), NOBODY)
            app = await catalogue.app(node(gradio_app.url, "text"), NOBODY)
            assert app.endpoints["/text"].parameters[0].name == "text"
            with pytest.raises(EndpointError, match="Did you mean"):
                await catalogue.check(node(gradio_app.url, "text", "txet"), NOBODY)

    asyncio.run(check())


def test_what_is_on_disk_is_not_for_visitors(app: SmallApp, tmp_path: Path) -> None:
    async def check(credential: Credential) -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node(app.url), credential)

    asyncio.run(check(Credential(TOKEN, personal=True)))
    assert not list(tmp_path.rglob("*.json")), "what a visitor sees is theirs"
    asyncio.run(check(NOBODY))
    assert len(list(tmp_path.rglob("*.json"))) == 1
    asked = app.count("/config")
    asyncio.run(check(Credential(TOKEN, personal=True)))
    assert app.count("/config") == asked + 1, "what others see need not be what they may"


@pytest.mark.parametrize("path", ["/config", "/info"])
def test_a_silent_app_is_waited_for_once(proxy: FaultProxy, path: str) -> None:
    """A workflow checks its nodes, and then calls them: that is one wait for somebody who says nothing."""
    proxy.fault("black_hole", path=path)

    async def run() -> float:
        async with opened() as catalogue:
            spec = node(proxy.url, "text", idle_timeout=1.0)
            began = time.monotonic()
            for ask in (catalogue.check, catalogue.app):
                with pytest.raises(RemoteError, match="does not answer") as told:
                    await ask(spec, NOBODY)
                assert told.value.where == spec.where
            took = time.monotonic() - began
            proxy.clear()
            await catalogue.check(spec, NOBODY)  # who tries again at once is not told what was
            assert (await catalogue.app(spec, NOBODY)).endpoints
            return took

    assert asyncio.run(run()) < 1.8


def test_a_check_takes_no_longer_than_the_node_may(proxy: FaultProxy) -> None:
    proxy.fault("black_hole", path="/config")

    async def check() -> None:
        async with opened() as catalogue:
            await catalogue.check(node(proxy.url, "text", timeout=0.7), NOBODY)

    began = time.monotonic()
    with pytest.raises(RemoteError, match=r"does not answer within 0\.7 s"):
        asyncio.run(check())
    assert time.monotonic() - began < 3


def test_an_address_that_is_no_space_is_sent_no_token(app: SmallApp, tmp_path: Path, hub: FakeHub) -> None:
    async def check() -> None:
        async with opened(tmp_path) as catalogue:
            called = await catalogue.app(node(app.url), Credential(TOKEN, "ip-token-of-a-visitor"))
            assert not called.headers

    asyncio.run(check())
    assert not [one for one in app.requests if TOKEN in str(one) or "ip-token" in str(one)]
    assert not hub.requests
    assert TOKEN.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_connection_that_broke_in_the_check_is_no_reason_not_to_call(proxy: FaultProxy) -> None:
    proxy.fault("latency", path="/config", seconds=0.5)
    proxy.fault("reset", path="/info", times=1)

    async def run() -> None:
        async with opened() as catalogue:
            spec = node(proxy.url, "text")
            with pytest.raises(RemoteError, match="does not answer"):
                await catalogue.check(spec, NOBODY)
            assert (await catalogue.app(spec, NOBODY)).endpoints

    asyncio.run(run())
