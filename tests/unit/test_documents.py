"""What the documents show works: the README's code runs, the examples run, what is named is there."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import daggr
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
README = ROOT / "README.md"

NEEDS_MORE = {"postcards": "starts a Gradio app", "quickstart": "calls Spaces"}
"""Examples that other tests run."""

BEFORE = """
from daggr import runtime
from daggr.engine.script import Capture
from daggr.graph.graph import drawing_of

captured = Capture(runtime.current())
installed = runtime.installed(captured)
installed.__enter__()
"""
"""Put before the code of a document: what is launched is only noted, what is run runs."""

AFTER = """
for launched in captured.launched:
    print("launched", launched.graph.name, len(drawing_of(launched.graph).nodes))
print("the end")
"""


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_in_documents_compiles_and_imports_what_there_is(document: Path) -> None:
    for block in blocks(document, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "daggr":
                unknown = {alias.name for alias in node.names} - set(daggr.__all__)
                assert all(importlib.util.find_spec(f"daggr.{name}") is not None for name in unknown), unknown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_in_documents_are_in_the_makefile(document: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z0-9-]+)", document.read_text(encoding="utf-8"))) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_named_in_documents_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    named = re.findall(r"(?:daggr|pip install \. && daggr) (examples/\w+\.py)", text)
    for link in links:
        assert (document.parent / link).exists(), link
    for path in named:
        assert (ROOT / path).exists(), path


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    script = tmp_path / "readme.py"
    script.write_text("\n\n".join([BEFORE, *blocks(README, "python"), AFTER]), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "the end"
    launches = README.read_text(encoding="utf-8").count(".launch()\n")
    assert ran.stdout.count("launched ") == launches > 0


def test_the_inputs_that_the_readme_calls_the_example_with_are_the_examples() -> None:
    called = [name for block in blocks(README, "bash") for name in re.findall(r'"(\w+__\w+)":', block)]
    tree = ast.parse((ROOT / "examples" / "postcards.py").read_text(encoding="utf-8"))
    ids = {
        f"{name}__{port}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for arguments in [{keyword.arg: keyword.value for keyword in node.keywords}]
        if isinstance(inputs := arguments.get("inputs"), ast.Dict) and "name" in arguments
        for name in [ast.literal_eval(arguments["name"]).replace(" ", "_")]
        for port in [ast.literal_eval(key) for key in inputs.keys if key is not None]
    }
    assert called
    assert set(called) <= ids


# ---------------------------------------------------------------- examples


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], daggr.Graph]:
    """The graph of an example."""

    def load(name: str) -> daggr.Graph:
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        graph: daggr.Graph = module.graph
        return graph

    return load


def outputs(result: dict[str, dict[str, Any]]) -> Iterator[str]:
    return (value for ports in result.values() for value in ports.values())


@pytest.mark.parametrize("name", sorted({path.stem for path in ROOT.glob("examples/*.py")} - set(NEEDS_MORE)))
def test_an_example_runs_and_then_is_known(name: str, example: Callable[[str], daggr.Graph]) -> None:
    graph = example(name)
    assert drawing_of(graph).inputs
    first = graph.run()
    assert all(Path(path).stat().st_size > 1000 for path in outputs(first))
    assert graph.run(cache="only") == first


def test_a_changed_line_of_the_podcast_is_one_sample(
    example: Callable[[str], daggr.Graph], capsys: pytest.CaptureFixture[str]
) -> None:
    graph = example("podcast")
    seconds = [length(graph.run({"dialogue__lines": lines})["podcast"]["audio"]) for lines in ("One.\nTwo.", "One.")]
    assert seconds[0] > seconds[1] > 1
    capsys.readouterr()
    graph.run({"dialogue__lines": "One.\nThree."})
    assert capsys.readouterr().out == "speaking: Three.\n"


def length(path: str) -> float:
    with wave.open(path) as sound:
        return float(sound.getnframes() / sound.getframerate())


def test_either_painter_paints_and_both_are_remembered(example: Callable[[str], daggr.Graph]) -> None:
    graph = example("two_painters")
    results = {name: graph.run({"painter__variant": name}) for name in ("dots", "waves")}
    assert results["dots"] != results["waves"]
    assert graph.run({"painter__variant": "dots"}, cache="only") == results["dots"]


def test_a_scene_without_words_is_left_out_of_the_storyboard(example: Callable[[str], daggr.Graph]) -> None:
    with Store(None) as store, closing(Engine(store)) as engine:
        program = engine.load(drawing_of(example("storyboard")))
        sheets = engine.sheets(program, "me")
        sheet = sheets.all()[0].id

        def rows() -> int:
            _, done = engine.start(program, "me", sheet, "page", "to_here")
            assert done.result(timeout=60) is None
            with Image.open(store.load(sheets.state(sheet).heads["page"].outputs[0].digest)) as page:
                return page.height // 200

        assert rows() == 3
        scenes = store.load(sheets.state(sheet).heads["scenes"].outputs[0].digest)
        edited = store.artifacts.stage([{**scenes[0], "text": ""}, *scenes[1:]])
        store.put([edited])
        sheets.edit(sheet, "scenes", {"items": edited.digest})
        assert rows() == 2
        assert "a scene without words" in sheets.state(sheet).heads["pictures"].error
