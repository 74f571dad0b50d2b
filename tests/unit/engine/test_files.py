"""Which paths become files: on media ports, and within other values. Over a real store and real components."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from daggr import NodeFailedError
from daggr.store.codecs.fileref import FilePath
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS
from tests.unit.engine.rooms import Room, make_room, old, paths_in, picture, size, text


@pytest.fixture
def room(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    return make_room(store, tmp_path, monkeypatch)


# ---------------------------------------------------------------- a path on a media port


def test_a_file_is_copied_and_named_after_its_port(room: Room) -> None:
    made = picture(room.work / "a1b2c3.PNG")
    out = room.run(lambda: str(made), {"out": gr.Image()})["out"]
    assert Path(out).name == "out.PNG"
    assert Path(out).read_bytes() == made.read_bytes()
    assert made.exists()
    assert room.taken.outside == (str(made),)


def test_file_ports_keep_the_name(room: Room) -> None:
    made = text(room.temp / "Q3 report.csv")
    for component in (gr.File(), gr.DownloadButton(), gr.UploadButton()):
        assert Path(room.run(lambda: str(made), {"out": component})["out"]).name == "Q3 report.csv"


def test_equal_content_under_another_random_name_is_the_same_result(room: Room) -> None:
    def make(number: int) -> str:
        return str(text(room.temp / f"tmp{number}.wav"))

    digests = set()
    for number in range(3):
        room.run(make, {"out": gr.Audio()}, number=number)
        digests.add(room.digest())
    assert len(digests) == 1


def test_a_relative_path_counts_from_the_working_folder(room: Room) -> None:
    def make() -> str:
        text(room.work / "output.mp3", "sound")
        return "output.mp3"

    assert Path(room.run(make, {"out": gr.Audio()})["out"]).read_text() == "sound"


def test_path_objects_are_paths(room: Room) -> None:
    made = text(room.work / "film.mp4")
    assert Path(room.run(lambda: made, {"out": gr.Video()})["out"]).name == "out.mp4"


def test_the_seeds_temporary_file_is_open_everywhere(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # `/tmp/processed.png`, wherever the system's temporary folder is
    if os.name != "posix":
        pytest.skip("there is no /tmp")
    with tempfile.NamedTemporaryFile(dir="/tmp", suffix=".png") as made:
        made.write(b"x")
        made.flush()
        assert Path(room.run(lambda: made.name, {"out": gr.Image()})["out"]).read_bytes() == b"x"


def test_an_input_is_passed_on_or_changed_in_place(room: Room) -> None:
    given = picture(room.elsewhere / "in.png")

    def turn(image: str) -> str:
        with Image.open(image) as opened:
            opened.rotate(90, expand=True).save(image)
        return image

    def beside(image: str) -> str:
        return shutil.copy(image, image.replace("in.png", "other.png"))

    same = room.run(lambda image: image, {"out": gr.Image()}, image=given)["out"]
    assert Path(same).read_bytes() == given.read_bytes()
    assert room.taken.outside == ()
    assert size(room.run(turn, {"out": gr.Image()}, image=given)["out"]) == (2, 3)
    assert size(room.run(beside, {"out": gr.Image()}, image=given)["out"]) == (3, 2)
    assert size(given) == (3, 2)


def test_allowed_folders_are_open(room: Room) -> None:
    made = text(room.elsewhere / "data" / ".models" / "voice.wav")
    assert "outside of the working folder" in room.refused(lambda: str(made), gr.Audio()).message
    room.allowed = [room.elsewhere / "data"]
    assert Path(room.run(lambda: str(made), {"out": gr.Audio()})["out"]).read_text() == "content"


REFUSED: list[tuple[Callable[[Room], Any], Any, str]] = [
    (lambda room: "nowhere.png", gr.Image(), "'nowhere.png', where there is no file."),
    (lambda room: str(text(room.elsewhere / "x.png")), gr.Image(), "outside of the working folder"),
    (lambda room: str(text(room.work / ".env")), gr.File(), "which is hidden: a part of it begins with a dot."),
    (lambda room: str(text(room.work / ".git" / "config")), gr.File(), "which is hidden"),
    (lambda room: str(room.work), gr.File(), "which is a folder."),
    (lambda room: "../elsewhere", gr.File(), "which is a folder."),
    (lambda room: "https://example.com/a.png", gr.Image(), "the address 'https://example.com/a.png'; daggr fetches"),
    (lambda room: "data:image/png;base64,AAAA", gr.Image(), "the address 'data:image/png;base64,AAAA'; daggr"),
    (lambda room: "", gr.Image(), "which is a folder."),
    (lambda room: "a\0b", gr.Image(), "where there is no file."),
    (lambda room: 7, gr.Image(), "a int."),
    (lambda room: {"a": 1}, gr.Image(), "a dict without a path."),
    (
        lambda room: {"path": "nowhere.png"},
        gr.Image(),
        "a dict with the path of 'nowhere.png', where there is no file.",
    ),
    (lambda room: {"path": None, "url": "http://x/y.png"}, gr.Image(), "a dict without a path."),
    (lambda room: ["a.wav"], gr.Audio(), "a list."),
    (lambda room: [44100, [0, 1]], gr.Audio(), "a list."),
    (lambda room: (44100, np.zeros(4, complex)), gr.Audio(), "a tuple, which cannot be saved (ValueError: samples of"),
    (lambda room: np.zeros((2, 2, 7), np.uint8), gr.Image(), "a ndarray, which cannot be saved ("),
    (lambda room: ["ok.png", "nowhere.png"], gr.Gallery(), "where there is no file."),
    (lambda room: "no figure", gr.Plot(), "a str, which is no plot ("),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_is_refused_is_told_with_port_value_and_what_is_valid(room: Room, case: int) -> None:
    make, component, why = REFUSED[case]
    picture(room.work / "ok.png")
    error = room.refused(lambda: make(room), component)
    assert why in error.message
    assert error.hint.startswith("It takes ")
    assert error.node == "node"
    assert error.where is not None
    assert room.leftovers() == []


def test_each_kind_of_port_tells_what_it_takes(room: Room) -> None:
    assert "a pair (sample rate, array)" in room.refused(lambda: 7, gr.Audio()).hint
    assert "a PIL image, an array or a figure" in room.refused(lambda: 7, gr.Image()).hint
    assert "each alone or in a pair" in room.refused(lambda: 7, gr.Gallery()).hint
    assert "matplotlib" in room.refused(lambda: 7, gr.Plot()).hint


def test_the_innermost_folder_decides_what_is_hidden(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder may lie in the working folder, and the other way round."""
    monkeypatch.chdir(room.work.parent)
    hidden = text(room.temp / ".cache" / "a.txt")
    assert room.run(lambda: str(hidden), {"out": gr.File()})["out"]
    (room.temp / "project").mkdir()
    monkeypatch.chdir(room.temp / "project")
    error = room.refused(lambda: str(text(room.temp / "project" / ".env")), gr.File())
    assert "which is hidden" in error.message


