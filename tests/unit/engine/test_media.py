"""What functions return for a component to show: pictures, sound, figures, galleries. With real components."""

from __future__ import annotations

import io
import warnings
import wave
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from daggr import FnNode
from daggr.store.codecs.fileref import FilePath
from daggr.store.store import Store
from tests.unit.engine.rooms import Room, make_room, picture, size, text

ONE_PIXEL = Image.new("RGB", (1, 1), "red")


@pytest.fixture
def room(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    return make_room(store, tmp_path, monkeypatch)


# ---------------------------------------------------------------- pictures


def test_a_picture_is_kept_as_it_is(room: Room) -> None:
    """Without a word from the script that is a PNG, with all that it has to say; Gradio's own default loses detail."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 30, 3), np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "a description"
    noise.info.update(exif=exif.tobytes(), icc_profile=b"profile" * 30, parameters="steps: 20")
    out = room.run(lambda: noise, {"image": gr.Image()})["image"]
    assert Path(out).name == "image.png"
    with Image.open(out) as opened:
        opened.load()
        assert opened.tobytes() == noise.tobytes()
        assert opened.getexif()[0x010E] == "a description"
        assert opened.info["icc_profile"] == b"profile" * 30
        assert opened.info["parameters"] == "steps: 20"
    assert room.taken.outside == ()


def test_all_frames_are_kept(room: Room) -> None:
    frames = [Image.new("RGB", (4, 4), (40 * number, 0, 0)) for number in range(3)]
    moving = io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:], duration=50)
    with Image.open(room.run(lambda: Image.open(moving), {"out": gr.Image()})["out"]) as opened:
        assert opened.n_frames == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "F"])
def test_pictures_of_all_modes(room: Room, mode: str) -> None:
    with Image.open(room.run(lambda: Image.new(mode, (3, 2)), {"out": gr.Image()})["out"]) as opened:
        assert opened.size == (3, 2)


def test_the_format_that_the_script_asks_for(room: Room) -> None:
    for name, kind in (("jpeg", "JPEG"), ("webp", "WEBP"), ("gif", "GIF"), ("png", "PNG")):
        component = gr.Image(format=name)
        before = component.GRADIO_CACHE
        out = room.run(lambda: ONE_PIXEL, {"out": component})["out"]
        assert Path(out).name == f"out.{name}"
        with Image.open(out) as opened:
            assert opened.format == kind
        assert before == component.GRADIO_CACHE  # the script's component is as it was, and so is Gradio's cache
        assert not [*Path(before).rglob(f"*.{name}")]


def test_an_array_is_a_picture(room: Room) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (5, 4, 3), np.uint8)
    with Image.open(room.run(lambda: pixels, {"out": gr.Image()})["out"]) as opened:
        assert np.array_equal(np.asarray(opened), pixels)
        assert opened.format == "PNG"


def test_the_seeds_pair_of_hooks_for_pictures(room: Room) -> None:
    def load_image(inputs: dict[str, Any]) -> dict[str, Any]:
        inputs["image"] = Image.open(inputs["image"])
        return inputs

    def save_image(result: Image.Image) -> str:
        out_path = str(room.temp / "processed.png")
        result.save(out_path)
        return out_path

    node = FnNode(
        lambda image: image.rotate(90, expand=True),
        preprocess=load_image,
        postprocess=save_image,
        inputs={"image": gr.Image(label="Input")},
        outputs={"output": gr.Image(label="Rotated")},
    )
    with Image.open(room.keep(node, image=picture(room.elsewhere / "in.png"))["output"]) as opened:
        assert opened.size == (2, 3)


def test_a_file_reads_like_gradios_dict_and_like_a_path(room: Room) -> None:
    def fix_image_input(inputs: dict[str, Any]) -> dict[str, Any]:
        img = inputs.get("image")
        if isinstance(img, dict) and "path" in img:
            inputs["image"] = img["path"]
        return inputs

    def as_dict(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"image": inputs["image"]["path"]}

    for hook in (fix_image_input, as_dict):
        node = FnNode(lambda image: image, preprocess=hook, inputs={"image": gr.Image()}, outputs={"out": gr.Image()})
        assert Path(room.keep(node, image=picture(room.elsewhere / "in.png"))["out"]).name == "out.png"


def test_an_image_port_shows_the_first_of_a_list(room: Room) -> None:
    first, second = str(picture(room.work / "1.png", "red")), str(picture(room.work / "2.png", "blue"))
    for returned in (
        [first, second],
        (first,) * 3,
        [(first, "caption")],
        [{"image": {"path": first, "meta": {"_type": "gradio.FileData"}}, "caption": None}],
        {"image": {"path": first}, "caption": None},
        [Image.open(first)],
        [gr.FileData(path=first)],
    ):
        component = {"out": gr.Image()}
        value = [returned] if isinstance(returned, tuple) else returned  # a tuple is several ports' values
        with Image.open(room.run(lambda value=value: value, component)["out"]) as opened:
            assert opened.getpixel((0, 0)) == (255, 0, 0)
    assert room.run(lambda: [], {"out": gr.Image()}) == {"out": None}
    assert room.run(lambda: None, {"out": gr.Image()}) == {"out": None}


# ---------------------------------------------------------------- sound


def read_wave(path: str) -> tuple[int, int, list[int]]:
    with wave.open(path) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), file.getnchannels(), frames.tolist()


@pytest.mark.parametrize(
    ("samples", "channels", "expected"),
    [
        (np.array([0, 100, -100], np.int16), 1, [0, 100, -100]),
        (np.array([0.0, 0.25, -0.5], np.float32), 1, [0, 16383, -32767]),
        (np.array([0.0, 0.25, -0.5]), 1, [0, 16383, -32767]),
        (np.zeros(3, np.float32), 1, [0, 0, 0]),
        (np.array([], np.float32), 1, []),
        (np.array([[1, 2], [3, 4]], np.int16), 2, [1, 2, 3, 4]),
        (np.array([1 << 16, -(1 << 16)], np.int32), 1, [1, -1]),
        (np.array([0, 255], np.uint8), 1, [-32768, 32767]),
        (np.array([0, 65535], np.uint16), 1, [-32768, 32767]),
        (np.array([1, -1], np.int8), 1, [256, -256]),
        (np.array([1, 2], ">i2"), 1, [1, 2]),
    ],
)
def test_samples_are_a_wav_file_as_gradio_writes_it(
    room: Room, samples: Any, channels: int, expected: list[int]
) -> None:
    out = room.run(lambda: (np.int64(8000), samples), {"out": gr.Audio()})["out"]
    assert Path(out).name == "out.wav"
    assert read_wave(out) == (8000, channels, expected)
    if len(expected) and samples.dtype != ">i2":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Gradio says that it converts
            gradios = gr.Audio().postprocess((8000, samples))
        assert read_wave(gradios.path) == read_wave(out)


def test_the_seeds_pair_of_hooks_for_sound(room: Room) -> None:
    def load_audio(inputs: dict[str, Any]) -> dict[str, Any]:
        rate, _, samples = read_wave(inputs["audio"])
        inputs["audio"] = (rate, np.array(samples, np.int16))
        return inputs

    def save_audio(result: tuple[int, Any]) -> str:
        rate, samples = result
        out_path = str(room.temp / "processed.wav")
        with wave.open(out_path, "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
        return out_path

    given = room.run(lambda: (8000, np.array([1, 2, 3], np.int16)), {"out": gr.Audio()})["out"]
    hooks = (None, save_audio, lambda rate, samples: save_audio((rate, samples)), lambda *pair: save_audio(pair))
    for hook in hooks:
        node = FnNode(
            lambda audio: (audio[0], audio[1][::-1]),
            preprocess=load_audio,
            postprocess=hook,
            inputs={"audio": gr.Audio()},
            outputs={"out": gr.Audio()},
        )
        assert read_wave(room.keep(node, audio=Path(given))["out"]) == (8000, 1, [3, 2, 1])


# ---------------------------------------------------------------- figures


def test_a_figure_is_the_json_of_a_plot_or_a_picture(room: Room) -> None:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    def draw() -> Any:
        figure, axes = pyplot.subplots()
        axes.plot([1, 3, 2])
        return figure

    plot = room.run(draw, {"out": gr.Plot()})["out"]
    assert plot["type"] == "matplotlib"
    assert plot["plot"].startswith("data:image/")
    assert room.run(lambda: plot, {"out": gr.Plot()})["out"] == plot
    with Image.open(room.run(draw, {"out": gr.Image()})["out"]) as opened:
        assert opened.size == (640, 480)
    assert pyplot.get_fignums() == []


class Chart:
    """What Gradio takes for a plotly figure: anything with `to_json`."""

    def to_json(self) -> str:
        return '{"data": []}'


def test_other_figures_are_asked_for_their_json(room: Room) -> None:
    out = room.run(Chart, {"out": gr.Plot()})["out"]
    assert (out["type"], out["plot"]) == ("plotly", '{"data": []}')
    assert room.run(lambda: None, {"out": gr.Plot()})["out"] is None


# ---------------------------------------------------------------- several files


def test_a_gallery_keeps_its_shape_with_files_in_it(room: Room) -> None:
    made, typed = str(picture(room.work / "a.png")), str(picture(room.work / "b.png", "blue"))
    given = picture(room.elsewhere / "in.jpg", "green")

    def mix(path: str, caption: str) -> Any:
        data = {"path": made, "meta": {"_type": "gradio.FileData"}, "orig_name": "x.png"}
        return [
            made,
            Path(made),
            path,
            (path, "with a caption"),
            [made, caption],
            ONE_PIXEL,
            (np.zeros((2, 2, 3), np.uint8), None),
            data,
            {"image": data, "caption": caption},
            {"video": {"path": str(text(room.temp / "v.mp4"))}, "caption": None},
            None,
        ]

    out = room.run(mix, {"pictures": gr.Gallery()}, path=given, caption=typed)["pictures"]
    assert [type(part) for part in out[3:5]] == [tuple, list]
    paths = [out[0], out[1], out[2], out[3][0], out[4][0], out[5], out[6][0], out[7]["path"], out[8]["image"]["path"]]
    assert {Path(path).name for path in paths} == {"pictures.png", "pictures.jpg"}
    assert all(isinstance(path, FilePath) and Path(path).is_file() for path in paths)
    assert out[0] == out[1] == out[7]["path"]
    assert out[3][1] == "with a caption"
    assert out[4][1] == out[8]["caption"] == typed
    assert type(out[4][1]) is str
    assert out[7]["orig_name"] == "x.png"
    assert Path(out[9]["video"]["path"]).name == "pictures.mp4"
    assert out[10] is None
    assert sorted(room.taken.outside) == sorted([made, str(room.temp / "v.mp4")])
    assert "came in as text" in room.refused(lambda caption: [caption], gr.Gallery(), caption=typed).message


def test_a_gallery_of_gradios_own_classes(room: Room) -> None:
    made = str(picture(room.work / "a.png"))
    data = gr.Gallery().postprocess([(made, "caption")])
    out = room.run(lambda: data, {"out": gr.Gallery()})["out"]
    assert out[0]["caption"] == "caption"
    assert Path(out[0]["image"]["path"]).read_bytes() == Path(made).read_bytes()
    assert room.run(lambda: [], {"out": gr.Gallery()}) == {"out": []}
    assert Path(room.run(lambda: made, {"out": gr.Gallery()})["out"]).name == "out.png"


def test_a_slider_of_two_pictures(room: Room) -> None:
    made = str(picture(room.work / "a.png"))
    before, after = room.run(lambda: ((made, ONE_PIXEL),), {"out": gr.ImageSlider()})["out"]
    assert Path(before).read_bytes() == Path(made).read_bytes()
    assert size(after) == (1, 1)


def test_a_file_port_takes_several(room: Room) -> None:
    given = text(room.elsewhere / "in.txt")

    def write(path: str) -> Any:
        return [str(text(room.work / "a.csv")), path, gr.FileData(path=str(text(room.work / "b.csv")))]

    for component in (gr.File(file_count="multiple"), gr.File()):
        out = room.run(write, {"out": component}, path=given)["out"]
        assert [Path(path).name for path in out] == ["a.csv", "in.txt", "b.csv"]


def test_a_file_that_is_given_twice_is_kept_once(room: Room) -> None:
    made = str(picture(room.work / "a.png"))
    room.run(lambda: (made, [made, made]), {"a": gr.File(), "b": gr.File()})
    assert len(room.taken.staged) == 2  # the file, and the list
    assert room.taken.outside == (made,)
