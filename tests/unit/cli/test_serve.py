"""`daggr app.py`: what it prints, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.servers import Servers

GRAPH = """
from daggr import FnNode, Graph
def hello(): return "hello"
graph = Graph("Hello", nodes=[FnNode(hello)])
"""


def daggr(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "daggr.cli", *arguments],
        cwd=folder,
        env=os.environ | {"DAGGR_STORE": str(folder / "store")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n  pass", "app.py:1 is not Python: "),
        ("x = 1", "app.py makes no Graph."),
        ("\n1 / 0", "app.py failed: ZeroDivisionError: division by zero\n  app.py:2  1 / 0"),
        ("import nowhere", "app.py failed: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit('enough')", "app.py failed: ended itself: enough"),
        (
            GRAPH + "other = Graph('Other', nodes=[FnNode(hello)])",
            "makes several graphs (graph, other) and launches none",
        ),
        (GRAPH + "graph.launch(shar=True)", "launch() has no option 'shar'"),
        (GRAPH + "graph.launch(share=True)", "launch(share=…) is not built yet"),
        (GRAPH + "graph.launch(host='0.0.0.0')", "no access control"),
        (
            "from daggr import FnNode\nFnNode(lambda topic: 1, inputs={'toppic': 1})",
            "Did you mean: 'toppic' -> 'topic'",
        ),
        ("from daggr import once", "does not have once yet"),
    ],
)
def test_a_script_that_cannot_be_served_gets_one_clear_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "app.py").write_text(text)
    done = daggr(tmp_path, "app.py", "--port", "0")
    assert done.returncode == 2, done
    assert done.stderr.startswith("Error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert os.sep + "daggr" + os.sep not in done.stderr


def test_words_that_are_no_script(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GRAPH)
    (tmp_path / "binary.py").write_bytes(b"\x00\x01")
    for arguments, message in (
        (["ap.py"], "There is no script 'ap.py'.\nScripts in '.': app.py, binary.py\nDid you mean 'app.py'?"),
        (["gcc"], "daggr has no command 'gcc' and there is no such script.\nDid you mean 'gc'?"),
        (["."], "is a folder"),
        (["binary.py"], "binary.py is not Python"),
        (["app.py", "--port", "99999"], "99999"),
        (["app.py", "--prot", "1"], "--port"),
        ([], "SCRIPT"),
    ):
        done = daggr(tmp_path, *arguments)
        assert done.returncode == 2, done
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_and_the_next_free_one_used(tmp_path: Path, serve: Servers) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = serve(GRAPH, "--port", str(port))
        assert f"Port {port} is taken; using " in server.output()
        assert httpx.get(f"{server.url}/api/health").json()["status"] == "ok"
    assert server.stop() in (0, -15)


def test_the_main_guard_runs_and_only_the_launched_graph_is_served(serve: Servers) -> None:
    server = serve(GRAPH + "other = Graph('Other', nodes=[FnNode(hello)])\nif __name__ == '__main__': other.launch()\n")
    assert httpx.get(f"{server.url}/api/graph").json()["name"] == "Other"
    server.stop()


def test_python_app_py_serves_too(tmp_path: Path, serve: Servers) -> None:
    script = tmp_path / "app.py"
    script.write_text(GRAPH + "graph.launch(port=0)\n")
    server = serve.program(script)
    assert httpx.post(f"{server.url}/api/call").json() == {"outputs": {"hello": {"output": "hello"}}}
    server.stop()


def test_a_store_of_a_newer_daggr_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GRAPH)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "FORMAT").write_text('{"format": 9, "min_reader": 9, "store_id": "x"}')
    done = daggr(tmp_path, "app.py", "--port", "0")
    assert (done.returncode, "Update daggr" in done.stderr) == (3, True), done


def test_graph_run_gives_values_and_paths(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        GRAPH + "import gradio as gr\nfrom PIL import Image\n"
        "def size(p): return str(Image.open(p).size)\n"
        "def draw(): return Image.new('RGB', (3, 2))\n"
        "d = FnNode(draw, outputs={'p': gr.Image()})\n"
        "s = FnNode(size, inputs={'p': gr.Image()}, outputs={'size': None})\n"
        "path = Graph('Draw', nodes=[d]).run()['draw']['p']\n"
        "print(Graph('Size', nodes=[s]).run({'size__p': path}), graph.run())\n"
    )
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "{'size': {'size': '(3, 2)'}} {'hello': {'output': 'hello'}}\n", done.stderr


def test_an_unreachable_space_is_a_warning_and_then_the_nodes_error(serve: Servers) -> None:
    """The README's own script, offline: the canvas is there, and says what is missing."""
    server = serve(Path(__file__).resolve().parents[3] / "examples" / "quickstart.py")
    assert server.output().count("Warning: Space 'hf-applications/") == 2
    assert "Traceback" not in server.output()
    answer = httpx.post(f"{server.url}/api/call", json={"inputs": {}}, timeout=60)
    assert answer.status_code == 502
    assert "Z-Image-Turbo' is not looked up: HF_HUB_OFFLINE is set" in answer.json()["error"]
    server.stop()
