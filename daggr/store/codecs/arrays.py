"""numpy's arrays and scalars: a dtype, a shape, and the elements in C order.

The dtype keeps its byte order, the names, titles, offsets and nesting of its fields. How an array lies in memory
(strides, order, padding between fields) is not seen.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, cast

import numpy as np

from daggr.digest import UnencodableError
from daggr.store.codecs.codec import Chunk, Codec, Content, pack, unpack

_PLAIN = re.compile(r"[<>|](?:[biufcSUV]\d{1,9}|[mM]8(?:\[\d*[A-Za-z]+\])?)")
_REFUSED = {
    "O": "Python objects, which have no bytes of their own",
    "T": "texts of any length (StringDType), which have no bytes of their own; use dtype='U' or a list",
    "g": "long doubles, whose bytes differ between machines",
    "G": "complex long doubles, whose bytes differ between machines",
}


def codec_of(kind: type) -> Codec | None:
    """The codec for arrays or scalars; subclasses of arrays (matrix, MaskedArray, memmap) have none."""
    if kind is np.ndarray:
        return CODECS["ndarray"]
    own = kind is getattr(np, kind.__name__, None)
    return CODECS["numpy scalar"] if own and issubclass(kind, np.generic) and kind is not np.record else None


# ---------------------------------------------------------------- dtypes


def dtype_form(dtype: np.dtype[Any], of: object) -> Any:
    """A dtype as a canonical value.

    Raises:
        UnencodableError: elements of this dtype have no fixed bytes. It says so of the value `of`.
    """
    if dtype.char in _REFUSED:
        raise UnencodableError(of, f"which holds {_REFUSED[dtype.char]}")
    if dtype.metadata:
        raise UnencodableError(of, "whose dtype has metadata, which daggr does not keep")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ("array", dtype_form(base, of), shape)
    if dtype.names is None or dtype.fields is None:
        if dtype.isbuiltin == 2 or not _PLAIN.fullmatch(dtype.str):
            raise UnencodableError(of, f"whose dtype {dtype} daggr does not know")
        return dtype.str
    fields = []
    for name in dtype.names:
        inner, offset, *title = dtype.fields[name]
        if title and type(title[0]) is not str:
            raise UnencodableError(of, f"whose field {name!r} has a title that is no text")
        fields.append((name, title[0] if title else None, offset, dtype_form(inner, of)))
    form = ("fields", fields, dtype.itemsize, dtype.isalignedstruct)
    if dtype.type not in (np.void, np.record):
        raise UnencodableError(of, f"whose fields lie within a {dtype.type.__name__}, which daggr does not keep")
    return ("record", form) if dtype.type is np.record else form


def dtype_of(form: Any) -> np.dtype[Any]:
    """The dtype of a form.

    Raises:
        ValueError, TypeError: it is no form of a dtype.
    """
    if isinstance(form, str):
        if not _PLAIN.fullmatch(form):
            raise ValueError(f"no dtype: {form!r}")
        dtype = np.dtype(form)
    elif form[0] == "array":
        dtype = np.dtype((dtype_of(form[1]), form[2]))
    elif form[0] == "record":
        dtype = np.dtype((np.record, dtype_of(form[1])))
    else:
        _, fields, size, aligned = form
        names, titles, offsets, forms = (list(column) for column in zip(*fields, strict=True)) if fields else ([],) * 4
        layout = {"names": names, "formats": [dtype_of(inner) for inner in forms], "offsets": offsets, "itemsize": size}
        titled = {"titles": titles} if any(title is not None for title in titles) else {}
        dtype = np.dtype({**layout, **titled}, align=aligned)  # type: ignore[call-overload]
    if dtype_form(dtype, None) != form:
        raise ValueError(f"no dtype: {form!r}")
    return dtype


# ---------------------------------------------------------------- elements


def elements(array: np.ndarray[Any, Any]) -> memoryview:
    """The elements in C order, as bytes: a view where the array already lies so.

    Raises:
        UnencodableError: a text holds what is no character.
    """
    if array.dtype.names is not None:
        array = _without_padding(array)
    flat = np.ascontiguousarray(array).reshape(-1)
    if array.dtype.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
        flat = _ones_and_zeros(flat)
    if _holds_no_text(flat):
        raise UnencodableError(array, "which holds numbers that are no characters")
    return flat.view(np.uint8).data if flat.nbytes else memoryview(b"")


def _ones_and_zeros(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy of bools that others may have written: any byte but 0 is true, and told apart from 1 by nothing."""
    return array.view(np.uint8).astype(bool)


