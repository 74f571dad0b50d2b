"""The queue of a Gradio app: what it says on the way, how it is left, and what becomes of wrong answers."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.utils import diff
from gradio_client.utils import apply_diff
from hypothesis import given
from hypothesis import strategies as st

from daggr import GradioNode, Graph, RemoteError, RunTimeoutError
from daggr.engine.engine import Engine
from daggr.engine.hub.hub import Hub
from daggr.engine.hub.identity import HIDDEN, Credential
from daggr.engine.runners.base import Returned
from daggr.engine.runners.gradio.diffs import Diffs, edited
from daggr.engine.runners.gradio.queue import progress
from daggr.engine.runners.gradio.runner import GradioRunner
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.graph import drawing_of
from daggr.testing.apps import GradioApp
from daggr.testing.hub import FakeHub
from daggr.testing.proxy import FaultProxy
from daggr.testing.web import Asked, Reply, said
from tests.unit.engine.hub.rooms import SmallApp
from tests.unit.engine.remote import Watch, carry_out, run, until
from tests.unit.engine.test_engine import call

NOWHERE = Path("/nowhere")


@pytest.fixture
def runner() -> Iterator[GradioRunner]:
    """Keeps its connections from one call to the next. Who uses it closes it."""
    worker = ThreadWorker()
    yield GradioRunner(worker, Hub(worker, None))
    worker.close()


class Door:
    """Stands before an app, gives each session a cookie when it joins the queue, and notes those that it gets."""

    def __init__(self, app: str, sent: list[str]) -> None:
        given = itertools.count(1)

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0].removeprefix("/gradio_api")
                if path.startswith("/queue"):
                    sent.append(f"{path} {self.headers.get('cookie', '')}")
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                kind = {"content-type": self.headers.get("content-type", "")}
                got = httpx.request(self.command, app + self.path, content=body, headers=kind, timeout=30)
                self.send_response(got.status_code)
                self.send_header("content-length", str(len(got.content)))
                if path == "/queue/join":
                    self.send_header("set-cookie", f"machine={next(given)}; Path=/")
                self.end_headers()
                self.wfile.write(got.content)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Door:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def node(url: str, endpoint: str, **how: Any) -> GradioNode:
    return GradioNode(url, endpoint, name="node", outputs={"out": how.pop("component", None)}, **how)


# ---------------------------------------------------------------- what it says on the way


def test_progress_and_messages_are_told(gradio_app: GradioApp) -> None:
    returned, watch = run(node(gradio_app.url, "told"), text="x")
    assert returned.values == {"out": "x"}
    assert (1 / 3, "reading 1/3 pages") in watch.words
    assert watch.log == ["The loopback app has an opinion.\n", "Warning: The loopback app has a doubt.\n"]


def test_a_place_in_the_queue_is_told(gradio_app: GradioApp) -> None:
    async def three() -> list[Watch]:
        watches = [Watch(node(gradio_app.url, "limited"), NOWHERE, {"seconds": 0.4}) for _ in range(3)]
        await asyncio.gather(*(carry_out(watch) for watch in watches))
        return watches

    words = [text for watch in asyncio.run(three()) for _, text in watch.words]
    assert any(re.fullmatch(r"queue 2/2(, about \d+ s)?", text) for text in words), words


def test_loops_within_loops_are_one_progress() -> None:
    outer, inner = {"index": 1, "length": 4, "unit": "steps", "desc": "outer"}, {"index": 1, "length": 2, "unit": "x"}
    assert progress([outer, inner]) == (0.375, "outer 1/4 steps · 1/2 x")
    assert progress([{"progress": 0.5, "desc": "half"}]) == (0.5, "half")
    assert progress([{"index": 3, "length": None}]) == (None, "")
    assert progress(None) == (None, "")


def test_what_a_generator_gives_is_shown(gradio_app: GradioApp) -> None:
    words = " ".join(f"word{number}" for number in range(20))
    returned, watch = run(node(gradio_app.url, "stream"), text=words)
    assert returned.values == {"out": words}
    assert len(watch.partials) >= 3
    assert all(words.startswith(part["out"]) for part in watch.partials)
    assert all(later - first > 0.03 for first, later in zip(watch.times, watch.times[1:], strict=False))


def test_pictures_of_a_generator_are_shown_after_the_hook(gradio_app: GradioApp) -> None:
    sizes: list[int] = []

    def hook(picture: dict[str, Any]) -> str:
        sizes.append(Path(picture["path"]).stat().st_size)
        return str(picture["path"])

    shown = node(gradio_app.url, "pictures", component=gr.Image(), postprocess=hook)
    returned, watch = run(shown, count=6)
    assert len(watch.partials) >= 2
    assert all(size > 100 for size in sizes)
    assert watch.partials[-1]["out"] != returned.values["out"]
    assert len([*watch.folder.glob("partial-*")]) <= 2
    assert Path(returned.values["out"]).is_file()


def test_a_hook_that_fails_on_the_way_fails_nothing(gradio_app: GradioApp) -> None:
    def last_only(text: str) -> str:
        if text.endswith("c"):
            return text
        raise ValueError(text)

    returned, watch = run(node(gradio_app.url, "stream", postprocess=last_only), text="a b c")
    assert returned.values == {"out": "a b c"}
    assert all(part == {"out": "a b c"} for part in watch.partials)


JSONS = st.recursive(
    st.none() | st.integers(2, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSONS, JSONS)
def test_edits_are_those_of_gradio(before: Any, after: Any) -> None:
    """What Gradio's own client makes of them: that is `after`, but for lists within lists that both get shorter."""
    kept, edits = json.dumps(before), diff(before, after)  # type: ignore[no-untyped-call]
    assert edited(before, edits) == apply_diff(json.loads(kept), edits)
    assert json.dumps(before) == kept  # it may be shown just now


