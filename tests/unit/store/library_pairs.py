"""Pairs of values of Pillow, pandas and torch, for the tables of `value_pairs`."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

Pairs = dict[str, tuple[Any, Any]]
NAN = float("nan")


class Refused(NamedTuple):
    """A value that the store does not take."""

    value: Any


# ---------------------------------------------------------------- images


def picture(mode: str = "RGB", size: tuple[int, int] = (3, 2), **info: Any) -> Image.Image:
    image = Image.new(mode, size)
    image.info.update(info)
    return image


def colored(colors: list[int], mode: str = "RGB") -> Image.Image:
    image = Image.new("P", (2, 2))
    image.putpalette(colors, mode)
    return image


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> Image.Image:
    file = io.BytesIO()
    image.save(file, form, **options)
    return Image.open(io.BytesIO(file.getvalue()))


def turned(image: Image.Image, orientation: int) -> Image.Image:
    image.getexif()[0x0112] = orientation
    return image


def looked_at(image: Image.Image) -> Image.Image:
    image.getexif()
    return image


def different_images() -> Pairs:
    exif = Image.Exif()
    exif[0x0112] = 6
    second = Image.new("L", (3, 2), 9)
    return {
        "modes of one width": (picture("L"), picture("P")),
        "RGB, YCbCr": (picture(), picture("YCbCr")),
        "RGBA, CMYK": (picture("RGBA"), picture("CMYK")),
        "RGBA, premultiplied": (picture("RGBA"), picture("RGBa")),
        "integers, floats": (picture("I"), picture("F")),
        "sizes of one area": (picture("L", (100, 200)), picture("L", (200, 100))),
        "sizes without area": (picture("L", (0, 5)), picture("L", (5, 0))),
        "pixels": (picture(), Image.new("RGB", (3, 2), (0, 0, 1))),
        "an image, its array": (picture(), np.zeros((2, 3, 3), "u1")),
        "colors of a palette": (colored([1, 2, 3]), colored([1, 2, 4])),
        "length of a palette": (colored([1, 2, 3]), colored([1, 2, 3, 0, 0, 0])),
        "alpha of a palette": (colored([1, 2, 3, 9], "RGBA"), colored([1, 2, 3, 255], "RGBA")),
        "kinds of palettes": (colored([1, 2, 3, 255], "RGBA"), colored([1, 2, 3])),
        "transparency": (picture("L", transparency=0), picture("L")),
        "which is transparent": (picture("L", transparency=0), picture("L", transparency=1)),
        "kinds of transparency": (picture("P", transparency=0), picture("P", transparency=b"\0")),
        "EXIF": (saved(picture(), exif=exif), saved(picture())),
        "EXIF of a JPEG": (saved(picture(), "JPEG", exif=exif), saved(picture(), "JPEG")),
        "EXIF that was set": (turned(picture(), 6), turned(picture(), 8)),
        "EXIF that was set or not": (turned(picture(), 6), picture()),
        "EXIF that was changed": (turned(saved(picture(), exif=exif), 8), saved(picture(), exif=exif)),
        "ICC": (saved(picture(), icc_profile=b"profile"), saved(picture())),
        "dpi": (saved(picture(), dpi=(72, 72)), saved(picture(), dpi=(300, 300))),
        "kinds of notes": (picture(note=1), picture(note=1.0)),
        "names of notes": (picture(note=1), picture(other=1)),
        "one frame, two": (
            saved(picture("L"), "GIF"),
            Refused(saved(picture("L"), "GIF", save_all=True, append_images=[second])),
        ),
        "animated PNG": (saved(picture("L")), Refused(saved(picture("L"), save_all=True, append_images=[second]))),
        "pages": (
            saved(picture("L"), "TIFF"),
            Refused(saved(picture("L"), "TIFF", save_all=True, append_images=[second])),
        ),
        "large images": (picture("L", (200, 200)), Image.linear_gradient("L").resize((200, 200))),
    }


def equal_images() -> Pairs:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8769] = {0x9003: "2020:01:01 00:00:00"}
    seen = saved(picture(), exif=exif)
    seen.getexif().get_ifd(0x8769)
    seen.getexif().get_ifd(1)
    once, twice = saved(Image.linear_gradient("L")), saved(Image.linear_gradient("L"))
    once.load()
    return {
        "loaded twice, one of them read": (once, twice),
        "saved and loaded": (Image.linear_gradient("L"), saved(Image.linear_gradient("L"))),
        "saved and loaded in colors": (Image.new("RGB", (9, 9), "red"), saved(Image.new("RGB", (9, 9), "red"))),
        "copied": (saved(picture(), dpi=(72, 72)), saved(picture(), dpi=(72, 72)).copy()),
        "cut out": (picture(size=(9, 9)).crop((1, 1, 4, 3)), picture()),
        "what is no pixel": (
            Image.new("RGBA", (1, 1), (1, 2, 3, 4)).convert("RGB"),
            Image.new("RGB", (1, 1), (1, 2, 3)),
        ),
        "from an array": (Image.fromarray(np.full((2, 3), 7, "u1")), Image.new("L", (3, 2), 7)),
        "bits at the end of a line": (Image.frombytes("1", (3, 1), b"\xff"), Image.frombytes("1", (3, 1), b"\xe0")),
        "order of notes": (picture(a=1, b=2), picture(b=2, a=1)),
        "EXIF that was looked at": (seen, saved(picture(), exif=exif)),
        "EXIF that was looked for": (picture(), looked_at(picture())),
        "palettes": (colored([1, 2, 3]), saved(colored([1, 2, 3])).copy()),
    }


# ---------------------------------------------------------------- pandas


def with_attrs(value: Any, **attrs: Any) -> Any:
    value.attrs.update(attrs)
    return value


def by(index: Any, name: Any = None) -> pd.Series[Any]:
    """Numbers under an index."""
    return pd.Series(range(len(index)), index=index, name=name)


def cells(*values: Any, dtype: Any = object) -> pd.Series[Any]:
    return pd.Series(list(values), dtype=dtype)


def different_cells() -> Pairs:
    """What stands in a column."""
    letters, days = ["a", "b"], pd.to_datetime(["2020-01-01", "2020-01-02"])
    return {
        "a series, its list": (cells(1, dtype="i8"), [1]),
        "a series, its array": (cells(1, dtype="i8"), np.array([1])),
        "int, float cells": (cells(1, dtype="i8"), cells(1, dtype="f8")),
        "int64, Int64": (cells(1, dtype="int64"), cells(1, dtype="Int64")),
        "Int64, float64 with NaN": (cells(1, None, dtype="Int64"), cells(1, NAN, dtype="f8")),
        "Int64, Float64 with NA": (cells(1, None, dtype="Int64"), cells(1, None, dtype="Float64")),
        "bool, boolean": (cells(True, dtype=bool), cells(True, dtype="boolean")),
        "NA, 0": (cells(None, dtype="Int64"), cells(0, dtype="Int64")),
        "NA, NaN in Float64": (
            pd.Series(pd.arrays.FloatingArray(np.array([NAN]), np.array([True]))),
            pd.Series(pd.arrays.FloatingArray(np.array([NAN]), np.array([False]))),
        ),
        "None, NaN cells": (cells(None), cells(NAN)),
        "NaN, NaT cells": (cells(NAN), cells(pd.NaT)),
        "NaT, NA cells": (cells(pd.NaT), cells(pd.NA)),
        "None, its text": (cells(None), cells("None")),
        "True, 1 cells": (cells(True), cells(1)),
        "int, numpy's int cells": (cells(1), cells(np.int64(1))),
        "text, bytes cells": (cells("a"), cells(b"a")),
        "tuple, list cells": (cells((1, 2)), cells([1, 2])),
        "where cells end": (cells("ab", "c"), cells("a", "bc")),
        "object, string": (cells("a"), cells("a", dtype="string")),
        "what a missing text is": (
            cells("a", None, dtype=pd.StringDtype("python")),
            cells("a", None, dtype=pd.StringDtype("python", na_value=np.nan)),
        ),
        "text, numpy's text in a column": (
            cells("a", dtype=pd.StringDtype("python")),
            pd.Series(pd.array([np.str_("a")], dtype=pd.StringDtype("python"))),
        ),
        "texts, categories": (cells("a", "b"), cells("a", "b", dtype="category")),
        "order of categories": (
            pd.Series(pd.Categorical(letters, categories=["a", "b"])),
            pd.Series(pd.Categorical(letters, categories=["b", "a"])),
        ),
        "ordered or not": (pd.Series(pd.Categorical(letters)), pd.Series(pd.Categorical(letters, ordered=True))),
        "unused categories": (pd.Series(pd.Categorical(letters)), pd.Series(pd.Categorical(letters, [*letters, "c"]))),
        "categories by type": (pd.Series(pd.Categorical([1])), pd.Series(pd.Categorical([1.0]))),
        "a zone of a column or none": (pd.Series(days), pd.Series(days.tz_localize("UTC"))),
        "zones of columns": (
            pd.Series(days.tz_localize("UTC")),
            pd.Series(days.tz_localize("UTC").tz_convert("Europe/Paris")),
        ),
        "units of columns": (pd.Series(days.as_unit("s")), pd.Series(days.as_unit("ns"))),
        "days, periods": (pd.Series(days), pd.Series(days.to_period("D"))),
        "freq of periods": (pd.Series(days.to_period("M")), pd.Series(days.to_period("Y"))),
        "closed sides": (pd.Series(pd.interval_range(0, 2)), pd.Series(pd.interval_range(0, 2, closed="left"))),
        "sparse or not": (cells(1, 0, dtype="i8"), Refused(pd.Series(pd.arrays.SparseArray([1, 0])))),
    }


def different_tables() -> Pairs:
    """What stands around the cells."""
    table, grid = pd.DataFrame({"a": [1, 2], "b": [3, 4]}), pd.MultiIndex.from_product([["a"], [1, 2]])
    days = pd.date_range("2020", periods=2)
    return {
        "a table, its dict": (table, {"a": [1, 2], "b": [3, 4]}),
        "a column, a table of one": (table["a"], table[["a"]]),
        "names of columns": (table, table.rename(columns={"a": "c"})),
        "order of columns": (table, table[["b", "a"]]),
        "columns under other names": (table, pd.DataFrame({"a": [3, 4], "b": [1, 2]})),
        "columns of one name": (table, table.set_axis(["a", "a"], axis=1)),
        "kinds of column names": (table.set_axis([0, 1], axis=1), table.set_axis(["0", "1"], axis=1)),
        "name of the columns": (table, table.rename_axis(columns="n")),
        "rows": (table, table.iloc[::-1]),
        "a table, transposed": (table, table.T),
        "values of the index": (table, table.set_axis([1, 2])),
        "name of the index": (table, table.rename_axis("n")),
        "range, numbers": (table, table.set_axis(pd.Index([0, 1]))),
        "kinds of index": (by(pd.Index([1])), by(pd.Index([1.0]))),
        "an index of numbers or texts": (by(pd.Index([1])), by(pd.Index(["1"]))),
        "an index or a column": (table, table.set_index("a")),
        "levels, tuples": (by(grid), by(pd.Index(list(grid), tupleize_cols=False))),
        "names of levels": (by(grid), by(grid.set_names(["x", "y"]))),
        "levels, one of them": (by(grid), by(grid.droplevel(0))),
        "levels of columns": (table.set_axis(grid, axis=1), table.set_axis(list(map(str, grid)), axis=1)),
        "levels that no row has": (by(pd.MultiIndex.from_product([["a", "b"], [1, 2]])[:2]), by(grid)),
        "freq of the index": (by(days), by(pd.DatetimeIndex(list(days)))),
        "zone of the index": (by(days), by(days.tz_localize("UTC"))),
        "name of a series": (by([1], "a"), by([1], "b")),
        "name of a series or none": (by([1], "None"), by([1])),
        "kinds of series' names": (by([1], 1), by([1], "1")),
        "attrs": (table, with_attrs(table.copy(), unit="m")),
        "attrs by type": (with_attrs(table.copy(), n=1), with_attrs(table.copy(), n=1.0)),
        "whether labels may repeat": (table, table.set_flags(allows_duplicate_labels=False)),
        "empty tables by columns": (pd.DataFrame(columns=["a"]), pd.DataFrame(columns=["b"])),
        "empty tables by dtype": (
            pd.DataFrame({"a": pd.Series(dtype="f8")}),
            pd.DataFrame({"a": pd.Series(dtype="i8")}),
        ),
        "empty tables by rows": (pd.DataFrame(index=[1]), pd.DataFrame(index=[2])),
        "no rows, no columns": (pd.DataFrame(columns=["a"]), pd.DataFrame(index=["a"])),
        "large tables": (pd.DataFrame({"a": range(5000)}), pd.DataFrame({"a": [*range(4999), 0]})),
        "a table, an index": (table, Refused(table.index)),
    }


def different_pandas_scalars() -> Pairs:
    moment = pd.Timestamp(datetime(2021, 10, 31, 2, 30))
    return {
        "Timestamp, datetime": (moment, moment.to_pydatetime()),
        "Timestamp, text": (moment, str(moment)),
        "units of Timestamp": (moment.as_unit("s"), moment.as_unit("ns")),
        "nanoseconds": (moment.as_unit("ns"), moment.as_unit("ns") + pd.Timedelta(1, "ns")),
        "zone of a Timestamp": (moment.tz_localize("UTC"), moment),
        "one instant in two Timestamps": (
            moment.tz_localize("UTC"),
            moment.tz_localize("UTC").tz_convert("Europe/Paris"),
        ),
        "fold of a Timestamp": (moment, moment.replace(fold=1)),
        "fold of a Timestamp with zone": (
            moment.tz_localize("Europe/Paris", True),
            moment.tz_localize("Europe/Paris", False),
        ),
        "NaT, NA": (pd.NaT, pd.NA),
        "NaT, numpy's": (pd.NaT, np.datetime64("NaT", "ns")),
        "NA, None": (pd.NA, None),
        "Timedelta, timedelta": (pd.Timedelta(1, "D"), timedelta(1)),
        "Period, Timestamp": (pd.Period("2020", "D"), pd.Timestamp("2020")),
        "freq of a Period": (pd.Period("2020", "M"), pd.Period("2020", "2M")),
        "kinds of Interval": (pd.Interval(0, 1), pd.Interval(0.0, 1.0)),
        "closed side": (pd.Interval(0, 1), pd.Interval(0, 1, "left")),
    }


def equal_tables() -> Pairs:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    wide = pd.DataFrame(np.arange(12.0).reshape(3, 4), columns=list("abcd"))
    codes = np.array([0, 1], "i8")
    return {
        "by columns, by rows": (table, pd.DataFrame([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])),
        "grown by a column": (table, table[["a"]].assign(b=["x", "y"])),
        "a copied table": (table, table.copy(deep=True)),
        "columns that were turned twice": (table, table[["b", "a"]][["a", "b"]]),
        "sliced or copied": (wide.iloc[::2, 1:3], wide.iloc[::2, 1:3].copy()),
        "one block or many": (wide, pd.DataFrame({name: wide[name].tolist() for name in wide})),
        "Fortran order": (wide, pd.DataFrame(np.asfortranarray(wide.to_numpy()), columns=list("abcd"))),
        "a column, taken or made": (wide["b"], pd.Series([1.0, 5.0, 9.0], name="b")),
        "what hides behind NA": (
            pd.Series(pd.arrays.IntegerArray(np.array([1, 7]), np.array([False, True]))),
            cells(1, None, dtype="Int64"),
        ),
        "width of codes": (
            pd.Series(pd.Categorical.from_codes(codes, ["a", "b"])),
            pd.Series(pd.Categorical(["a", "b"])),
        ),
        "a row that came and went": (table, pd.concat([table, table]).iloc[:2].reset_index(drop=True)),
        "how true a cell is": (pd.Series(np.array([2], "u1").view(bool)), pd.Series([True])),
        "Timestamps by parts": (
            pd.Timestamp("2020-01-01").as_unit("us"),
            pd.Timestamp(datetime(2020, 1, 1)).as_unit("us"),
        ),
        "UTC by either name": (pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020", tz=timezone.utc)),
        "tables within": ({"t": [wide.T.T]}, {"t": [wide.copy()]}),
    }


# ---------------------------------------------------------------- torch


def different_tensors() -> Pairs:
    if find_spec("torch") is None:
        return {}
    import torch

    six = torch.arange(6)
    return {
        "dtypes of tensors": (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        "half, bfloat16": (torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.bfloat16)),
        "shapes of tensors": (six.reshape(2, 3), six.reshape(3, 2)),
        "a tensor, its transpose": (six[:4].reshape(2, 2), six[:4].reshape(2, 2).T),
        "gradient": (torch.ones(2), torch.ones(2, requires_grad=True)),
        "a tensor, its array": (torch.zeros(2), np.zeros(2, "f4")),
        "empty tensors": (torch.zeros(0, 3), torch.zeros(3, 0)),
        "a tensor, a parameter": (torch.ones(2), Refused(torch.nn.Parameter(torch.ones(2)))),
        "dense, sparse": (torch.ones(2), Refused(torch.ones(2).to_sparse())),
    }


def equal_tensors() -> Pairs:
    if find_spec("torch") is None:
        return {}
    import torch

    grid = torch.arange(12.0).reshape(3, 4)
    return {
        "a tensor, sliced or copied": (grid[:, ::2], grid[:, ::2].clone()),
        "strides of a tensor": (grid.T, grid.T.contiguous()),
        "conjugated or made": (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
        "a tensor that was expanded": (torch.ones(1, 3).expand(2, 3), torch.ones(2, 3)),
    }