def _holds_no_text(array: np.ndarray[Any, Any]) -> bool:
    dtype = array.dtype
    if dtype.kind != "U" or not array.nbytes:
        return False
    return bool((array.view(f"{dtype.byteorder}u4") > sys.maxunicode).any())


def _without_padding(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A copy with zeros wherever no field is."""
    clean = np.zeros(array.shape, array.dtype)
    _fill(clean, array)
    return clean


def _fill(target: np.ndarray[Any, Any], source: np.ndarray[Any, Any]) -> None:
    if target.dtype.names is None:
        target[...] = _ones_and_zeros(source) if source.dtype.kind == "b" else source
        return
    for name in target.dtype.names:
        _fill(target[name], source[name])


def array_from(shape: tuple[int, ...], dtype: np.dtype[Any], data: memoryview) -> np.ndarray[Any, Any]:
    """The array of these elements: it lies in `data` if that is writable, else in a copy.

    Raises:
        ValueError: these are not the bytes of such an array.
    """
    if any(type(size) is not int or size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for shape {shape} of {dtype}")
    array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, data)
    if dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise ValueError("a bool that is neither")
    if _holds_no_text(array.reshape(-1)):
        raise ValueError("a text with what is no character")
    return array if array.flags.writeable and array.size else array.copy()


# ---------------------------------------------------------------- codecs


def _encode_array(array: np.ndarray[Any, Any]) -> list[Chunk]:
    return pack((dtype_form(array.dtype, array), array.shape), [elements(array)])


def _decode_array(content: Content) -> np.ndarray[Any, Any]:
    (form, shape), (data,) = unpack(content)
    return array_from(shape, dtype_of(form), _kept(data, content))


def _kept(data: memoryview, content: Content) -> memoryview:
    """A buffer as it is if its content was given away as a bytearray, else one that cannot be written to."""
    return data if isinstance(content, bytearray) else data.toreadonly()


def _encode_scalar(scalar: np.generic) -> list[Chunk]:
    name = type(scalar).__name__.rstrip("_")
    if isinstance(scalar, (np.str_, np.bytes_)):
        return pack((name, scalar[:]))  # str(scalar) would cut zeros off its end
    array = np.asarray(scalar)
    return pack((name, dtype_form(array.dtype, scalar)), [elements(array)])


def _decode_scalar(content: Content) -> np.generic:
    (name, form), buffers = unpack(content)
    kind = getattr(np, name if name not in ("str", "bytes", "bool") else f"{name}_")
    if not issubclass(kind, np.generic) or kind.__name__.rstrip("_") != name:
        raise ValueError(f"no scalar: {name!r}")
    if not buffers:
        scalar = kind(form)
        if not isinstance(scalar, (np.str_, np.bytes_)) or scalar[:] != form:
            raise ValueError("no text or bytes")
        return scalar
    (data,) = buffers
    dtype = dtype_of(form)
    if dtype.type is not kind and dtype == np.dtype(kind):
        dtype = np.dtype(kind)
    value = cast(np.generic, array_from((), dtype, data.toreadonly())[()])
    if type(value) is not kind:
        raise ValueError(f"{form!r} is not of {name}")
    return value


CODECS = {
    "ndarray": Codec("ndarray", _encode_array, _decode_array),
    "numpy scalar": Codec("numpy scalar", _encode_scalar, _decode_scalar),
}