@pytest.mark.parametrize("edits", [[["replace", [5], 1]], [["turn", [], 1]], [["append", [], {}]], [[1]], 5, None])
def test_edits_that_fit_nothing_end_the_showing_only(edits: Any) -> None:
    diffs = Diffs("sse_v3")
    assert diffs.whole(["a"]) == ["a"]
    assert diffs.whole([edits]) is None
    assert diffs.whole([[["replace", [], "b"]]]) is None


# ---------------------------------------------------------------- how it is left


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_a_generator_ends_in_the_app_when_it_is_stopped(gradio_app: GradioApp, tmp_path: Path) -> None:
    path = tmp_path / "steps"

    async def stop(watch: Watch, task: asyncio.Task[Returned]) -> None:
        await until(lambda: len(lines(path)) >= 2)
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: "left" in lines(path), 1.0)

    with pytest.raises(asyncio.CancelledError):
        run(node(gradio_app.url, "steps"), stop, path=str(path), count=500, seconds=0.05)
    assert len(lines(path)) < 50


def test_a_time_limit_reaches_the_app(engine: Engine, gradio_app: GradioApp, tmp_path: Path) -> None:
    path = tmp_path / "steps"
    limited = node(gradio_app.url, "steps", inputs={"path": str(path), "count": 500, "seconds": 0.05}, timeout=0.5)
    with pytest.raises(RunTimeoutError):
        call(engine, Graph("Limit", nodes=[limited]), tmp_path)
    asyncio.run(until(lambda: "left" in lines(path), 2.0))


def test_what_waits_in_the_queue_is_taken_out_of_it(gradio_app: GradioApp) -> None:
    """Who is stopped while others are before them leaves their place: those after them do not wait for it."""

    async def scene() -> float:
        first, second, third = (
            Watch(node(gradio_app.url, "limited"), NOWHERE, {"seconds": seconds}) for seconds in (0.3, 5, 0.1)
        )
        began = time.monotonic()
        one = asyncio.ensure_future(carry_out(first))
        await until(lambda: any(words == "" for _, words in first.words))
        two = asyncio.ensure_future(carry_out(second))
        await until(lambda: second.words)
        two.cancel()
        await asyncio.wait([two])
        await asyncio.gather(one, carry_out(third))
        return time.monotonic() - began

    assert asyncio.run(scene()) < 4


