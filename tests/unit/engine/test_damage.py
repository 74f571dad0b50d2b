"""What a run needs and the disk has lost is made again, in the same run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from tests.handmade import Number
from tests.unit.engine.desk import Desk
from tests.unit.engine.making import executed, tell


def blobs(engine: Engine) -> list[Path]:
    return [path for path in (engine.store.root / "blobs").rglob("*") if path.is_file()]


def flip(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [flip, os.unlink])
@pytest.mark.parametrize("scattered", [False, True])
def test_a_value_that_is_damaged_or_gone_is_made_again_by_its_node(
    engine: Engine, tmp_path: Path, harm: Any, scattered: bool
) -> None:
    told = str(tmp_path / "told")

    def large(n: int) -> str:
        tell(told, str(n))
        return str(n) * 40_000

    def first(text: Any, k: int) -> Any:
        return (text[0][:3], text[1][:3], k) if isinstance(text, list) else (text[:3], k)

    if scattered:
        source = FnNode(lambda: [7, 8], name="source", outputs={"ns": None})
        made = FnNode(large, inputs={"n": source.ns.each}, outputs={"text": None})
        given = made.text.all()
    else:
        made = FnNode(large, inputs={"n": 7}, outputs={"text": None})
        given = made.text
    node = FnNode(first, inputs={"text": given, "k": Number(value=1)}, postprocess=lambda *found: list(found))
    desk = Desk(engine, Graph("Damage", nodes=[node]))
    desk.run(None, "all")
    before = executed(Path(told))
    harm(max(blobs(engine), key=lambda path: path.read_bytes()[-1:] == b"7"))
    desk.set(first__k=2)
    assert desk.run("first") is None
    assert desk.value("first") == (["777", "888", 2] if scattered else ["777", 2])
    assert executed(Path(told)) == [*before, 7]


def test_several_who_need_what_is_damaged_get_it_all(engine: Engine) -> None:
    source = FnNode(lambda: "x" * 100_000, name="source", outputs={"text": None}, version=1)

    def length(text: str, n: int) -> int:
        return len(text) + n

    nodes = [
        FnNode(length, name=f"n{n}", inputs={"text": source.text, "n": n}, outputs={"k": None}, concurrent=True)
        for n in range(3)
    ]
    desk = Desk(engine, Graph("Several", nodes=nodes))
    desk.run("source")
    flip(blobs(engine)[0])
    assert desk.run(None, "all") is None
    assert [desk.value(f"n{n}", "k") for n in range(3)] == [100_000, 100_001, 100_002]
