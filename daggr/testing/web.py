"""A small web server on loopback, in threads of this process: it keeps what it was asked, and closes all it opened."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

W = TypeVar("W", bound="Web")

CLOSING_SECONDS = 2.0
"""How long a reply that is still being made may take to end when the server closes."""


@dataclass(frozen=True)
class Asked:
    """A request. Names of headers are in lower case; `path` is decoded, and without the query."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body, read as JSON; None if there is no body."""
        return json.loads(self.body) if self.body else None

    @property
    def token(self) -> str:
        """What stands after `Bearer`, or an empty text."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


@dataclass(frozen=True)
class Reply:
    """An answer. A body that is no bytes is sent piece by piece, as it comes."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def said(value: Any, status: int = 200, **headers: str) -> Reply:
    """A reply of JSON. Headers are written with underscores: `X_Error_Code="RepoNotFound"`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8", **named})


class Web:
    """A server. Subclass it and give `reply`, which is called in a thread for each connection.

    Attributes:
        requests: All that it was asked, in order.
    """

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self._server: Listener | None = None

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        if self._server is None:
            raise RuntimeError(f"{type(self).__name__} is not running: use it in a `with` statement.")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply(self, asked: Asked) -> Reply:
        """What is answered."""
        raise NotImplementedError

    def start(self: W) -> W:
        """Listen on a free port."""
        self._server = Listener(("127.0.0.1", 0), Conversation)
        self._server.owner = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name="daggr-testing", daemon=True).start()
        return self

    def close(self) -> None:
        """Close every connection and the port. A second time does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.hang_up()

    def __enter__(self: W) -> W:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()


class Listener(ThreadingHTTPServer):
    """A thread for each connection; all of them can be ended at once."""

    owner: Any
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open: dict[socket.socket, threading.Thread] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the thread of a connection, which is known while it lasts."""
        talk = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self.open[request] = talk
        talk.start()

    def shutdown_request(self, request: Any) -> None:
        """The end of a connection."""
        self.open.pop(request, None)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, and wait until their threads have."""
        for connection, thread in list(self.open.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(CLOSING_SECONDS)


class Conversation(BaseHTTPRequestHandler):
    """What is said on one connection."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server_version = "daggr-testing"

    def answer(self) -> None:
        """One request and its reply."""
        with suppress(ConnectionError):
            asked = self.read()
            self.server.owner.requests.append(asked)
            self.send(self.server.owner.reply(asked))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def handle(self) -> None:
        """One request after another, until either side has enough."""
        with suppress(OSError):
            super().handle()

    def finish(self) -> None:
        """Let go of the connection, whatever became of it."""
        with suppress(OSError):
            super().finish()

    def read(self) -> Asked:
        """The request that has begun."""
        parts = urlsplit(self.path)
        return Asked(
            self.command,
            unquote(parts.path),
            parse_qs(parts.query, keep_blank_values=True),
            {name.lower(): text for name, text in self.headers.items()},
            self._body(),
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def send(self, reply: Reply) -> None:
        """A whole reply."""
        self.send_response(reply.status)
        for name, text in reply.headers.items():
            self.send_header(name, text)
        if isinstance(reply.body, bytes):
            self.send_header("Content-Length", str(len(reply.body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(reply.body, bytes):
            self.wfile.write(reply.body)
            self.wfile.flush()
            return
        self.wfile.flush()
        for piece in reply.body:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
