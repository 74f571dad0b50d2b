"""Gradio apps, and other programs on loopback, as processes of their own: started, killed, started again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

READY = re.compile(r"^Running on (http://127\.0\.0\.1:(\d+))", re.MULTILINE)
STARTUP_SECONDS = 60.0
GRACE_SECONDS = 10.0
LOOPBACK = Path(__file__).with_name("loopback.py")

P = TypeVar("P", bound="Program")


class Program:
    """A program that says `Running on http://127.0.0.1:PORT` when it is ready, in a process group of its own.

    Attributes:
        folder: Where it runs.
        command: How it is started.
        log: What it printed.
        url: Where it answers.

    Raises:
        RuntimeError: it ended, or said nothing, within `STARTUP_SECONDS`; the message holds all it printed.
    """

    process: subprocess.Popen[bytes]
    url: str

    def __init__(self, command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.command = [str(part) for part in command]
        self.env = None if env is None else dict(env)
        self.log = folder / "output.log"

    def start(self: P) -> P:
        """Start it, and wait until it is ready."""
        self._launch(self.command)
        return self

    def output(self) -> str:
        """Everything it printed until now."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it with all its children; its exit code. A second time does nothing."""
        self._signal(how)
        try:
            code = self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            code = self.process.wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that outlived their parent
        return code

    def __enter__(self: P) -> P:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _launch(self, command: Sequence[str]) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.url = self._wait()
        except BaseException:
            self.stop()
            raise

    def _signal(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)

    def _wait(self) -> str:
        end = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < end:
            if match := READY.search(self.output()):
                return match[1]
            if (code := self.process.poll()) is not None:
                raise RuntimeError(f"{' '.join(self.command)} ended with {code}:\n{self.output()}")
            time.sleep(0.02)
        raise RuntimeError(f"{' '.join(self.command)} was not ready in {STARTUP_SECONDS:.0f} s:\n{self.output()}")


class GradioApp(Program):
    """A script that serves a Gradio app; it is given `--port PORT` when it is started again, to keep its address.

        with GradioApp("app.py") as app:
            GradioNode(app.url, api_name="/predict")
            app.stop(signal.SIGKILL)
            app.start()                     # the same url

    Args:
        script: Prints `Running on http://127.0.0.1:PORT` when it is ready, and understands `--port`.
        folder: Where it runs; a new one, removed at the end, if none is given.
        options: Further arguments.
        env: All of its environment; that of this process if none is given.
    """

    def __init__(
        self,
        script: str | Path,
        folder: Path | None = None,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._own = folder is None
        folder = Path(tempfile.mkdtemp(prefix="daggr-app-")) if folder is None else folder
        super().__init__([sys.executable, "-u", Path(script).resolve(), *options], folder, env)
        self.url = ""

    def start(self: P) -> P:
        """Start it, at the same address as before if it ran before."""
        port = self.url.rpartition(":")[2]
        self._launch([*self.command, *(["--port", port] if port else [])])
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)


def loopback(
    folder: Path | None = None, options: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> GradioApp:
    """An app with every kind of endpoint; see `daggr.testing.loopback`. `options`: `--max-size N`, of its queue."""
    return GradioApp(LOOPBACK, folder, options, env)
