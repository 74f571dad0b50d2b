"""What the documents show exists: code compiles, names are exported, make knows the commands, files are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import daggr

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_in_documents_compiles_and_imports_what_there_is(document: Path) -> None:
    for block in blocks(document, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "daggr":
                assert {alias.name for alias in node.names} <= set(daggr.__all__)


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


def test_the_inputs_that_the_readme_calls_the_example_with_are_the_examples() -> None:
    called = re.findall(r'"(\w+__\w+)":', (ROOT / "README.md").read_text(encoding="utf-8"))
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
    assert {name for name in called if name != "node__port"} <= ids
