"""Starting real programs for tests: each in its own process group, its output kept for the message when it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from daggr.testing.apps import Program

DROPPED = ("DAGGR_", "GRADIO_", "HF_", "HUGGING_FACE_", "SPACE_", "AWS_")
"""Variables of the machine that a test must not see, by prefix."""


KEPT = ("DAGGR_CHROMIUM",)


def isolated_environment(folder: Path) -> dict[str, str]:
    """An environment without the machine's tokens, caches and settings: all of them live under `folder`."""
    kept = {name: text for name, text in os.environ.items() if name in KEPT or not name.startswith(DROPPED)}
    return kept | {
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "share"),
        "HF_HOME": str(folder / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DAGGR_STORE": str(folder / "store"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
    }


class Server(Program):
    """A program that runs from the moment it is made; see `daggr.testing.apps.Program`."""

    def __init__(self, command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> None:
        super().__init__(command, folder, env)
        self.start()


class Servers:
    """All servers of a test session. Call it with a script (its path or its text) to start one more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[Server] = []

    def __call__(
        self, script: Path | str, *options: str, store: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Server:
        """Serve a script with the real command line, on a free port and, unless given, a store of its own."""
        folder = self._new_folder()
        if isinstance(script, str) and "\n" in script:
            text, script = script, folder / "app.py"
            script.write_text(text, encoding="utf-8")
        own = isolated_environment(folder) | ({"DAGGR_STORE": str(store)} if store else {}) | dict(env or {})
        command = [sys.executable, "-m", "daggr.cli", str(Path(script).resolve()), "--port", "0", *options]
        return self._add(Server(command, folder, own))

    def program(self, script: Path) -> Server:
        """Start a plain Python program."""
        folder = self._new_folder()
        return self._add(Server([sys.executable, script], folder, isolated_environment(folder)))

    def stop(self) -> None:
        """Stop all, the last one first."""
        while self.running:
            self.running.pop().stop()

    def origins(self) -> set[str]:
        """Where the servers answer."""
        return {server.url for server in self.running}

    def _add(self, server: Server) -> Server:
        self.running.append(server)
        return server

    def _new_folder(self) -> Path:
        folder = self.folder / f"server-{len(list(self.folder.glob('server-*')))}"
        folder.mkdir(parents=True)
        return folder
