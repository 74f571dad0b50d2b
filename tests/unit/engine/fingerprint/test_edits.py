"""Edits of a user's file: which ones make a result another, and which ones do not.

Every edit is two little projects. Both are imported anew, from folders of their own, and the fingerprints of `app.fn`
are compared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from daggr.engine.fingerprint.node import Fingerprint
from tests.unit.engine.fingerprint.edits import MUST_CHANGE, MUST_CHANGE_OR_BE_REFUSED, MUST_NOT_CHANGE
from tests.unit.engine.fingerprint.edits.edit import Edit, Project
from tests.unit.engine.fingerprint.projects import felt_by, imported, print_of_function

CAN_BE_FELT = [*MUST_CHANGE, *MUST_CHANGE_OR_BE_REFUSED]
EVERY_EDIT = [*CAN_BE_FELT, *MUST_NOT_CHANGE]

Look = Callable[[Project, str], tuple[Fingerprint | Exception, str]]
Pair = tuple[Fingerprint, Fingerprint]


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """The fingerprint of `app.fn` of a project, and what a call gives. Each project is imported once."""
    folder, count = tmp_path_factory.mktemp("projects"), itertools.count()
    known: dict[tuple[object, str], tuple[Fingerprint | Exception, str]] = {}

    def seen(project: Project, call: str) -> tuple[Fingerprint | Exception, str]:
        key = (tuple(project.items()), call)
        if key not in known:
            with imported(folder / str(next(count)), project) as app:
                known[key] = (_print_or_error(app), felt_by(app, call))
        return known[key]

    return seen


def _print_or_error(app: Any) -> Fingerprint | Exception:
    try:
        return print_of_function(app.fn)
    except Exception as error:  # noqa: BLE001  # raised again by the tests that ask for it
        return error


@pytest.fixture
def prints(look: Look, edit: Edit) -> Pair:
    """The fingerprints before and after an edit."""
    found = [look(project, edit.call)[0] for project in (edit.before, edit.after)]
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found[0], found[1]  # type: ignore[return-value]


def each(edits: Iterable[Edit]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("edit", [pytest.param(one, id=one.name) for one in edits])


@each(CAN_BE_FELT)
def test_an_edit_that_can_be_felt_makes_another_definition(prints: Pair) -> None:
    before, after = prints
    unchanged = before.digest == after.digest and not (before.uncached and after.uncached)
    assert not unchanged, "a stale result would be served"


@each(MUST_NOT_CHANGE)
def test_an_edit_that_cannot_be_felt_keeps_the_definition(prints: Pair) -> None:
    before, after = prints
    assert before.uncached == after.uncached == ""
    assert before.leaves == after.leaves
    assert before.digest == after.digest


@each(MUST_CHANGE)
def test_code_of_ones_own_is_cached(prints: Pair) -> None:
    assert [one.uncached for one in prints] == ["", ""]


def test_every_edit_shows_in_leaves_that_can_be_named(look: Look) -> None:
    """What explains a rerun: without such a leaf nobody could be told what has changed."""
    unexplained = []
    for edit in CAN_BE_FELT:
        before, after = (look(project, edit.call)[0] for project in (edit.before, edit.after))
        if isinstance(before, Exception) or isinstance(after, Exception) or before.uncached or after.uncached:
            continue  # another test fails, or the refusal says why
        changed = {name for name, _ in before.leaves.items() ^ after.leaves.items()}
        if not changed or not all(_readable(name) for name in changed):
            unexplained.append((edit.name, changed))
    assert not unexplained


def test_every_refusal_says_that_it_is_one(look: Look) -> None:
    looks = [look(project, edit.call)[0] for edit in MUST_CHANGE_OR_BE_REFUSED for project in (edit.before, edit.after)]
    refusals = [one.uncached for one in looks if not isinstance(one, Exception) and one.uncached]
    assert refusals
    assert all(re.match(r"not cached: \S.* \S", refusal) for refusal in refusals)


def _readable(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and any(map(str.isalpha, name))


# ---------------------------------------------------------------- the table itself


def test_the_table_is_right_about_what_is_felt(look: Look) -> None:
    felt = {edit.name for edit in EVERY_EDIT if look(edit.before, edit.call)[1] != look(edit.after, edit.call)[1]}
    assert felt == {edit.name for edit in CAN_BE_FELT}


def test_every_edit_has_its_own_name() -> None:
    names = [edit.name for edit in EVERY_EDIT]
    assert len(set(names)) == len(names)
    assert len(names) >= 800
