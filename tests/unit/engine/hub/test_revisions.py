"""Revisions: what has changed is found out without asking anybody, and the file outlives damage and company."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daggr import ChoiceNode, FnNode, GradioNode, Graph
from daggr.engine.hub.revisions import Moved, Revisions, called, changes
from daggr.graph.drawing import Drawing
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.remote import Repo

OLD, NEW = "3f2c1ab" + "0" * 33, "9a1b2c3" + "0" * 33
SPACE = Repo("space", "owner/name")


def drawing(*nodes: GradioNode | ChoiceNode, name: str = "g") -> Drawing:
    return drawing_of(Graph(name, nodes=list(nodes)))


def caller(source: str, name: str, revision: str | None = None) -> GradioNode:
    return GradioNode(source, name=name, inputs={"text": gr.Textbox()}, outputs={"out": None}, revision=revision)


# ---------------------------------------------------------------- what has changed

REPOS = [f"owner/{letter}" for letter in "abcde"]
COMMITS = st.sampled_from(["1" * 40, "2" * 40, "3" * 40])
KNOWN = st.dictionaries(st.sampled_from([Repo("space", id) for id in REPOS]), COMMITS)
PINS = st.lists(st.tuples(st.sampled_from(REPOS), st.sampled_from([None, "1" * 40])), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(KNOWN, KNOWN, PINS)
def test_changes_are_what_differs_and_is_called_by_a_node_without_a_pin(
    recorded: dict[Repo, str], observed: dict[Repo, str], calls: list[tuple[str, str | None]]
) -> None:
    drawn = drawing(*(caller(source, f"n{number}", pin) for number, (source, pin) in enumerate(calls)))
    found = {one.repo: one for one in changes(recorded, observed, drawn)}
    for repo in {*recorded, *observed, *called(drawn)}:
        free = tuple(f"n{number}" for number, (source, pin) in enumerate(calls) if source == repo.id and not pin)
        differs = repo in recorded and repo in observed and recorded[repo] != observed[repo]
        assert (repo in found) == bool(differs and free)
        if repo in found:
            assert (found[repo].old, found[repo].new, found[repo].nodes) == (recorded[repo], observed[repo], free)
    assert changes(observed, observed, drawn) == []
    accepted = {**recorded, **{repo: one.new for repo, one in found.items()}}
    assert changes(accepted, observed, drawn) == [], "what is accepted is settled"


def test_a_change_says_where_and_what() -> None:
    assert str(Moved(SPACE, OLD, NEW, ("painter",), "app.py:14")) == (
        "space 'owner/name' (node painter, app.py:14): 3f2c1ab → 9a1b2c3"
    )
    assert str(Moved(SPACE, OLD, NEW, ("a", "b"), None)) == "space 'owner/name' (nodes a, b): 3f2c1ab → 9a1b2c3"


def test_the_variants_of_choices_count() -> None:
    choice = ChoiceNode([caller("owner/name", "one"), caller("owner/other", "two")], name="which")
    drawn = drawing(choice)
    assert {repo.id for repo in called(drawn)} == {"owner/name", "owner/other"}


def test_urls_and_functions_are_no_dependencies() -> None:
    def own(text: str) -> str:
        return text

    drawn = drawing_of(Graph("g", nodes=[FnNode(own, inputs={"text": "a"}), caller("http://127.0.0.1:1", "url")]))
    assert called(drawn) == {}


# ---------------------------------------------------------------- the file


def test_commits_are_recorded_by_graph(tmp_path: Path) -> None:
    path = tmp_path / "hub" / "revisions.json"
    Revisions(path).record("one", {SPACE: OLD, Repo("model", "a/m"): NEW, Repo("model", "a/none"): ""})
    Revisions(path).record("two", {SPACE: NEW})
    assert Revisions(path).recorded("one") == {SPACE: OLD, Repo("model", "a/m"): NEW}
    assert Revisions(path).recorded("two") == {SPACE: NEW}
    assert Revisions(path).recorded("three") == {}
    Revisions(path).record("one", {SPACE: NEW}, only_new=True)
    assert Revisions(path).recorded("one")[SPACE] == OLD
    Revisions(path).record("one", {SPACE: NEW})
    assert Revisions(path).recorded("one")[SPACE] == NEW


def test_a_copy_stands_for_the_commit_that_it_was_made_of(tmp_path: Path) -> None:
    revisions = Revisions(tmp_path / "revisions.json")
    revisions.keep("g", SPACE, "ada/name-3f2c1ab")
    assert revisions.kept("g", SPACE) is None, "of what is not recorded there is no copy"
    revisions.record("g", {SPACE: OLD})
    revisions.keep("g", SPACE, "ada/name-3f2c1ab")
    assert revisions.kept("g", SPACE) == "ada/name-3f2c1ab"
    revisions.record("g", {SPACE: OLD})
    assert revisions.kept("g", SPACE) == "ada/name-3f2c1ab"
    revisions.record("g", {SPACE: NEW})
    assert revisions.kept("g", SPACE) is None


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_what_can_be_read_and_can_be_written_again(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "revisions.json"
    revisions = Revisions(path)
    revisions.record("g", {SPACE: OLD, Repo("model", "a/m"): OLD})
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=12)) + whole[end:])
    for repo, sha in revisions.recorded("g").items():
        assert isinstance(repo.id, str)
        assert set(sha) <= set("0123456789abcdef")
    revisions.record("g", {SPACE: NEW})
    assert revisions.recorded("g")[SPACE] == NEW


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 2, "graphs": {}}',
        '{"format": 1, "graphs": {"g": 3}}',
        '{"format": 1, "graphs": {"g": {"space a/b": 1, "ship a/b": {"sha": "1234567"}, "space": {"sha": 3}}}}',
    ],
)
def test_files_of_other_kinds_hold_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "revisions.json"
    path.write_text(text)
    assert Revisions(path).recorded("g") == {}
    Revisions(path).record("g", {SPACE: NEW})
    assert Revisions(path).recorded("g") == {SPACE: NEW}


def test_a_folder_that_cannot_be_written_records_nothing_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    revisions = Revisions(tmp_path / "file" / "revisions.json")
    revisions.record("g", {SPACE: NEW})
    assert revisions.recorded("g") == {}


WRITER = """
import sys
from pathlib import Path
from daggr.engine.hub.revisions import Revisions
from daggr.graph.nodes.remote import Repo
revisions, who = Revisions(Path(sys.argv[1])), sys.argv[2]
for number in range(15):
    revisions.record(f"graph {who}", {Repo("space", f"{who}/{number}"): f"{number:040x}"})
    assert len(revisions.recorded(f"graph {who}")) == number + 1
"""


def test_several_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "revisions.json"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"w{number}"]) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    for number in range(4):
        assert len(Revisions(path).recorded(f"graph w{number}")) == 15
