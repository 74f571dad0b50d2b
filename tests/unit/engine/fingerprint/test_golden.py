"""Digests are the same under every Python, in every process and every place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.engine.fingerprint.edits import MUST_CHANGE
from tests.unit.engine.fingerprint.golden import CHOICE, FILE, as_text, chosen, digests, main

ROOT = Path(__file__).parents[4]
TOOL = "tests.unit.engine.fingerprint.golden"


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    """The digests in this process."""
    return digests(chosen())


@pytest.mark.parametrize("name", CHOICE)
def test_a_definition_has_the_digest_of_the_golden_file(here: dict[str, str], name: str) -> None:
    assert here[name] == json.loads(FILE.read_text(encoding="utf-8"))[name]


def test_the_golden_file_holds_the_choice_and_nothing_else() -> None:
    assert list(json.loads(FILE.read_text(encoding="utf-8"))) == CHOICE


def test_no_two_projects_have_one_digest(here: dict[str, str]) -> None:
    assert len(set(here.values())) == len(CHOICE)
    assert all(len(found) == 64 for found in here.values())


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_a_definition_is_the_same_in_every_process_place_and_hash_seed(
    tmp_path: Path, here: dict[str, str], seed: str
) -> None:
    elsewhere = tmp_path / f"another place {seed}"
    elsewhere.mkdir()
    printed = subprocess.run(
        [sys.executable, "-m", TOOL],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": seed, "TMPDIR": str(elsewhere)},
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout
    assert printed == as_text(here)


def test_the_tool_writes_what_the_test_reads(tmp_path: Path, here: dict[str, str]) -> None:
    main(["--write"], tmp_path / "golden" / "fingerprints.json")
    assert json.loads((tmp_path / "golden" / "fingerprints.json").read_text(encoding="utf-8")) == here


def test_a_digest_that_is_not_the_golden_one_is_noticed(here: dict[str, str]) -> None:
    edited = {edit.name: edit.after for edit in MUST_CHANGE if edit.name in CHOICE}
    assert not set(digests(edited).values()) & set(here.values())
