"""Values for a node that is tried by itself: made here, without the web, and fit for what they are given to."""

from __future__ import annotations

import random
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from daggr import FnNode, GradioNode, GraphError, ItemList, NodeFailedError
from daggr.engine import example_files
from daggr.engine.examples import example_inputs
from daggr.graph.nodes.base import Node, spec_of
from tests.handmade import Field, Number


def examples(node: Node, folder: Path, given: tuple[str, ...] = ()) -> dict[str, Any]:
    return example_inputs(spec_of(node), folder, given)


def of(component: Any, folder: Path) -> Any:
    node = FnNode(lambda value: value, inputs={"value": component})
    return examples(node, folder)["value"]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from strings(part)
    elif isinstance(value, dict):
        yield from strings(list(value.values()))


def test_each_source_gives_its_value(tmp_path: Path) -> None:
    def work(text: str, fixed: Any, none: Any, seed: float, left: int = 3) -> None: ...

    drawn = iter([0.5, 0.25])
    node = FnNode(
        work, inputs={"text": gr.Textbox(value="mine"), "fixed": {"a": 1}, "none": None, "seed": lambda: next(drawn)}
    )
    assert examples(node, tmp_path) == {
        "text": gr.Textbox().example_value(),
        "fixed": {"a": 1},
        "none": None,
        "seed": 0.5,
    }
    assert examples(node, tmp_path)["seed"] == 0.25
    assert 0 <= examples(FnNode(lambda n: n, inputs={"n": random.random}), tmp_path)["n"] < 1


def test_a_node_of_an_app_has_examples_too(tmp_path: Path) -> None:
    node = GradioNode("owner/space", api_name="/make", inputs={"prompt": gr.Textbox(), "steps": 4}, outputs={"x": None})
    assert examples(node, tmp_path) == {"prompt": "Hello!!", "steps": 4}


def test_a_component_without_an_example_gives_its_value(tmp_path: Path) -> None:
    class Broken(Field):
        def example_value(self) -> Any:
            raise NotImplementedError

    assert of(Number(value=7), tmp_path) == 7
    assert of(Broken(value="mine"), tmp_path) == "mine"
    assert of(gr.State({"a": 1}), tmp_path) == {"a": 1}


def test_choices_are_chosen_from(tmp_path: Path) -> None:
    assert of(gr.Dropdown(["one", "two"]), tmp_path) == "one"
    assert of(gr.Slider(5, 9), tmp_path) == 5


def test_files_are_small_and_can_be_read(tmp_path: Path) -> None:
    with Image.open(of(gr.Image(), tmp_path)) as opened:
        opened.load()
        assert (opened.format, opened.mode) == ("PNG", "RGB")
        assert opened.getpixel((0, 0)) != opened.getpixel((63, 63))
    with wave.open(of(gr.Audio(), tmp_path)) as file:
        assert (file.getnframes() / file.getframerate(), file.getnchannels()) == (0.5, 1)
    assert Path(of(gr.Video(), tmp_path)).read_bytes()[4:8] == b"ftyp"
    assert Path(of(gr.Model3D(), tmp_path)).suffix == ".obj"
    assert Path(of(gr.File(), tmp_path)).read_text() == "Hello!\n"
    assert Path(of(gr.UploadButton(), tmp_path)).suffix == ".txt"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 200_000
    assert gr.Audio().postprocess(of(gr.Audio(), tmp_path)) is not None


def test_a_file_is_of_a_type_that_the_component_takes(tmp_path: Path) -> None:
    assert Path(of(gr.File(file_types=[".csv"]), tmp_path)).read_text().startswith("name,count")
    assert Path(of(gr.File(file_types=["image"]), tmp_path)).suffix == ".png"
    assert Path(of(gr.File(file_types=["audio", ".txt"]), tmp_path)).suffix == ".wav"
    several = of(gr.File(file_count="multiple"), tmp_path)
    assert [Path(path).is_file() for path in several] == [True]


@pytest.mark.parametrize(
    "kind", [gr.Gallery, gr.ImageSlider, gr.ImageEditor, gr.AnnotatedImage, gr.MultimodalTextbox, gr.Image, gr.Video]
)
def test_no_example_is_an_address_in_the_web(tmp_path: Path, kind: Any) -> None:
    found = [*strings(of(kind(), tmp_path))]
    assert not [one for one in found if one.startswith("http")]
    assert any(Path(one).is_file() for one in found)


def test_examples_have_a_folder_of_their_own_where_none_is_given() -> None:
    node = FnNode(lambda image: image, inputs={"image": gr.Image()})
    first, second = (Path(example_inputs(spec_of(node))["image"]) for _ in range(2))
    assert first.read_bytes() == second.read_bytes()
    assert first.parent != second.parent


def test_without_a_film_at_hand_one_has_to_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_files.importlib.util, "find_spec", lambda name: None)
    node = FnNode(lambda film: film, name="cut", inputs={"film": gr.Video()})
    with pytest.raises(GraphError, match=r"'cut' has no example for 'film'\.(.|\n)*test\(film=…\)"):
        examples(node, tmp_path)
    assert examples(node, tmp_path, given=("film",)) == {}


def test_what_comes_over_an_edge_is_the_example_of_its_component(tmp_path: Path) -> None:
    def make() -> Any: ...

    made = FnNode(
        make,
        outputs={
            "text": gr.Textbox(),
            "image": gr.Image(),
            "files": gr.File(file_count="multiple"),
            "items": ItemList(speaker=gr.Dropdown(["A", "B"]), text=gr.Textbox(), face=gr.Image()),
            "table": gr.JSON(),
        },
    )
    taking = FnNode(
        lambda **given: given,
        inputs={
            "text": made.text,
            "image": made.image,
            "file": made.files.each,
            "items": made.items,
            "speaker": made.items.speaker,
            "texts": made.text.all(),
            "table": made.table,
        },
    )
    found = examples(taking, tmp_path)
    assert found["text"] == "Hello!!"
    assert found["texts"] == ["Hello!!"]
    assert found["speaker"] == "A"
    assert found["table"] == {"foo": "bar"}
    assert (found["items"][0]["speaker"], found["items"][0]["text"]) == ("A", "Hello!!")
    assert all(Path(path).is_file() for path in (found["image"], found["file"], found["items"][0]["face"]))


def test_all_inputs_without_an_example_are_named_at_once(tmp_path: Path) -> None:
    made = FnNode(lambda: 1, name="make", outputs={"hidden": None, "plot": gr.Plot(), "json": gr.JSON()})
    taking = FnNode(
        lambda hidden, plot, item, bare, text: None,
        name="take",
        inputs={
            "hidden": made.hidden,
            "plot": made.plot,
            "item": made.json.each["text"],
            "text": gr.Textbox(),
        },
    )
    with pytest.raises(GraphError) as error:
        examples(taking, tmp_path)
    assert error.value.message == (
        "'take' has no example for 'hidden', which comes from make.hidden, 'plot', which comes from make.plot, "
        "'item', which comes from make.json, 'bare'."
    )
    assert error.value.hint == "Give them: test(hidden=…, plot=…, item=…, bare=…)"
    assert examples(taking, tmp_path, given=("hidden", "plot", "item", "bare")) == {"text": "Hello!!"}


def test_a_callable_that_fails_is_named(tmp_path: Path) -> None:
    def draw() -> int:
        raise OSError("no entropy")

    node = FnNode(lambda seed: seed, name="work", inputs={"seed": draw})
    with pytest.raises(NodeFailedError, match=r"draw, which gives 'seed' of 'work' failed: OSError: no entropy"):
        examples(node, tmp_path)
