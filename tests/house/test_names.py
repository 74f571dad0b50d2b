"""A module is named by the noun it holds, never by a word that fits anything."""

from __future__ import annotations

from pathlib import PurePath

from tests.house.source import python_files

BANNED = {"manager", "helper", "helpers", "util", "utils", "common", "misc", "data", "info", "process", "handler"}
BANNED |= {f"{name}s" for name in ("manager", "handler", "process")}
ALLOWED = {"daggr/engine/workers/process.py": "a kind of worker: one that is an operating-system process"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    bad = [
        path
        for path in python_files()
        if path not in ALLOWED and BANNED & {part.strip("_").lower() for part in PurePath(path).with_suffix("").parts}
    ]
    assert not bad, f"rename after the noun inside: {bad}"