def test_a_link_leads_no_further_than_a_path(room: Room) -> None:
    secret = text(room.elsewhere / "secret.txt")
    (room.work / "link.txt").symlink_to(secret)
    assert "outside of the working folder" in room.refused(lambda: "link.txt", gr.File()).message
    assert room.run(lambda: {"file": "link.txt"}, {"out": None})["out"] == {"file": "link.txt"}


# ---------------------------------------------------------------- typed texts


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: Path(x), lambda x: {"path": x}, lambda x: [x]])
def test_a_typed_path_is_no_file_on_a_media_port(room: Room, wrap: Callable[[str], Any]) -> None:
    typed = str(picture(room.work / "other.png"))
    assert "which came in as text" in room.refused(lambda text: wrap(text), gr.Image(), text=typed).message


def test_a_typed_path_stays_text_elsewhere_even_if_the_file_is_new(room: Room) -> None:
    def write(name: str, deep: Any) -> Any:
        text(room.work / name)
        return {"name": name, "deep": deep, "copy": [name]}

    for outputs in ({"out": None}, {"out": gr.JSON()}):
        out = room.run(write, outputs, name="a.txt", deep=[{"b": str(room.work / "a.txt")}])["out"]
        assert out == {"name": "a.txt", "deep": [{"b": str(room.work / "a.txt")}], "copy": ["a.txt"]}
        assert [*paths_in(out)] == []
    out = room.run(lambda text: text, {"out": gr.Textbox()}, text=str(text(room.work / "b.txt")))["out"]
    assert type(out) is str


# ---------------------------------------------------------------- within lists and dicts