def test_silence_ends_the_call_and_is_told_to_the_app(proxy: FaultProxy, gradio_app: GradioApp) -> None:
    proxy.fault("stall", path="/queue/data", after=10)
    started = time.monotonic()
    with pytest.raises(RemoteError, match=r"said nothing for 0\.5 s") as caught:
        run(node(proxy.url, "sleeps", idle_timeout=0.5), seconds=20)
    assert time.monotonic() - started < 5
    assert "idle_timeout=" in caught.value.hint
    assert proxy.count("/cancel", "POST") == 1


# ---------------------------------------------------------------- wrong answers


@pytest.mark.parametrize(
    ("status", "headers", "body", "message", "retryable"),
    [
        (422, {}, b'{"detail":[{"loc":["body","data"],"msg":"Field required"}]}', "422: data: Field required", False),
        (
            422,
            {},
            b'{"detail":[{"__type__":"validate","is_valid":true},'
            b'{"__type__":"validate","is_valid":false,"message":"too long","parameter_name":"text"}]}',
            "422: text: too long",
            False,
        ),
        (401, {}, b'{"detail":{"error":"Not authenticated"}}', "401: Not authenticated", False),
        (403, {"content-type": "text/html"}, b"<html><body>No</body></html>", "403: Forbidden", False),
        (404, {}, b'{"detail":"Not Found"}', "404: Not Found", True),
        (413, {}, b"", "413: (Request Entity|Content) Too Large", False),
        (503, {}, b'{"detail":"Queue is full. Max size is 1 and size is 1."}', "Queue is full", True),
        (429, {"retry-after": "3000"}, b"", "429: Too Many Requests", True),
        (502, {"content-type": "text/html"}, b"<!doctype html><h1>Bad</h1>", "502: Bad Gateway", True),
        (302, {"location": "https://elsewhere.example/"}, b"", "302: Found", False),
    ],
)
def test_a_refusal_is_a_sentence(
    proxy: FaultProxy, status: int, headers: dict[str, str], body: bytes, message: str, retryable: bool
) -> None:
    proxy.fault("status", path="/queue/join", status=status, headers=headers, body=body)
    with pytest.raises(RemoteError, match=message) as caught:
        run(node(proxy.url, "text", retries=0), text="x")
    said = str(caught.value)
    assert "<" not in said
    assert caught.value.hint
    assert caught.value.where
    assert caught.value.retryable is retryable
    assert caught.value.retry_after == (3000 if status == 429 else None)


