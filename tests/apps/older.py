"""An app that speaks the protocol "sse" of Gradio 4.0, as that version's routes do: `python older.py`.

A place in the queue is asked for with `GET /queue/join`, whose events come at once; when its turn has come the app says
`send_data`, and the caller posts the values to `/queue/data`. Nothing has a `meta`, and parameters have labels only.
"""

from __future__ import annotations

import hashlib
import json
import queue
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FOLDER = Path(tempfile.mkdtemp())
EVENTS: dict[str, queue.Queue[list[Any]]] = {}
STATES: dict[str, list[str]] = {}
FILE = {"type": "object", "title": "FileData", "properties": {"path": {}, "url": {}, "size": {}, "orig_name": {}}}
TEXT = {"type": "string"}


def upper(session: str, text: str) -> Iterator[list[Any]]:
    yield [text.upper()]


def slow(session: str, steps: float) -> Iterator[list[Any]]:
    for step in range(int(steps)):
        time.sleep(0.1)
        (FOLDER / "steps").write_text(str(step))
        yield [f"step {step}"]


def same(session: str, file: dict[str, Any]) -> Iterator[list[Any]]:
    assert Path(file["path"]).is_relative_to(FOLDER), "only what was uploaded here"
    yield [{**file, "url": None, "size": None, "mime_type": None}]


def fail(session: str, text: str) -> Iterator[list[Any]]:
    yield ["…"]
    raise ValueError(f"The older app refuses {text!r}.")


def words(session: str, word: str, state: None) -> Iterator[list[Any]]:
    said = STATES.setdefault(session, [])
    said.append(word)
    yield [" ".join(said), None]


FUNCTIONS: list[tuple[Callable[..., Iterator[list[Any]]], list[tuple[str, Any]], list[str]]] = [
    (upper, [("Some Text", TEXT)], ["textbox"]),
    (slow, [("steps", {"type": "number"})], ["textbox"]),
    (same, [("file", FILE)], ["file"]),
    (fail, [("text", TEXT)], ["textbox"]),
    (words, [("word", TEXT), ("", None)], ["textbox", "state"]),
]


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """`/config` and `/info`."""
    components: list[dict[str, Any]] = []
    dependencies: list[dict[str, Any]] = []
    named: dict[str, Any] = {}

    def component(kind: str) -> int:
        components.append({"id": len(components), "type": kind, "skip_api": kind == "state", "props": {}})
        return len(components) - 1

    for function, inputs, outputs in FUNCTIONS:
        dependencies.append(
            {
                "api_name": function.__name__,
                "inputs": [component("state" if schema is None else "textbox") for _, schema in inputs],
                "outputs": [component(kind) for kind in outputs],
                "backend_fn": True,
                "cancels": [],
            }
        )
        parameters = [
            {"label": label, "type": schema, "component": "File" if schema is FILE else "Textbox"}
            for label, schema in inputs
            if schema is not None
        ]
        named[f"/{function.__name__}"] = {"parameters": parameters, "returns": []}
    config = {"version": "4.0.2", "protocol": "sse", "app_id": secrets.randbits(60), "root": ""}
    return {**config, "components": components, "dependencies": dependencies}, {
        "named_endpoints": named,
        "unnamed_endpoints": {},
    }


CONFIG, INFO = documents()


class App(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/config":
                self._json(CONFIG)
            case "/info":
                self._json(INFO)
            case "/app_id":
                self._json({"app_id": CONFIG["app_id"]})
            case "/queue/join":
                self._join(int(query["fn_index"]), query["session_hash"])
            case path if path.startswith("/file="):
                self._file(Path(unquote(path.removeprefix("/file="))))
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        match urlsplit(self.path).path:
            case "/queue/data":
                said = json.loads(body)
                EVENTS[said["event_id"]].put(said["data"])
                self._json(None)
            case "/upload":
                self._json([str(path) for path in self._uploaded(body)])
            case _:
                self.send_error(404)

    def _join(self, number: int, session: str) -> None:
        event = secrets.token_hex(8)
        EVENTS[event] = queue.Queue()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.end_headers()
        self._say(msg="estimation", rank=0, queue_size=1, avg_event_process_time=None, rank_eta=None)
        self._say(msg="send_data", event_id=event)
        data = EVENTS[event].get(timeout=10)
        self._say(msg="process_starts")
        last: list[Any] = []
        try:
            for last in FUNCTIONS[number][0](session, *data):
                self._say(msg="process_generating", output={"data": last, "is_generating": True}, success=True)
        except ValueError as error:
            self._say(msg="process_completed", output={"error": str(error)}, success=False)
            return
        self._say(msg="process_completed", output={"data": last, "is_generating": False}, success=True)

    def _say(self, **event: Any) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def _uploaded(self, body: bytes) -> Iterator[Path]:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        for part in BytesParser().parsebytes(head + body).get_payload():
            content = part.get_payload(decode=True)  # type: ignore[union-attr]
            assert isinstance(content, bytes)
            folder = FOLDER / hashlib.sha256(content).hexdigest()
            folder.mkdir(exist_ok=True)
            path = folder / str(part.get_filename())  # type: ignore[union-attr]
            path.write_bytes(content)
            yield path

    def _file(self, path: Path) -> None:
        if not path.is_relative_to(FOLDER) or not path.is_file():
            self.send_error(403)
            return
        self.send_response(200)
        self.send_header("content-length", str(path.stat().st_size))
        self.end_headers()
        self.wfile.write(path.read_bytes())

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    print(f"Running on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
