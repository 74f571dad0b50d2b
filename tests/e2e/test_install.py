"""What the README promises first: a fresh checkout, an empty environment, no Node, and the canvas is served."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import pytest

from tests.servers import Server, isolated_environment

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "node_modules", "dist", "build", "__pycache__", ".*_cache")


def run(*command: str | Path, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.long
def test_a_fresh_checkout_is_installed_without_node_and_serves_the_example(tmp_path: Path) -> None:
    checkout = tmp_path / "daggr"
    shutil.copytree(ROOT, checkout, ignore=LEFT_OUT)
    venv.create(tmp_path / "venv", with_pip=True)
    place = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    env = isolated_environment(tmp_path) | {"PATH": str(place)}
    assert shutil.which("node", path=env["PATH"]) is None
    run(place / "python", "-m", "pip", "install", ".", cwd=checkout, env=env)
    again = run(
        place / "python", "-m", "pip", "install", "-v", "--force-reinstall", "--no-deps", ".", cwd=checkout, env=env
    )
    assert "nodejs" not in again, "an unchanged reinstall asks for Node"

    server = Server([place / "daggr", checkout / "examples" / "postcards.py", "--port", "0"], tmp_path / "home", env)
    try:
        page = httpx.get(server.url).text
        script = page.partition('src="')[2].partition('"')[0]
        assert script.startswith("/assets/")
        assert httpx.get(f"{server.url}{script}").status_code == 200
        inputs = {"paint__words": "Blue mountains", "paint__hour": 19}
        answers = [httpx.post(f"{server.url}/api/call", json={"inputs": inputs}, timeout=60) for _ in range(2)]
        assert [answer.headers["x-daggr-cache"] for answer in answers] == ["miss", "hit"]
        assert answers[0].json() == answers[1].json()
        sheet = httpx.get(server.url + answers[0].json()["outputs"]["contact sheet"]["sheet"])
        assert sheet.headers["content-type"] == "image/png"
    finally:
        server.stop()
