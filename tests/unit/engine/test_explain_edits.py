"""What a person is told after each edit of the table that makes results others: what changed, and how."""

from __future__ import annotations

import ast
import difflib
import itertools
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from daggr.engine.changes import Change, Side, changes
from daggr.engine.fingerprint.node import Fingerprint
from tests.unit.engine.fingerprint.edits import MUST_CHANGE
from tests.unit.engine.fingerprint.edits.edit import Edit, Project
from tests.unit.engine.fingerprint.projects import imported, print_of_function

BESIDE_THE_CODE = {"lambda that is chosen", "global that hides a builtin"}
"""Edits on the line of a function that leave the function as it is."""

KEYWORDS = {*keyword.kwlist, *"0123456789", "x", "int", "self"}
TOKEN = re.compile(r"\w+|\W")


@dataclass(frozen=True)
class Told:
    """What a person is told after an edit."""

    edit: Edit
    changes: tuple[Change, ...]

    @property
    def reasons(self) -> list[Change]:
        return [change for change in self.changes if change.hard]

    @property
    def text(self) -> str:
        return f"{self.edit.name}: {[(change.name, change.text) for change in self.changes]}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    """Of every edit. Each project is imported once."""
    folder, count = tmp_path_factory.mktemp("projects"), itertools.count()
    known: dict[object, Side] = {}

    def side(project: Project) -> Side:
        key = tuple(project.items())
        if key not in known:
            with imported(folder / str(next(count)), project) as app:
                known[key] = side_of(print_of_function(app.fn))
        return known[key]

    return [Told(edit, changes(side(edit.before), side(edit.after))) for edit in MUST_CHANGE]


def side_of(fingerprint: Fingerprint) -> Side:
    return Side(fingerprint.leaves, fingerprint.sources, fingerprint.soft)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def edited(edit: Edit) -> Iterator[tuple[str, str, list[int]]]:
    """The files that differ, as they were and as they are: path, text, and the numbers of the lines that differ."""
    for path in {**edit.before, **edit.after}:
        before, after = edit.before.get(path, ""), edit.after.get(path, "")
        lines = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
        found = [one for one in lines.get_opcodes() if one[0] != "equal"]
        if was := [n + 1 for _, start, end, _, _ in found for n in range(start, end)]:
            yield path, before, was
        if now := [n + 1 for _, _, _, start, end in found for n in range(start, end)]:
            yield path, after, now


# ---------------------------------------------------------------- every edit is told


def test_every_edit_gives_a_reason_in_words(told: list[Told]) -> None:
    assert len(told) >= 600
    for one in told:
        assert one.reasons, one.edit.name
        assert all(change.phrase and change.text.startswith(change.phrase) for change in one.reasons), one.text
        names = [change.name for change in one.changes]
        assert len(set(names)) == len(names), one.text


def test_no_reason_is_told_in_the_words_of_leaves(told: list[Told]) -> None:
    raw = re.compile(r"`(fn|preprocess)[ :.]|closure |__func__|__closure__| wraps|source of|\[\d")
    assert not [one.text for one in told if any(raw.search(change.phrase) for change in one.reasons)]


def test_every_reason_names_what_was_edited_or_what_is_made_of_it(told: list[Told]) -> None:
    """A name counts that stands in an edited statement, or in one that uses what an edited one binds."""
    unnamed = []
    for one in told:
        named = {word for change in one.reasons for word in words(" ".join(re.findall("`(.*?)`", change.phrase)))}
        if any(change.phrase.startswith(("the function", "what the function")) for change in one.reasons):
            named.add("fn")
        if named.isdisjoint(about(one.edit)):
            unnamed.append(one.text)
    assert not unnamed


def about(edit: Edit) -> set[str]:
    """The words of the statements that were edited, and those of the statements that use them."""
    found: set[str] = set()
    for path, text, lines in edited(edit):
        found |= words(path) - {"app", "py"}
        for start, end, said in statements(text):
            found |= said if any(start <= line <= end for line in lines) else set()
    for _ in range(2):
        for project in (edit.before, edit.after):
            used = [said for text in project.values() for _, _, said in statements(text) if said & found]
            found |= {word for said in used for word in said}
    return found


def statements(text: str) -> Iterator[tuple[int, int, set[str]]]:
    """The first and the last line of each statement, and its words; a docstring is called `__doc__`."""
    lines = text.splitlines()
    for part in ast.parse(text).body:
        start, end = span(part)
        is_doc = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
        said = {"__doc__"} if is_doc else words("\n".join(lines[start - 1 : end]))
        yield start, end, said - KEYWORDS


def span(part: ast.stmt | ast.Lambda) -> tuple[int, int]:
    """The first and the last line, decorators included."""
    return min([part.lineno, *(one.lineno for one in getattr(part, "decorator_list", []))]), part.end_lineno or 0


# ---------------------------------------------------------------- code is shown


def test_an_edit_of_code_is_shown_in_a_diff(told: list[Told]) -> None:
    of_code = [one for one in told if is_of_code(one.edit) and one.edit.name not in BESIDE_THE_CODE]
    assert len(of_code) >= 300
    lacking = [one for one in of_code if not shows(one)]
    assert not [one.text for one in lacking if any(change.kind == "code" for change in one.reasons)]
    computed = [one for one in lacking if all(change.kind == "data" for change in one.reasons)]
    assert len(computed) <= len(of_code) / 30, "few functions are met as the values that they made"


def is_of_code(edit: Edit) -> bool:
    """Whether all that differs stands in functions."""
    return all(
        any(start <= line <= end for start, end in functions_in(text)) for _, text, at in edited(edit) for line in at
    )


def functions_in(text: str) -> list[tuple[int, int]]:
    found = ast.walk(ast.parse(text))
    return [span(part) for part in found if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))]


def shows(one: Told) -> bool:
    """Whether the lines of the diffs have something of the edit: what is gone in `-`, or what is new in `+`."""
    for sign, project, other in (("-", one.edit.before, one.edit.after), ("+", one.edit.after, one.edit.before)):
        shown = [line[1:] for change in one.reasons for line in change.diff.splitlines()[2:] if line[:1] == sign]
        for path in project:
            old, now = (TOKEN.findall(side.get(path, "")) for side in (other, project))
            new = {token[2:] for token in difflib.ndiff(old, now) if token[:2] == "+ "}
            if new & set(TOKEN.findall("\n".join(shown))):
                return True
    return False


def test_a_changed_body_is_shown_as_diff_u_shows_it(told: list[Told]) -> None:
    one = next(one for one in told if one.edit.name == "helper in an own module")
    assert [change.text for change in one.reasons] == ["helper `other.h` changed"]
    assert one.reasons[0].diff.splitlines()[-2:] == ["-def h(x): return x + 1", "+def h(x): return x + 2"]
