"""The composition root: settings → store → engine → server. Everything is put together here and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import re
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import uvicorn

from daggr import config
from daggr.engine.engine import Answer, CacheMode, Engine
from daggr.engine.intake import with_files
from daggr.engine.outputs import LISTS
from daggr.engine.program import Program
from daggr.engine.remotes import raise_wrong
from daggr.engine.trial import named, trial
from daggr.errors import ArtifactCorruptError, ArtifactMissingError, ConfigError, did_you_mean
from daggr.graph.drawing import Drawing
from daggr.graph.graph import Graph, drawing_of
from daggr.graph.nodes.base import Node, spec_of
from daggr.server.app import make_app
from daggr.server.guard import LOOPBACK
from daggr.store.store import Store

LOCAL_USER = "local"
Say = Callable[[str], None]

LOOK = 0.1
"""Seconds between two looks whether a call is to stop."""


class Runtime:
    """Does what graphs and nodes ask for, in this process. `overrides` win over what scripts say."""

    def __init__(self, overrides: Mapping[str, Any] | None = None, say: Say | None = None) -> None:
        self._overrides = {name: value for name, value in (overrides or {}).items() if value is not None}
        self._say = say or _say

    def launch(self, graph: Graph, options: Mapping[str, Any]) -> None:
        """Serve a graph until interrupted."""
        chosen = _launch_options({**options, **self._overrides})
        settings = config.load(store=chosen.get("store"), host=chosen.get("host"), port=chosen.get("port"))
        if settings.host not in LOOPBACK:
            raise ConfigError(
                f"daggr cannot listen on {settings.host!r} yet: it has no access control so far, so anybody who can "
                "reach the port could run the workflow.",
                "Listen on 127.0.0.1 and use a tunnel, such as `ssh -L`.",
            )
        allowed = _folders(chosen.get("allowed_paths") or ())
        with _engine(drawing_of(graph), settings, allowed) as (engine, program):
            engine.warm_up(program)
            engine.settle(program.drawing, self._say, _ask if sys.stdin.isatty() and sys.stdout.isatty() else None)
            wrong = engine.check(program.drawing)
            raise_wrong(wrong)
            for error in wrong:
                self._say(f"Warning: {error}")
            _serve(engine, program, settings, self._say, open_browser=bool(chosen.get("open_browser", False)))

    def run(self, graph: Graph, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        """Run all subgraphs of a graph; the outputs of its output nodes."""
        return self._run(drawing_of(graph), inputs, cache, threading.Event())

    async def arun(self, graph: Graph, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        """The same without blocking the event loop. What runs is stopped when this is cancelled."""
        drawing, stopped = drawing_of(graph), threading.Event()
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1, "daggr-arun") as own:
            work = own.submit(context.run, self._run, drawing, inputs, cache, stopped)
            try:
                return await asyncio.wrap_future(work)
            finally:
                stopped.set()

    def _run(
        self, drawing: Drawing, inputs: Mapping[str, Any], cache: str, stopped: threading.Event
    ) -> dict[str, dict[str, Any]]:
        return self._ran(drawing, inputs, cache, stopped)[0]

    def _ran(
        self, drawing: Drawing, inputs: Mapping[str, Any], cache: str, stopped: threading.Event
    ) -> tuple[dict[str, dict[str, Any]], Answer]:
        """The outputs of the output nodes, and the runs."""
        settings = config.load(store=self._overrides.get("store"))
        known_as = drawing.persist_key
        if cache == "off":
            drawing, cache = replace(drawing, persist_key=None), "use"
        with _engine(drawing, settings, known_as=known_as) as (engine, program):
            digests = _stage(engine, program, inputs)
            nodes = frozenset(program.drawing.nodes)
            future = engine.call(program, LOCAL_USER, digests, nodes, cast(CacheMode, cache))
            try:
                answer = _result(future, stopped)
                return _values(engine, program, answer), answer
            except (ArtifactMissingError, ArtifactCorruptError):  # what was known is damaged: it is made again
                answer = _result(engine.call(program, LOCAL_USER, digests, nodes, "refresh"), stopped)
                return _values(engine, program, answer), answer

    def test(self, node: Node, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one node alone, uncached; its outputs by port. Files are in a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="daggr-") as folder:
            drawing, given = trial(spec_of(node), inputs, Path(folder))
            name, spec = next(iter(drawing.nodes.items()))
            values, answer = self._ran(drawing, given, "off", threading.Event())
            return named(spec, values[name], answer.runs[name])


@contextmanager
def _engine(
    drawing: Drawing, settings: config.Settings, allowed: Iterable[Path] = (), known_as: str | None = None
) -> Iterator[tuple[Engine, Program]]:
    with Store(settings.store if drawing.persist_key else None, settings.durability) as store:
        cache = config.cache_folder() / "hub"
        engine = Engine(store, allowed=allowed, cache=cache, policy=settings.dependency_check, known_as=known_as)
        try:
            yield engine, engine.load(drawing)
        finally:
            engine.close()


# ---------------------------------------------------------------- serving

_OPTIONS = ("host", "port", "open_browser", "store", "allowed_paths")
_NOT_YET = ("share", "auth", "theme", "allowed_hosts", "api_server", "access_log")


def _launch_options(given: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if name in _NOT_YET and value:
            raise ConfigError(f"launch({name}=…) is not built yet in this version of daggr.", "Leave it out.")
        if name not in (*_OPTIONS, *_NOT_YET):
            raise ConfigError(
                f"launch() has no option {name!r}. Options: {', '.join(_OPTIONS)}.", did_you_mean(name, _OPTIONS)
            )
    return {name: value for name, value in given.items() if name in _OPTIONS}


def _folders(given: Any) -> list[Path]:
    """Folders from an option."""
    if isinstance(given, (str, Path)) or not all(isinstance(path, (str, Path)) for path in given):
        raise ConfigError(f"allowed_paths is a list of folders, such as ['/data']; given: {given!r}.")
    return [Path(path).expanduser().absolute() for path in given]


def _serve(engine: Engine, program: Program, settings: config.Settings, say: Say, *, open_browser: bool) -> None:
    listening = _listen(settings, say)
    host, port = listening.getsockname()[:2]
    url = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
    server = _Server(
        uvicorn.Config(
            make_app(engine, program, LOCAL_USER, _theme_css()),
            log_level="warning",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
            lifespan="on",
        ),
        lambda: _announce(url, say, open_browser=open_browser),
    )
    server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """A server that says when it answers, and ends without a trace on Ctrl-C."""

    def __init__(self, settings: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(settings)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        except (KeyboardInterrupt, asyncio.CancelledError):
            return


def _announce(url: str, say: Say, *, open_browser: bool) -> None:
    say(f"Running on {url}")
    if open_browser:
        webbrowser.open(url)


def _listen(settings: config.Settings, say: Say) -> socket.socket:
    """A socket on the first free port from the one asked for."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    tried = range(settings.port, min(settings.port + max(settings.ports_tried, 1), 65536)) if settings.port else [0]
    for port in tried:
        listening = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform != "win32":  # there it would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, port))
            listening.listen(128)
        except OSError:
            listening.close()
            continue
        if settings.port and port != settings.port:
            say(f"Port {settings.port} is taken; using {port}.")
        return listening
    raise ConfigError(
        f"No free port on {settings.host} from {settings.port} to {settings.port + settings.ports_tried - 1}.",
        "Give another with --port, or set DAGGR_NUM_PORTS to try more.",
    )


