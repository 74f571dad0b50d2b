"""The public face changes only on purpose."""

from __future__ import annotations

import daggr
from tests.house.face import SNAPSHOT, face


def test_the_public_face_is_the_accepted_one() -> None:
    accepted = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    assert face() == accepted, "on purpose? `python -m tests.house.face --write`, and a line in CHANGELOG.md"


def test_every_public_name_is_there_and_sorted() -> None:
    assert sorted(set(daggr.__all__)) == sorted(daggr.__all__)
    assert not [name for name in daggr.__all__ if not hasattr(daggr, name)]
