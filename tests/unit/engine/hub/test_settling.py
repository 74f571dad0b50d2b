"""Changes of Spaces and models at launch: shown, asked about, accepted, refused, or kept away by a copy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from daggr import EndpointError, Graph
from daggr.config import DependencyCheck
from daggr.engine.hub.hub import Hub
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.engine.hub.revisions import Moved, Revisions
from daggr.engine.hub.settling import ACCEPT, KEEP, Settling
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.inference import InferenceNode
from daggr.graph.nodes.remote import Repo
from daggr.testing.hub import FakeHub, FakeSpace
from tests.unit.engine.hub.test_revisions import caller, drawing

SPACE = Repo("space", "owner/name")
FILES = {"app.py": b"import gradio", "README.md": b"---\nsdk: gradio\n---\n", "assets/a.bin": b"\x00\x01"}


class Desk:
    """A launch: what is said, and what the user answers."""

    def __init__(self, folder: Path, credential: Credential = NOBODY) -> None:
        self.revisions = Revisions(folder / "revisions.json")
        self.credential = credential
        self.said: list[str] = []
        self.asked: list[tuple[str, Sequence[str]]] = []
        self.answers: list[str] | None = None
        self.hub: Hub

    def launch(self, policy: DependencyCheck = "ask", revision: str | None = None) -> list[Moved]:
        self.said.clear()
        drawn = drawing(caller("owner/name", "painter", revision), caller("http://127.0.0.1:1", "other"))

        async def settle() -> list[Moved]:
            worker = ThreadWorker()
            self.hub = Hub(worker, None)
            ask = self._ask if self.answers is not None else None
            settling = Settling(self.hub, self.revisions, worker, self.credential, self.said.append, ask)
            try:
                return await settling.settle(drawn, policy)
            finally:
                worker.close()

        return asyncio.run(settle())

    def _ask(self, question: str, options: Sequence[str]) -> str:
        self.asked.append((question, options))
        assert self.answers is not None
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)

    def recorded(self) -> str:
        return self.revisions.recorded("g").get(SPACE, "")


@pytest.fixture
def space(hub: FakeHub) -> FakeSpace:
    return hub.add_space("owner/name", "http://127.0.0.1:1", files=dict(FILES))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def moved_on(space: FakeSpace) -> tuple[str, str]:
    old = space.sha
    return old, space.commit({**FILES, "app.py": b"something else"})


def test_what_is_met_for_the_first_time_is_recorded_without_a_word(space: FakeSpace, desk: Desk) -> None:
    assert desk.launch() == []
    assert desk.recorded() == space.sha
    assert desk.hub.observed == {SPACE: space.sha}
    assert desk.launch() == []
    assert desk.said == []


def test_without_a_terminal_a_change_is_accepted_and_reported(space: FakeSpace, desk: Desk) -> None:
    desk.launch()
    old, new = moved_on(space)
    (change,) = desk.launch()
    assert (change.repo, change.old, change.new, change.nodes) == (SPACE, old, new, ("painter",))
    assert change.where is not None
    assert desk.said == [
        "Changed since it was recorded, and accepted:\n"
        f"  space 'owner/name' (node painter, {change.where}): {old[:7]} → {new[:7]}"
    ]
    assert desk.launch() == []


def test_skip_asks_nobody(hub: FakeHub, space: FakeSpace, desk: Desk) -> None:
    desk.launch()
    old, _ = moved_on(space)
    asked = len(hub.requests)
    assert desk.launch("skip") == []
    assert (len(hub.requests), desk.recorded(), desk.said) == (asked, old, [])


def test_error_refuses_and_says_how_to_accept(space: FakeSpace, desk: Desk) -> None:
    desk.launch("error")
    old, new = moved_on(space)
    for _ in range(2):
        with pytest.raises(EndpointError, match=f"space 'owner/name' .*: {old[:7]} → {new[:7]}") as told:
            desk.launch("error")
        assert "DAGGR_DEPENDENCY_CHECK=update" in told.value.hint
    desk.launch("update")
    assert new[:7] in desk.said[0]
    assert desk.launch("error") == []


def test_models_are_accepted_and_reported(hub: FakeHub, desk: Desk) -> None:
    model = hub.add_model("owner/model")
    drawn = drawing_of(Graph("g", nodes=[InferenceNode("owner/model", inputs={"text": "a"})]))
    desk.answers = [KEEP, KEEP]

    async def settle() -> list[Moved]:
        worker = ThreadWorker()
        settling = Settling(
            Hub(worker, None), desk.revisions, worker, Credential(hub.token), desk.said.append, desk._ask
        )
        try:
            return await settling.settle(drawn, "ask")
        finally:
            worker.close()

    assert asyncio.run(settle()) == []
    model.sha = "1" * 40
    (change,) = asyncio.run(settle())
    assert (str(change.repo), change.new) == ("model owner/model", "1" * 40)
    assert not desk.asked, "there is nothing to choose"
    assert "1111111" in desk.said[0]


def test_a_hub_that_does_not_answer_is_a_warning(hub: FakeHub, space: FakeSpace, desk: Desk) -> None:
    for policy in ("ask", "error", "update"):
        hub.fail("/api/", 503, times=1)
        assert desk.launch(policy) == []  # type: ignore[arg-type]
        assert len(desk.said) == 1
        assert desk.said[0].startswith("Warning: ")
        assert "space owner/name" in desk.said[0]
    assert desk.recorded() == ""


def test_what_is_not_there_is_left_to_the_check(hub: FakeHub, desk: Desk) -> None:
    assert desk.launch() == []
    assert desk.said == []


def test_a_pinned_node_is_nobodys_change(space: FakeSpace, desk: Desk) -> None:
    desk.launch()
    moved_on(space)
    assert desk.launch("error", revision=space.sha) == []


@pytest.fixture
def ada(hub: FakeHub, tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, Credential(hub.token))
    desk.answers = []
    return desk


def test_a_change_can_be_accepted_by_hand(space: FakeSpace, ada: Desk) -> None:
    ada.launch()
    old, new = moved_on(space)
    ada.answers = [ACCEPT]
    ada.launch()
    ((question, options),) = ada.asked
    assert f"{old[:7]} → {new[:7]}" in question
    assert list(options) == [KEEP, ACCEPT]
    assert ada.recorded() == new


def test_nobody_at_the_terminal_accepts(space: FakeSpace, ada: Desk) -> None:
    ada.launch()
    _, new = moved_on(space)
    ada.launch()
    assert ada.recorded() == new


def test_who_is_not_logged_in_is_not_offered_a_copy(space: FakeSpace, desk: Desk) -> None:
    desk.answers = [KEEP]
    desk.launch()
    moved_on(space)
    desk.launch()
    assert not desk.asked
    assert len(desk.said) == 1


def test_keeping_makes_a_private_copy_that_is_used_from_then_on(
    hub: FakeHub, space: FakeSpace, ada: Desk, tmp_path: Path
) -> None:
    ada.launch()
    old, _ = moved_on(space)
    ada.answers = [KEEP]
    ada.launch()
    copy = hub.spaces[f"ada/name-{old[:7]}"]
    assert copy.private
    assert {path: content for path, content in copy.files.items() if path in FILES} == FILES
    assert ada.recorded() == old
    for _ in range(2):
        assert ada.hub.instead == {SPACE: (copy.id, old)}
        assert ada.hub.observed[SPACE] == old
        assert ada.launch() == []
        assert ada.said == []
    assert len(ada.asked) == 1
    assert hub.token not in (tmp_path / "revisions.json").read_text()


def test_a_copy_that_is_there_is_used_again(hub: FakeHub, space: FakeSpace, ada: Desk, tmp_path: Path) -> None:
    ada.launch()
    old, _ = moved_on(space)
    ada.answers = [KEEP]
    ada.launch()
    made = len(hub.asked("/commit/", "POST"))
    other = Desk(tmp_path / "elsewhere", ada.credential)
    other.revisions.record("g", {SPACE: old})
    other.answers = [KEEP]
    other.launch()
    assert other.hub.instead[SPACE].id == f"ada/name-{old[:7]}"
    assert len(hub.asked("/commit/", "POST")) == made


def test_a_copy_that_was_broken_off_is_gone_on_with(hub: FakeHub, space: FakeSpace, ada: Desk) -> None:
    ada.launch()
    old, _ = moved_on(space)
    hub.fail("/commit/", 500, times=20)
    ada.answers = [KEEP]
    ada.launch()
    assert any("cannot be copied" in text for text in ada.said)
    assert ada.recorded() == old, "it is asked again the next time"
    assert ada.hub.instead == {}
    hub._failures.clear()
    ada.answers = [KEEP]
    ada.launch()
    assert set(FILES) <= set(hub.spaces[f"ada/name-{old[:7]}"].files)
    assert ada.hub.instead[SPACE].sha == old


def test_a_copy_that_was_deleted_gives_way_to_the_original(hub: FakeHub, space: FakeSpace, ada: Desk) -> None:
    ada.launch()
    old, new = moved_on(space)
    ada.answers = [KEEP]
    ada.launch()
    del hub.spaces[f"ada/name-{old[:7]}"]
    ada.answers = [ACCEPT]
    ada.launch()
    assert "is not there any more" in ada.said[0]
    assert (ada.recorded(), ada.hub.instead) == (new, {})


def test_update_gives_copies_up(hub: FakeHub, space: FakeSpace, ada: Desk) -> None:
    ada.launch()
    _, new = moved_on(space)
    ada.answers = [KEEP]
    ada.launch()
    ada.launch("update")
    assert (ada.recorded(), ada.hub.instead) == (new, {})
    assert "itself is called again" in ada.said[0]


def test_a_commit_that_is_gone_cannot_be_copied(hub: FakeHub, space: FakeSpace, ada: Desk) -> None:
    ada.revisions.record("g", {SPACE: "1" * 40})
    ada.answers = [KEEP]
    ada.launch()
    assert any("has no commit 1111111 any more" in text for text in ada.said)


def test_a_graph_without_a_name_to_keep_things_under_records_nothing(space: FakeSpace, desk: Desk) -> None:
    drawn = replace(drawing(caller("owner/name", "painter")), persist_key=None)
    worker = ThreadWorker()
    settling = Settling(Hub(worker, None), desk.revisions, worker, NOBODY, desk.said.append)
    assert asyncio.run(settling.settle(drawn, "error")) == []
    worker.close()
