"""Pillow's images of one frame: mode, size, palette, pixels and the entries of `info`.

An image that was read from a file comes back as a plain `Image`, as `image.copy()` would give it: what only a file has
(its format, its name, the tags of a TIFF) is not kept. In `info`, rational numbers come back as floats, and texts and
integers of Pillow's own types as plain ones; EXIF tags that were changed in `getexif()` come back as `info["exif"]`.
"""

from __future__ import annotations

import struct
from typing import Any

from PIL import Image, ImageFile
from PIL.TiffImagePlugin import IFDRational, TiffImageFile

from daggr.digest import UnencodableError, decode, encode
from daggr.store.codecs.codec import Chunk, Codec, Content, pack, unpack

_PIXEL = {
    **{"1": 0, "L": 1, "P": 1, "LA": 2, "La": 2, "PA": 2, "RGB": 3, "YCbCr": 3, "LAB": 3, "HSV": 3},
    **{"RGBA": 4, "RGBa": 4, "RGBX": 4, "CMYK": 4, "I": 4, "F": 4, "I;16": 2, "I;16L": 2, "I;16B": 2},
}
"""Bytes of a pixel, by mode; in mode 1 eight pixels share one."""

_PALETTES = {"RGB": 3, "RGBA": 4, "CMYK": 4}
_TAGS_WITHIN = (0x8769, 0x8825)  # those of the camera and of the place
_BAD_EXIF = (struct.error, SyntaxError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
_LONGEST_EMPTY = 65536
"""The longest side of an image without area: Pillow takes memory for each line even if it is empty."""


def codec_of(kind: type) -> Codec | None:
    """The codec for images, also those that plugins read from files; other subclasses have none."""
    return CODECS["image"] if kind is Image.Image or issubclass(kind, ImageFile.ImageFile) else None


def _encode(image: Image.Image) -> list[Chunk]:
    if getattr(image, "n_frames", 1) != 1:
        raise UnencodableError(image, "which has more than one frame; return one frame, or a file")
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UnencodableError(image, f"whose pixels cannot be read ({error})") from error
    if image.mode not in _PIXEL:
        raise UnencodableError(image, f"whose mode {image.mode!r} daggr does not know")
    if not all(image.size) and max(image.size) > _LONGEST_EMPTY:
        raise UnencodableError(image, f"whose size {image.size} is one that daggr does not keep")
    palette = _palette(image) if image.mode in ("P", "PA") else None
    entries = sorted(_entry(image, name, value) for name, value in _info(image).items())
    return pack((image.mode, image.size, palette, entries), [image.tobytes()])


def _palette(image: Image.Image) -> tuple[str, bytes]:
    """The mode of a palette and its colours. `convert` leaves alpha there that `info` already tells: it is not seen."""
    told = "transparency" in image.info and image.palette is not None and image.palette.mode == "RGB"
    mode = "RGB" if told else image.im.getpalettemode()
    if mode not in _PALETTES:
        raise UnencodableError(image, f"whose palette has the mode {mode!r}, which daggr does not know")
    return mode, bytes(image.im.getpalette(mode, mode))


def _info(image: Image.Image) -> dict[Any, Any]:
    """The entries of `info`, and the EXIF tags that were changed since they were read from there."""
    if getattr(image, "_exif", None) is None or isinstance(image, TiffImageFile):  # nobody has looked at them
        return image.info
    unchanged = Image.Image()
    unchanged.info = image.info
    try:
        now, was = image.getexif().tobytes(), unchanged.getexif().tobytes()
        return image.info if _tags(now) == _tags(was) else {**image.info, "exif": now}
    except _BAD_EXIF:
        return image.info


def _tags(data: bytes) -> bytes:
    """What EXIF bytes say, in whatever order: looking at tags changes how Pillow writes them."""
    exif = Image.Exif()
    exif.load(data)
    parts = (dict(exif), *map(exif.get_ifd, _TAGS_WITHIN))
    return encode([{tag: _plain(part[tag]) for tag in sorted(part) if tag not in _TAGS_WITHIN} for part in parts])


def _entry(image: Image.Image, name: Any, value: Any) -> tuple[bytes, bytes]:
    try:
        return encode(name), encode(_plain(value))
    except UnencodableError as error:
        error.within(f".info[{name!r}]" if isinstance(name, str) else ".info")
        raise


def _plain(value: Any) -> Any:
    """An entry of `info` without Pillow's own kinds of numbers and texts."""
    if type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, IFDRational):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if type(value) in (tuple, list):
        return type(value)(map(_plain, value))
    return {_plain(name): _plain(item) for name, item in value.items()} if type(value) is dict else value


def _decode(content: Content) -> Image.Image:
    (mode, (width, height), palette, entries), (pixels,) = unpack(content)
    if min(width, height) < 0 or _size_of(mode, width, height) != len(pixels):
        raise ValueError(f"{len(pixels)} bytes for {width} × {height} pixels of {mode}")
    if not (width and height) and max(width, height) > _LONGEST_EMPTY:
        raise ValueError(f"{width} × {height} pixels")
    image = Image.frombytes(mode, (width, height), bytes(pixels))
    if (palette is None) != (mode not in ("P", "PA")):
        raise ValueError(f"mode {mode} and a palette do not fit")
    if palette is not None:
        colors, data = palette
        if len(data) % _PALETTES[colors] or len(data) > 256 * _PALETTES[colors]:
            raise ValueError("no palette")
        image.putpalette(data, colors)
    image.info = {decode(name): decode(value) for name, value in entries}
    return image


def _size_of(mode: str, width: int, height: int) -> int:
    return height * ((width + 7) // 8 if mode == "1" else width * _PIXEL[mode])


CODECS = {"image": Codec("image", _encode, _decode)}