def test_the_podcasts_voices_travel_in_a_list_of_dicts(room: Room) -> None:
    host, guest = text(room.elsewhere / "host.wav", "host"), text(room.elsewhere / "guest.wav", "guest")

    def generate_dialogue(topic: str, host_voice: str, guest_voice: str) -> tuple[list[dict[str, Any]], str]:
        lines = [
            {"voice": host_voice, "text": f"Welcome to {topic}"},
            {"voice": guest_voice, "text": "Thanks"},
            {"voice": host_voice, "text": host_voice},
        ]
        return lines, json.dumps(lines)

    out = room.run(
        generate_dialogue, {"lines": gr.JSON(), "html": gr.HTML()}, topic="x", host_voice=host, guest_voice=guest
    )
    voices = [line["voice"] for line in out["lines"]]
    assert [Path(voice).read_text() for voice in voices] == ["host", "guest", "host"]
    assert [Path(voice).name for voice in voices] == ["host.wav", "guest.wav", "host.wav"]
    assert voices[0] == voices[2] == out["lines"][2]["text"]
    assert [line["text"] for line in out["lines"][:2]] == ["Welcome to x", "Thanks"]
    assert type(out["html"]) is str
    with room.store.read() as txn:
        record = txn.get(ARTIFACTS, room.digest("lines"))
        kept = [room.store.artifacts.stage_file(path).digest for path in (host, guest)]
        assert record is not None
        assert sorted(record.refs) == sorted(kept)  # so gc keeps them; a file passed on is still the same one
    assert room.taken.outside == ()


def test_files_that_the_call_wrote_are_files_and_others_are_texts(room: Room) -> None:
    was_there = old(text(room.work / "README.md"))
    hidden = room.work / ".hidden.txt"
    far = room.elsewhere / "far.txt"

    def write() -> Any:
        text(room.work / "new.txt", "new")
        text(room.temp / "sub" / "new.txt", "newer")
        text(hidden)
        text(far)
        return {
            "relative": "new.txt",
            "absolute": str(room.temp / "sub" / "new.txt"),
            "pair": (room.work / "new.txt", 1),
            "old": ["README.md", str(was_there)],
            "not open": [str(hidden), str(far)],
            "folder": str(room.temp / "sub"),
            "words": "a new text\nin two lines",
            "": "",
        }

    out = room.run(write, {"out": None})["out"]
    assert Path(out["relative"]).read_text() == Path(out["pair"][0]).read_text() == "new"
    assert Path(out["absolute"]).read_text() == "newer"
    assert out["pair"][1] == 1
    assert len([*paths_in(out)]) == 3
    assert out["old"] == ["README.md", str(was_there)]
    assert out["not open"] == [str(hidden), str(far)]
    assert (out["folder"], out["words"], out[""]) == (str(room.temp / "sub"), "a new text\nin two lines", "")
    assert sorted(room.taken.outside) == sorted([str(room.work / "new.txt"), str(room.temp / "sub" / "new.txt")])


def test_a_file_changed_by_the_call_is_its_file(room: Room) -> None:
    log = old(text(room.work / "log.txt", "a"))

    def append() -> Any:
        with log.open("a") as opened:
            opened.write("b")
        return ["log.txt"]

    assert Path(room.run(append, {"out": None})["out"][0]).read_text() == "ab"


@pytest.mark.parametrize("component", [None, gr.Textbox(), gr.JSON(), gr.Markdown()])
def test_a_bare_path_of_the_call_on_any_port_is_a_file(room: Room, component: Any) -> None:
    given = text(room.elsewhere / "in.txt")
    out = room.run(lambda path: path, {"out": component}, path=given)["out"]
    assert Path(out).read_text() == "content"
    assert Path(out).name == "in.txt"
    out = room.run(lambda: str(text(room.work / "made.txt", "made")), {"out": component})["out"]
    assert Path(out).read_text() == "made"
    assert type(room.run(lambda path: f"see {path}", {"out": component}, path=given)["out"]) is str


def test_names_of_tempfile_do_not_make_other_results_of_equal_files(room: Room) -> None:
    def write(number: int) -> Any:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
            file.write("same")
        return {"file": file.name}

    digests = set()
    for number in range(3):
        assert Path(room.run(write, {"notes": None}, number=number)["notes"]["file"]).name == "notes.txt"
        digests.add(room.digest("notes"))
    assert len(digests) == 1


def test_handed_paths_that_are_gone_are_texts_and_so_are_keys(room: Room) -> None:
    given = text(room.elsewhere / "in.txt")

    def remove(path: str) -> Any:
        by_path = {path: 1}
        os.unlink(path)
        return [path, (path,), by_path, {path}, path + "x"]

    first, (second,), by_path, within, longer = room.run(remove, {"out": None}, path=given)["out"]
    assert {type(part) for part in (first, second, *by_path, *within, longer)} == {str}
    assert first == second == next(iter(by_path)) == next(iter(within))


def test_shapes_and_types_stay(room: Room) -> None:
    given = text(room.elsewhere / "in.txt")
    shared = ["x"]

    def pack(path: str) -> Any:
        return {"a": (1, [path, None]), 2: [True, 1.5, b"b", {3}], "twice": [shared, shared], "array": np.arange(3)}

    out = room.run(pack, {"out": None}, path=given)["out"]
    assert type(out["a"]) is tuple
    assert type(out["a"][1]) is list
    assert out["a"][1][1] is None
    assert out[2] == [True, 1.5, b"b", {3}]
    assert out["twice"] == [["x"], ["x"]]
    assert out["array"].tolist() == [0, 1, 2]
    assert Path(out["a"][1][0]).is_file()