@pytest.mark.parametrize(
    ("pattern", "said", "message", "retryable"),
    [
        (rb'"data":\["X"\]', b'"data":[]', "0 value.s. where /text gives 1", True),
        (rb'"data":\["X"\]', b'"data":["X","Y"]', "2 value.s. where /text gives 1", True),
        (rb'"data":\["X"\]', b'"data":"X"', "a str where a list of values belongs", True),
        (rb'"data":\["X"\]', b'"data":["X"', "no JSON", True),
        (rb'\{"msg":"process_completed".*', b"[1]\n\n", "no JSON", True),
        (rb'"output":\{.*\},"success"', b'"output":null,"success"', "without a result", True),
        (rb'"msg":"process_completed"', b'"msg":"server_stopped"', "was stopped while it worked", True),
        (rb'"msg":"process_completed"', b'"msg":"close_stream"', "ended the stream without a result", True),
        (rb'"success":true', b'"success":false', "it gave no reason", False),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_sentence(
    proxy: FaultProxy, pattern: bytes, said: bytes, message: str, retryable: bool
) -> None:
    proxy.fault("rewrite", path="/queue/data", pattern=pattern, body=said)
    with pytest.raises(RemoteError, match=message) as caught:
        run(node(proxy.url, "text"), text="x")
    assert caught.value.where
    assert caught.value.retryable is retryable


def test_an_unexpected_error_is_told_in_the_apps_words(gradio_app: GradioApp) -> None:
    with pytest.raises(RemoteError, match=r"'node' failed: .* says: The loopback app refuses 'x'\.") as caught:
        run(node(gradio_app.url, "fail"), text="x")
    assert not caught.value.retryable


def test_a_session_that_the_app_does_not_know_any_more(proxy: FaultProxy) -> None:
    event = b'data: {"msg":"unexpected_error","message":"404: ","session_not_found":true,"success":false}\n\n'
    proxy.fault("status", path="/queue/data", status=200, body=event, headers={"content-type": "text/event-stream"})
    with pytest.raises(RemoteError, match="does not know this call any more"):
        run(node(proxy.url, "text"), text="x")


def test_nothing_is_asked_twice_that_may_have_been_begun(proxy: FaultProxy, tmp_path: Path) -> None:
    path = tmp_path / "calls"
    proxy.fault("reset", path="/queue/join", times=1)  # the app got it
    with pytest.raises(RemoteError, match="broke off"):
        run(node(proxy.url, "noted"), path=str(path), text="x")
    assert proxy.count("/queue/join") == 1
    run(node(proxy.url, "noted"), path=str(path), text="y")
    assert lines(path) in (["x", "y"], ["y", "x"])


class Saying(SmallApp):
    """An app whose calls are answered with given events, or which has moved.

    Attributes:
        events: What it says in its queue.
        moved: The path that it sends to another address.
    """

    def __init__(self, *events: str, moved: str = "/nothing", to: str = "") -> None:
        super().__init__()
        self.events, self.moved, self.to = events, moved, to

    def reply(self, asked: Asked) -> Reply:
        if asked.path.endswith(self.moved):
            return Reply(302, b"", {"Location": self.to})
        if asked.path.endswith("/queue/join"):
            return said({"event_id": "e"})
        if asked.path.endswith("/queue/data"):
            lines = [f"data: {event}\n\n".encode() for event in self.events]
            return Reply(200, lines, {"Content-Type": "text/event-stream"})
        return super().reply(asked)


def done(value: str) -> str:
    return f'{{"msg":"process_completed","success":true,"output":{{"data":[{value}]}}}}'


HUGE = f"1{'0' * 400}"


@pytest.mark.parametrize(
    "event",
    [
        f'{{"msg":"estimation","rank":0,"queue_size":1,"rank_eta":{HUGE}}}',
        f'{{"msg":"progress","progress_data":[{{"index":{HUGE},"length":3}}]}}',
        '{"msg":"progress","progress_data":5}',
        '{"msg":["progress"]}',
        '{"msg":{}}',
    ],
)
def test_an_event_on_the_way_that_makes_no_sense_does_no_harm(event: str) -> None:
    with Saying(event, done('"x"')) as app:
        assert run(node(app.url, "predict"), text="a")[0].values == {"out": "x"}


def test_values_within_values_without_end_are_a_sentence() -> None:
    with Saying(done("[" * 600 + "]" * 600)) as app, pytest.raises(RemoteError, match="nested too deeply") as caught:
        run(node(app.url, "predict"), text="a")
    assert caught.value.where


# ---------------------------------------------------------------- tokens and sessions

TOKEN = "hf_plantedPlantedPlanted"
ESCAPED = "".join(f"\\u{ord(character):04x}" for character in TOKEN)


def test_a_token_in_another_writing_is_never_repeated() -> None:
    def ask(app: Saying) -> Returned:
        watch = Watch(node(app.url, "predict"), NOWHERE, {"text": "a"}, credential=Credential(TOKEN))
        return asyncio.run(carry_out(watch))

    with Saying(done(f'{{"{ESCAPED}":["{ESCAPED}"]}}')) as app:
        assert ask(app).values == {"out": {HIDDEN: [HIDDEN]}}
    failure = f'{{"msg":"process_completed","success":false,"output":{{"error":"no {ESCAPED}"}}}}'
    with Saying(failure) as app, pytest.raises(RemoteError, match=re.escape(f"no {HIDDEN}")):
        ask(app)


@pytest.mark.parametrize("moved", ["/queue/join", "/config"])
def test_a_token_in_the_address_that_it_moved_to_is_not_shown(hub: FakeHub, moved: str) -> None:
    with Saying(moved=moved, to=f"https://elsewhere.example/?t={TOKEN}") as app:
        hub.add_space("owner/moved", app.url)
        credential = Credential(hub.add_user(TOKEN, "ada"))
        watch = Watch(node("owner/moved", "predict"), NOWHERE, {"text": "a"}, credential=credential)
        with pytest.raises(RemoteError, match="302") as caught:
            asyncio.run(carry_out(watch))
    assert f"?t={HIDDEN}" in caught.value.hint
    assert TOKEN not in str(caught.value)


def test_a_token_is_not_sent_to_a_url_and_never_repeated(gradio_app: GradioApp, proxy: FaultProxy) -> None:
    credential = Credential(TOKEN, "ip_plantedPlanted")

    async def call_with(url: str, endpoint: str, **inputs: Any) -> tuple[Returned, Watch]:
        watch = Watch(node(url, endpoint), NOWHERE, inputs, credential=credential)
        return await carry_out(watch), watch

    returned, _ = asyncio.run(call_with(gradio_app.url, "headers"))
    assert not [name for name in returned.values["out"] if name.startswith(("x-hf", "x-ip", "authorization"))]
    returned, watch = asyncio.run(
        call_with(gradio_app.url, "stream", text=f"an app says {TOKEN} and ip_plantedPlanted")
    )
    assert returned.values == {"out": f"an app says {HIDDEN} and {HIDDEN}"}
    assert TOKEN not in json.dumps(watch.partials)
    with pytest.raises(RemoteError) as caught:
        asyncio.run(call_with(gradio_app.url, "fail", text=TOKEN))
    assert TOKEN not in str(caught.value)
    proxy.fault("status", path="/queue/join", status=422, body=f"no {TOKEN}".encode())
    with pytest.raises(RemoteError) as caught:
        asyncio.run(call_with(proxy.url, "text", text="x"))
    assert HIDDEN in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_each_run_is_a_session(gradio_app: GradioApp, runner: GradioRunner) -> None:
    async def two() -> list[Any]:
        watches = [Watch(node(gradio_app.url, "session"), NOWHERE, {}) for _ in range(2)]
        found = [(await runner.run(watch.call)).values["out"] for watch in watches]
        await runner.close()
        return found

    assert len(set(asyncio.run(two()))) == 2


def test_cookies_are_a_runs_own(gradio_app: GradioApp, runner: GradioRunner) -> None:
    """They say which of several machines has the session: the run sends them back, and no other run does."""
    sent: list[str] = []
    with Door(gradio_app.url, sent) as door:

        async def two() -> None:
            for _ in range(2):
                await runner.run(Watch(node(door.url, "text"), NOWHERE, {"text": "x"}).call)
            await runner.close()

        asyncio.run(two())
    assert sent == ["/queue/join ", "/queue/data machine=1", "/queue/join ", "/queue/data machine=2"]


# ---------------------------------------------------------------- many at once


def test_five_hundred_at_once_all_come_back(engine: Engine, gradio_app: GradioApp) -> None:
    """None is cancelled, and none gets another's answer."""
    program = engine.load(
        drawing_of(Graph("Many", nodes=[node(gradio_app.url, "text", inputs={"text": gr.Textbox()})]))
    )
    started = time.monotonic()
    futures = [
        engine.call(program, "local", engine.stage_inputs(program, {"node__text": f"w{n}"}), frozenset({"node"}))
        for n in range(500)
    ]
    outputs = [future.result(60).runs["node"].outputs[0].digest for future in futures]
    assert [engine.store.load(digest, NOWHERE) for digest in outputs] == [f"W{n}" for n in range(500)]
    assert time.monotonic() - started < 40


def test_as_many_connections_as_are_needed(gradio_app: GradioApp, runner: GradioRunner) -> None:
    """All wait at once in the app; each is a session, with a state of its own."""

    async def all_of_them() -> list[Any]:
        slow = [Watch(node(gradio_app.url, "sleeps"), NOWHERE, {"seconds": 1}) for _ in range(30)]
        states = [Watch(node(gradio_app.url, "state"), NOWHERE, {"word": f"w{n}"}) for n in range(60)]
        answers = await asyncio.gather(*(runner.run(watch.call) for watch in (*slow, *states)))
        await runner.close()
        return [answer.values["out"] for answer in answers]

    assert asyncio.run(all_of_them()) == [*["slept 1"] * 30, *(f"w{n}" for n in range(60))]
