"""Spaces that have changed since a workflow was last launched: told at launch, and settled as the user says."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import Server, Servers, isolated_environment

OLD, NEW = "3f2c1ab" + "0" * 33, "9a1b2c3" + "0" * 33

SCRIPT = """
import os
import gradio as gr
from daggr import GradioNode, Graph
from daggr.testing.hub import FakeHub

hub = FakeHub().__enter__()
here = hub.patched()
here.__enter__()
hub.add_user("hf_ada_at_her_terminal", "ada")
hub.add_space("owner/painter", os.environ["APP"], sha=os.environ["SHA"])
node = GradioNode("owner/painter", "/text", name="up", inputs={"text": "abc"}, outputs={"upper": gr.Textbox()})
graph = Graph("Moving", nodes=[node])
if os.environ.get("RUN"):
    print(graph.run())
else:
    graph.launch()
"""


class Room:
    """A script, and a home that stays from launch to launch."""

    def __init__(self, folder: Path, app: str) -> None:
        self.folder = folder
        self.environment = isolated_environment(folder / "home") | {"APP": app}
        (folder / "app.py").write_text(SCRIPT)

    def command(self, sha: str, policy: str = "", **more: str) -> tuple[list[str], dict[str, str]]:
        environment = self.environment | {"SHA": sha, "DAGGR_DEPENDENCY_CHECK": policy} | more
        return [sys.executable, "-m", "daggr.cli", "app.py", "--port", "0"], environment

    def launch(self, sha: str, policy: str = "") -> str:
        """What it says until it answers."""
        command, environment = self.command(sha, policy)
        server = Server(command, self.folder, environment)
        server.stop()
        return server.output()

    def run(self, sha: str, policy: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """What becomes of it, if it ends by itself."""
        command, environment = self.command(sha, policy, **more)
        if "RUN" in more:
            command = [sys.executable, "app.py"]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def room(tmp_path: Path, gradio_app: Server, serve: Servers) -> Room:
    made = Room(tmp_path, gradio_app.url)
    assert "changed" not in made.launch(OLD).lower(), "the first time there is nothing to compare with"
    return made


def test_a_change_is_told_and_accepted_without_a_terminal(room: Room) -> None:
    told = room.launch(NEW)
    assert "space 'owner/painter' (node up, app.py:12): 3f2c1ab → 9a1b2c3" in told
    assert "owner/painter" not in room.launch(NEW), "it is told once"


def test_a_change_ends_the_launch_if_it_shall(room: Room) -> None:
    refused = room.run(NEW, "error")
    assert refused.returncode == 2
    assert "space 'owner/painter' (node up, app.py:12): 3f2c1ab → 9a1b2c3" in refused.stderr
    assert "DAGGR_DEPENDENCY_CHECK=update" in refused.stderr
    headless = room.run(NEW, "error", RUN="1")
    assert headless.returncode == 1
    assert "3f2c1ab → 9a1b2c3" in headless.stderr
    assert "3f2c1ab → 9a1b2c3" in room.launch(NEW, "update")
    assert room.run(NEW, "error", RUN="1").stdout == "{'up': {'upper': 'ABC'}}\n"


def test_nobody_looks_if_nobody_shall(room: Room) -> None:
    assert "owner/painter" not in room.launch(NEW, "skip")
    assert "3f2c1ab → 9a1b2c3" in room.launch(NEW, "update"), "it was not accepted either"


def test_a_wrong_word_is_told(room: Room) -> None:
    refused = room.run(NEW, "eror")
    assert refused.returncode == 2
    assert "Did you mean 'error'?" in refused.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_on_a_terminal_it_is_asked(room: Room) -> None:
    import pty

    command, environment = room.command(NEW, HF_TOKEN="hf_ada_at_her_terminal")
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=room.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    try:
        said = _until(mine, "[keep/accept]")
        assert "Keep 3f2c1ab" in said
        os.write(mine, b"what?\n")
        _until(mine, "[keep/accept]")
        os.write(mine, b"accept\n")
        _until(mine, "Running on http://")
    finally:
        process.terminate()
        process.wait(20)
        os.close(mine)
    assert "owner/painter" not in room.launch(NEW)


def _until(terminal: int, words: str) -> str:
    """What a terminal shows until these words come."""
    said, end = "", time.monotonic() + 60
    while words not in said:
        assert time.monotonic() < end, said
        if select.select([terminal], [], [], 0.5)[0]:
            said += os.read(terminal, 4096).decode()
    return said