def _theme_css() -> str:
    """Gradio's default theme as CSS variables. The user's script has imported Gradio already, so asking it is free."""
    import gradio

    css: str = gradio.themes.Default()._get_theme_css()  # type: ignore[no-untyped-call]
    return re.sub(
        r"@font-face\s*{[^}]*}\s*|@import[^;]*;\s*", "", css
    )  # no web fonts: nothing is loaded from elsewhere


# ---------------------------------------------------------------- running without a server


def _stage(engine: Engine, program: Program, inputs: Mapping[str, Any]) -> dict[str, bytes]:
    """Inputs from Python: on a file input, a path is a file."""
    values = dict(inputs)
    for name, value in inputs.items():
        field = program.drawing.inputs.get(name)
        if field is None or value is None:
            continue
        if field.component.type in LISTS or (field.component.is_file and isinstance(value, (list, tuple))):
            values[name] = with_files(engine.store, name, value)
        elif field.component.is_file:
            values[name] = engine.stage_file(name, value)
    return engine.stage_inputs(program, values)


def _result(future: Future[Answer], stopped: threading.Event) -> Answer:
    """What a call answers. Now and then it is looked whether somebody wants it to stop: a thread cannot be woken."""
    try:
        while True:
            try:
                return future.result(timeout=LOOK)
            except FutureTimeout:
                if future.done():
                    return future.result()
                if stopped.is_set():
                    raise
    finally:
        future.cancel()


def _values(engine: Engine, program: Program, answer: Answer) -> dict[str, dict[str, Any]]:
    nodes = [node for subgraph in program.drawing.subgraphs for node in subgraph.outputs]
    folder = None if program.drawing.persist_key else Path(tempfile.mkdtemp(prefix="daggr-"))
    try:
        return {
            node: {output.port: engine.store.load(output.digest, folder) for output in answer.runs[node].outputs}
            for node in nodes
        }
    finally:
        if folder is not None:
            with contextlib.suppress(OSError):  # there are files in it, which are the caller's now
                folder.rmdir()


def _ask(question: str, options: Sequence[str]) -> str:
    """Ask on the terminal until the answer is one of the options, or begins like one."""
    while True:
        given = input(f"{question} [{'/'.join(options)}] ").strip().lower()
        for option in options:
            if given and option.startswith(given):
                return option


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
