"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import pytest

from tests.house.source import ROOT, functions, length, python_files

FILE = 500
SVELTE_FILE = 300
FUNCTION = 60
GENERATED = ("static/src/wire/messages.ts",)
FRONT_END = {".svelte": SVELTE_FILE, ".ts": FILE, ".js": FILE, ".css": FILE, ".html": FILE}


def lines(path: str) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", python_files())
def test_python_sizes(path: str) -> None:
    assert lines(path) <= FILE, f"{path} has {lines(path)} lines; split it by noun (at most {FILE})"
    long = {f"{path}:{f.lineno} {f.name}": length(f) for f in functions(path) if length(f) > FUNCTION}
    assert not long, f"functions of more than {FUNCTION} lines: {long}"


def test_front_end_sizes() -> None:
    paths = [path.relative_to(ROOT).as_posix() for path in (ROOT / "static" / "src").rglob("*") if path.is_file()]
    limits = {path: FRONT_END.get(path[path.rfind(".") :]) for path in paths if path not in GENERATED}
    long = {path: lines(path) for path, limit in limits.items() if limit is not None and lines(path) > limit}
    assert not long, f"front-end files past their limit: {long}"
