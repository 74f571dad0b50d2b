"""Which codec takes what, what each refuses and why, and users' own codecs."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

import daggr
from daggr.digest import UnencodableError
from daggr.errors import ArtifactCorruptError, ConfigError, UnknownCodecError
from daggr.store.codecs import builtin, registry
from daggr.store.codecs.registry import decode_value, encode_value


def content(value: Any) -> tuple[str, bytes]:
    encoded = encode_value(value)
    return encoded.codec, b"".join(encoded.chunks)


def again(value: Any) -> Any:
    return decode_value(*content(value))


@pytest.fixture(autouse=True)
def _own_codecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("_kinds", "_by_kind", "_by_name"):
        monkeypatch.setattr(registry, name, {})
    return


# ---------------------------------------------------------------- which codec, and where the bytes lie


@pytest.mark.parametrize(
    ("value", "codec"),
    [
        ({"a": [1]}, "value"),
        ({"a": np.arange(2)}, "value"),
        (np.arange(2), "ndarray"),
        (np.float32(1), "numpy scalar"),
        (Image.new("L", (1, 1)), "image"),
        (pd.DataFrame(), "dataframe"),
        (pd.Series(dtype=float), "series"),
        (pd.NA, "pandas scalar"),
    ],
)
def test_each_type_has_its_codec(value: Any, codec: str) -> None:
    assert content(value)[0] == codec


def test_a_large_array_is_not_copied_on_the_way_out() -> None:
    array = np.arange(100_000.0)
    assert any(np.shares_memory(array, np.frombuffer(chunk, "u1")) for chunk in encode_value(array).chunks)
    table = pd.DataFrame(np.arange(200_000.0).reshape(2, -1).T)
    assert any(np.shares_memory(table[1].to_numpy(), np.frombuffer(x, "u1")) for x in encode_value(table).chunks)


def test_a_bytearray_is_kept_and_bytes_are_not() -> None:
    codec, data = content(np.arange(100))
    for given, shared in ((data, False), (bytearray(data), True)):
        array = decode_value(codec, given)
        assert np.shares_memory(array, np.frombuffer(given, "u1")) == shared
        assert array.flags.aligned
        array[0] = 7


def test_what_comes_back_can_be_written_to() -> None:
    value = again(
        {"array": np.arange(3), "table": pd.DataFrame({"a": [1.0], "s": ["x"]}), "image": Image.new("P", (1, 1))}
    )
    value["array"][0] = 7
    value["table"].loc[0, ["a", "s"]] = [2.0, "y"]
    value["image"].putpixel((0, 0), 7)
    assert value["array"].tolist() == [7, 1, 2]
    assert value["table"].to_numpy().tolist() == [[2.0, "y"]]
    assert value["image"].getpixel((0, 0)) == 7


def test_importing_daggr_imports_no_library_of_a_codec() -> None:
    code = "import sys, daggr; print({'numpy', 'pandas', 'PIL', 'torch'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


# ---------------------------------------------------------------- what is refused


def gif() -> Image.Image:
    file = io.BytesIO()
    first = Image.new("L", (2, 2))
    first.save(file, "GIF", save_all=True, append_images=[Image.new("L", (2, 2), 255)])
    return Image.open(file)


def cut_png() -> Image.Image:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return Image.open(io.BytesIO(file.getvalue()[:-900]))


def told(image: Image.Image, **info: Any) -> Image.Image:
    image.info = info
    return image


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([None]), "the value is a numpy.ndarray, which holds Python objects"),
        (np.zeros(1, [("a", "i4"), ("b", "O")]), "holds Python objects"),
        (np.zeros(1, "g"), "long doubles"),
        (np.longdouble(1), "long doubles"),
        (np.zeros(1, np.dtype("i4", metadata={"unit": "m"})), "metadata"),
        (np.ma.array([1]), "the value is a numpy.ma.*MaskedArray, which has no canonical form"),
        (np.zeros(1, [("a", "i4")]).view(np.recarray), "no canonical form"),
        ([{"x": np.array([None])}], r"\[0\]\['x'\] is a numpy.ndarray, which holds"),
        (gif(), "more than one frame"),
        (cut_png(), "pixels cannot be read"),
        (told(Image.new("L", (1, 1)), owner=object()), r"^\.info\['owner'\] is a object"),
        (Image.new("RGB", (70_000, 0)), "whose size"),
        (pd.DataFrame({"a": [1, object()]}), r"^\['a'\]\[1\] is a object"),
        ({"t": pd.DataFrame({"a": [1, object()]})}, r"^\['t'\]\['a'\]\[1\] is a object"),
        (pd.DataFrame({"a": pd.arrays.SparseArray([1, 0])}), r"^\['a'\] is a .*, whose dtype Sparse\[int64, 0\]"),
        (pd.DataFrame({"a": [1]}, index=[object()]), r"^\.index\[0\] is a object"),
        (pd.Series([1], name=object()), r"^\.name is a object"),
        (pd.Index([1]), "no canonical form"),
    ],
)
def test_what_has_no_fixed_bytes_is_refused_with_the_reason(value: Any, text: str) -> None:
    with pytest.raises(UnencodableError, match=text):
        encode_value(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    table = pd.DataFrame({"a": [1]})
    table.attrs["self"] = [table]
    with pytest.raises(UnencodableError):
        encode_value(table)


# ---------------------------------------------------------------- images from files


@pytest.mark.parametrize("options", [{}, {"transparency": 1}, {"transparency": bytes([0, 128, 255])}])
@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_an_image_is_the_same_however_its_palette_was_reached(form: str, options: dict[str, Any]) -> None:
    file = io.BytesIO()
    picture = Image.linear_gradient("L").resize((8, 8)).convert("RGB").quantize(4)
    picture.save(file, form, **({} if form == "GIF" and options.get("transparency") != 1 else options))
    fresh, loaded, converted = (Image.open(io.BytesIO(file.getvalue())) for _ in range(3))
    loaded.load()
    loaded.getpalette()
    converted.convert("RGBA")
    assert len({content(image) for image in (fresh, loaded, converted, fresh.copy(), again(fresh))}) == 1
    assert again(fresh) == fresh.copy()
    assert again(fresh).convert("RGBA").tobytes() == fresh.convert("RGBA").tobytes()


def test_what_a_file_tells_of_an_image_is_kept() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("title", "Ü", "de")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=texts, exif=exif, dpi=(72, 72), icc_profile=b"profile")
    image = Image.open(file)
    back = again(image)
    assert type(back) is Image.Image
    assert back.info == image.info
    assert type(back.info["title"]) is str
    assert back.getexif()[0x0112] == 6


# ---------------------------------------------------------------- tensors


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(6.0)
    tensors = [
        base.reshape(2, 3).T, base[::5][:1], torch.zeros(0, 3), torch.tensor(3), torch.ones(2, requires_grad=True),
        torch.ones(3, dtype=torch.bfloat16), torch.tensor([1 + 2j]).conj(), torch.tensor([True, False]),
    ]  # fmt: skip
    for tensor in tensors:
        codec, data = content(tensor)
        for given in (data, bytearray(data)):
            back = decode_value(codec, given)
            assert (type(back), back.dtype, back.shape) == (torch.Tensor, tensor.dtype, tensor.shape)
            assert back.requires_grad == tensor.requires_grad
            assert torch.equal(back, tensor)
        for size in range(len(data)):
            with pytest.raises(ArtifactCorruptError):
                decode_value(codec, data[:size])
    assert content(base.reshape(2, 3).T) == content(base.reshape(2, 3).T.contiguous())
    assert not again(torch.ones(2, requires_grad=True) * 2).requires_grad


@pytest.mark.parametrize("how", ["to_sparse", "meta", "parameter"])
def test_tensors_without_plain_elements_are_refused(how: str) -> None:
    torch = pytest.importorskip("torch")
    value = {
        "to_sparse": lambda: torch.ones(2).to_sparse(),
        "meta": lambda: torch.ones(2, device="meta"),
        "parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    }[how]()
    with pytest.raises(UnencodableError):
        encode_value(value)


# ---------------------------------------------------------------- users' codecs


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


def written(point: Point) -> bytes:
    return str(point.x).encode()


def read(data: bytes) -> Point:
    return Point(int(data))


NAME = f"{__name__}.Point"


def test_a_users_codec_writes_and_reads_values_alone_and_in_others() -> None:
    with pytest.raises(UnencodableError, match=r"^\['p'\] is a .*\.Point, which has no canonical form"):
        encode_value({"p": Point(1)})
    daggr.codec(Point, encode=written, decode=read)
    assert content(Point(3)) == (NAME, b"3")
    assert again(Point(3)).x == 3
    assert again({"p": [Point(4)]})["p"][0].x == 4
    assert again(pd.Series([Point(5)], dtype=object))[0].x == 5


def test_a_subclass_has_no_codec_of_its_base() -> None:
    daggr.codec(Point, encode=written, decode=read)
    with pytest.raises(UnencodableError):
        encode_value(type("Corner", (Point,), {})(1))


def test_a_class_that_is_loaded_again_replaces_the_old_one() -> None:
    def load(shift: int) -> type:
        class Local:
            x = 0

        def made(data: bytes) -> Any:
            local = Local()
            local.x = int(data) + shift
            return local

        daggr.codec(Local, encode=lambda local: str(local.x).encode(), decode=made)
        return Local

    old, new = load(0), load(100)
    codec, data = content(new())
    assert decode_value(codec, data).x == 100
    assert "<locals>.Local" in codec
    with pytest.raises(UnencodableError):
        encode_value(old())


def test_a_name_given_up_still_reads_what_it_wrote() -> None:
    daggr.codec(Point, name="dot", encode=written, decode=read)
    old = content(Point(1))
    daggr.codec(Point, name="point", encode=written, decode=read)
    assert content(Point(1))[0] == "point"
    assert decode_value(*old).x == 1


@pytest.mark.parametrize("name", ["", " ", "value", "file", "ndarray", "image", "a\nb", "x" * 500, 3])
def test_names_that_cannot_be_taken(name: Any) -> None:
    with pytest.raises(ConfigError, match="The name of a codec"):
        daggr.codec(Point, name=name, encode=written, decode=read)


@pytest.mark.parametrize(
    "kind", [dict, int, np.ndarray, np.float32, pd.DataFrame, Image.Image, PngImagePlugin.PngImageFile]
)
def test_types_that_daggr_stores_already(kind: Any) -> None:
    with pytest.raises(ConfigError, match="already"):
        daggr.codec(kind, encode=lambda value: b"", decode=lambda data: None)


def test_what_is_no_type_or_function() -> None:
    with pytest.raises(ConfigError, match="takes a type first"):
        daggr.codec(Point(1), encode=written, decode=read)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must be functions"):
        daggr.codec(Point, encode=written, decode=None)  # type: ignore[arg-type]


def test_a_name_belongs_to_one_type() -> None:
    daggr.codec(Point, name="point", encode=written, decode=read)
    with pytest.raises(ConfigError, match=r"the name 'point' belongs to .*\.Point"):
        daggr.codec(threading.Thread, name="point", encode=lambda value: b"", decode=lambda data: threading.Thread())


def fails(_: Any) -> Any:
    raise KeyError("oh")


@pytest.mark.parametrize(("encode", "why"), [(fails, "KeyError"), (lambda point: "3", "gave a str instead of bytes")])
def test_a_users_encode_that_fails_is_named(encode: Any, why: str) -> None:
    daggr.codec(Point, encode=encode, decode=read)
    with pytest.raises(UnencodableError, match=rf"^\['a'\] is a .*Point.*{NAME}.*{why}"):
        encode_value({"a": Point(1)})


@pytest.mark.parametrize(("decode", "why"), [(fails, "KeyError"), (lambda data: 3, "gave a int, not a Point")])
def test_a_users_decode_that_fails_is_named(decode: Any, why: str) -> None:
    daggr.codec(Point, encode=written, decode=decode)
    with pytest.raises(ArtifactCorruptError, match=f"{NAME}.*{why}"):
        again(Point(1))


def test_an_unknown_codec_says_how_to_register_it() -> None:
    daggr.codec(Point, name="point", encode=written, decode=read)
    with pytest.raises(
        UnknownCodecError, match=r"'pont'.*\nDid you mean 'point'\? Register it with daggr\.codec"
    ) as caught:
        decode_value("pont", b"1")
    assert "in the script" in caught.value.hint


def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = builtin.Family("daggr.store.codecs.no_such_module", "torch", ("tensor",))
    monkeypatch.setitem(builtin.FAMILIES, "torch", absent)
    with pytest.raises(UnknownCodecError, match="pip install torch"):
        decode_value("tensor", b"")


def test_many_threads_may_register() -> None:
    kinds = [type(f"Kind{n}", (), {}) for n in range(40)]
    threads = [
        threading.Thread(
            target=daggr.codec,
            args=(kind,),
            kwargs={"encode": lambda value: b"", "decode": lambda data, kind=kind: kind()},
        )
        for kind in kinds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({content(kind())[0] for kind in kinds}) == 40
