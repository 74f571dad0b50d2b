"""A network that fails as it is told to: a proxy before a web app, each of whose requests can meet a fault.

with FaultProxy(app.url) as proxy:
proxy.fault("stall", path="/queue/data", after=200)
...  # what calls `proxy.url` gets 200 bytes of that answer, and then silence
"""

from __future__ import annotations

import http.client
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from daggr.testing.web import Asked, Conversation, Listener, Reply

Kind = Literal["latency", "reset", "truncate", "black_hole", "status", "stall", "half_close", "rewrite"]
P = TypeVar("P", bound="FaultProxy")

HOPS = ("connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection")
BLOCK = 1 << 16
UPSTREAM_SECONDS = 120.0


@dataclass
class Fault:
    """What happens to the requests whose path fits.

    Attributes:
        kind: "latency": it takes so many `seconds` more. "reset": the connection is reset after so many bytes of the
            answer's body. "truncate": it is closed there. "half_close": only the proxy's side of it is. "stall": it
            stays open, and nothing more comes. "black_hole": it is read, and never answered. "status": the answer is
            the proxy's. "rewrite": what fits `pattern` in the answer's body becomes `body`,
            as a hostile app would say it.
        path: A regular expression, looked for in the path without its query.
        times: How many requests it is for; None: all.
        after: Bytes of the answer's body; None: not even its head is sent.
        forward: Whether the app gets the request all the same, when nothing of its answer is passed on.
    """

    kind: Kind
    path: str = ""
    times: int | None = None
    after: int | None = None
    forward: bool = True
    seconds: float = 0.0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pattern: bytes = b""


class FaultProxy:
    """A proxy before `upstream`. Faults can be set and cleared while it runs.

    Attributes:
        requests: Method and path of all that came, in order, those that met a fault included.
        met: When each fault was met (`time.monotonic`).
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream.rstrip("/")
        self.requests: list[tuple[str, str]] = []
        self.met: list[float] = []
        self.closing = threading.Event()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it answers, or did before it was closed."""
        if not self._port:
            raise RuntimeError("The proxy has not been started: use it in a `with` statement.")
        return f"http://127.0.0.1:{self._port}"

    def fault(self, kind: Kind, *, path: str = "", times: int | None = None, **how: Any) -> None:
        """From now on, let requests meet a fault; see `Fault`. The first one set that fits is met."""
        with self._lock:
            self._faults.append(Fault(kind, path, times, **how))

    def clear(self) -> None:
        """No faults any more, and no record of what came. What already stalls goes on to."""
        with self._lock:
            self._faults.clear()
            self.requests.clear()
            self.met.clear()

    def count(self, path: str = "", method: str = "") -> int:
        """How many requests came whose path fits a regular expression."""
        return sum(bool(re.search(path, there)) for how, there in list(self.requests) if method in ("", how))

    def meet(self, path: str) -> Fault | None:
        """The fault of a request that has come, one of its times being used up."""
        with self._lock:
            for fault in self._faults:
                if fault.times != 0 and re.search(fault.path, path):
                    fault.times = None if fault.times is None else fault.times - 1
                    self.met.append(time.monotonic())
                    return fault
        return None

    def start(self: P) -> P:
        """Listen: on a free port, or where it did before it was closed."""
        self.closing.clear()
        self._listener = Listener(("127.0.0.1", self._port), _Relay)
        self._port = self._listener.server_address[1]
        self._listener.owner = self
        threading.Thread(target=self._listener.serve_forever, args=(0.01,), name="daggr-proxy", daemon=True).start()
        return self

    def close(self) -> None:
        """End everything, what stalls included."""
        listener, self._listener = self._listener, None
        self.closing.set()
        if listener is not None:
            listener.shutdown()
            listener.server_close()
            listener.hang_up()

    def __enter__(self: P) -> P:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()


class _Reset(ConnectionError):
    """The connection is reset: by a fault, or because the app or the caller went away."""


class _Closed(ConnectionError):
    """The connection is closed, in all politeness, wherever the answer is."""


class _Relay(Conversation):
    def setup(self) -> None:
        super().setup()
        self.proxy: FaultProxy = self.server.owner
        self.upstream: http.client.HTTPConnection | None = None

    def finish(self) -> None:
        self._hang_up()
        super().finish()

    def answer(self) -> None:
        """One request: its fault, or what the app says."""
        asked = self.read()
        self.proxy.requests.append((asked.method, asked.path))
        fault = self.proxy.meet(asked.path)
        try:
            self._meet(fault, asked)
        except _Closed:
            self.close_connection = True
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            self._reset()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def _meet(self, fault: Fault | None, asked: Asked) -> None:
        if fault is not None and fault.kind == "latency":
            self._wait(fault.seconds)
            fault = None
        if fault is not None and fault.kind == "status":
            self.send(Reply(fault.status, fault.body, fault.headers))
        elif fault is not None and fault.kind == "black_hole":
            self._wait()
        elif fault is not None and fault.kind != "rewrite" and fault.after is None:
            if fault.forward:
                self._ask(asked).read()
            self._break(fault)
        else:
            self._pass(self._ask(asked), fault)

    def _ask(self, asked: Asked) -> http.client.HTTPResponse:
        """The app's answer; its body is still to be read. A connection for each, so that nothing is ever sent twice."""
        headers = {name: text for name, text in self.headers.items() if name.lower() not in (*HOPS, "content-length")}
        self._hang_up()
        self.upstream = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=UPSTREAM_SECONDS)
        self.upstream.request(asked.method, self.path, asked.body or None, {**headers, "Connection": "close"})
        return self.upstream.getresponse()

    def _hang_up(self) -> None:
        if self.upstream is not None:
            self.upstream.close()

    def _pass(self, response: http.client.HTTPResponse, fault: Fault | None) -> None:
        rewrite = fault is not None and fault.kind == "rewrite"
        self.send_response_only(response.status, response.reason)
        for name, text in response.getheaders():
            if name.lower() not in (*HOPS, "content-length" if rewrite else ""):
                self.send_header(name, text)
        chunked = (rewrite or response.getheader("Content-Length") is None) and self.command != "HEAD"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        left = None if fault is None else fault.after
        while block := response.read1(BLOCK if left is None else max(left, 1)):
            if fault is not None and left == 0:
                self._break(fault)
            left = None if left is None else left - len(block)
            if fault is not None and rewrite:
                block = re.sub(fault.pattern, lambda _: fault.body, block)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            self.wfile.flush()
        self._hang_up()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _break(self, fault: Fault) -> None:
        """End or hang here. It does not come back."""
        if fault.kind == "stall":
            self._wait()
        elif fault.kind == "half_close":
            self.connection.shutdown(socket.SHUT_WR)
            self._wait()
        elif fault.kind == "truncate":
            raise _Closed
        raise _Reset

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())  # at once: the files made of it would keep it open

    def _wait(self, seconds: float | None = None) -> None:
        """Say nothing for so long, or until somebody hangs up."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            if self.proxy.closing.wait(0.02):
                raise _Reset
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                raise _Reset