def test_what_holds_itself_stays_in_memory(room: Room) -> None:
    def circle() -> Any:
        made: list[Any] = ["text"]
        made += [made, [made]]
        return made

    def tower() -> Any:
        made: Any = "text"
        for _ in range(5000):
            made = [made]
        return made

    room.run(circle, {"out": None})
    assert "port out holds a list" in room.taken.uncached
    room.run(tower, {"out": None})
    assert "port out holds a list" in room.taken.uncached


def test_a_value_without_codec_stays_in_memory_and_is_named(room: Room) -> None:
    class Model:
        pass

    made = Model()
    assert room.run(lambda: (made, "text"), {"model": None, "text": None}) == {"model": made, "text": "text"}
    assert room.taken.uncached.startswith("not cached: port model holds a ")


def test_a_failure_leaves_nothing_behind(room: Room) -> None:
    def write() -> Any:
        return np.zeros(200_000), str(text(room.work / "a.txt")), "nowhere.png"

    with pytest.raises(NodeFailedError, match=r"Output 'image' of 'node' is 'nowhere\.png'"):
        room.run(write, {"array": None, "file": gr.File(), "image": gr.Image()})
    assert room.leftovers() == []


# ---------------------------------------------------------------- anything within anything


@dataclass(frozen=True)
class Leaf:
    """A text within a random value: of which kind, and the file of that kind it names."""

    kind: str
    index: int


LEAVES = st.builds(
    Leaf, st.sampled_from(["handed", "typed", "written", "own", "old", "foreign", "gone", "words"]), st.integers(0, 2)
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary(max_size=3)
VALUES = st.recursive(
    LEAVES | SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)
FILES = {"handed", "written", "own"}


def shaped(value: Any, leaf: Callable[[Leaf], Any]) -> Any:
    if isinstance(value, Leaf):
        return leaf(value)
    if isinstance(value, dict):
        return {name: shaped(part, leaf) for name, part in value.items()}
    return type(value)(shaped(part, leaf) for part in value) if isinstance(value, (list, tuple)) else value


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(value=[Leaf("typed", 0), {"a": (Leaf("handed", 0), Leaf("written", 0))}])
@given(value=VALUES)
def test_exactly_the_right_texts_become_files(room: Room, value: Any) -> None:
    handed = [text(room.elsewhere / f"handed{n}.txt", f"handed {n}") for n in range(3)]
    typed = [str(text(room.work / f"typed{n}.txt")) for n in range(3)]
    if not (room.work / "old0.txt").exists():
        for n in range(3):
            text(room.work / f"old{n}.txt")
        old(room.work)
    names: dict[Leaf, str] = {}

    def make(first: str, second: str, third: str, texts: Sequence[str]) -> Any:
        def write(leaf: Leaf) -> str:
            number = leaf.index
            paths = {
                "handed": (first, second, third)[number],
                "typed": texts[number],
                "written": str(room.temp / f"written{number}.txt") if number else f"written{number}.txt",
                "own": str(Path(first).with_name(f"own{number}.txt")),
                "old": str(room.work / f"old{number}.txt"),
                "foreign": str(room.elsewhere / f"foreign{number}.txt"),
                "gone": str(room.work / f"gone{number}.txt"),
                "words": f"some words {number}",
            }
            if leaf.kind in ("written", "own", "foreign", "typed"):
                text(Path(paths[leaf.kind]), f"{leaf.kind} {number}")
            return names.setdefault(leaf, paths[leaf.kind])

        return (shaped(value, write),)

    out = room.run(make, {"out": None}, first=handed[0], second=handed[1], third=handed[2], texts=typed)["out"]

    def check(wanted: Any, got: Any) -> None:
        if isinstance(wanted, Leaf) and wanted.kind in FILES:
            assert type(got) is FilePath
            assert Path(got).read_text() == f"{wanted.kind} {wanted.index}"
        elif isinstance(wanted, Leaf):
            assert type(got) is str
            assert got == names[wanted]
        else:
            assert type(got) is type(wanted)
            if isinstance(wanted, dict):
                assert list(got) == list(wanted)
                wanted, got = list(wanted.values()), list(got.values())
            if isinstance(wanted, (list, tuple)):
                assert len(got) == len(wanted)
                for one, other in zip(wanted, got, strict=True):
                    check(one, other)
            else:
                assert got == wanted

    check(value, out)
