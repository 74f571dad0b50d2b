"""What functions return for a component to show – pictures, sound, figures – saved the way Gradio would save it.

Gradio is asked through the component itself, whose script has imported it; what it writes goes to a folder of the
caller's, never to Gradio's cache, where another run could write the same file at the same time.
"""

from __future__ import annotations

import copy
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from daggr.graph.component import Component, read_component

PLAIN_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
"""The modes of Pillow's images that a PNG has, too."""

_MAX_16 = 32767


def is_picture(value: Any) -> bool:
    """Whether this is a PIL image, told without importing PIL."""
    return hasattr(value, "save") and hasattr(value, "mode") and hasattr(value, "size")


def is_array(value: Any) -> bool:
    """Whether this is an array, told without importing NumPy."""
    return hasattr(value, "dtype") and hasattr(value, "shape") and hasattr(value, "tobytes")


def is_figure(value: Any) -> bool:
    """Whether this is a figure of matplotlib, or `pyplot` itself, which stands for the current one."""
    return callable(getattr(value, "savefig", None))


def is_sound(value: Any) -> bool:
    """Whether this is a pair of a sample rate and samples."""
    return isinstance(value, (tuple, list)) and len(value) == 2 and _is_number(value[0]) and is_array(value[1])


def _is_number(value: Any) -> bool:
    whole = hasattr(value, "__index__") or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and not getattr(value, "shape", ())


# ---------------------------------------------------------------- through the component


def processed(component: Component, value: Any, folder: Path, **settings: Any) -> Any:
    """What the component's own `postprocess` makes of a value, as JSON; what it saves is in `folder`.

    Raises:
        Exception: whatever it raises for a value that it does not take.
    """
    source = copy.copy(component.source)  # the script's own is left as it is
    for name, setting in {"GRADIO_CACHE": str(folder), **settings}.items():
        setattr(source, name, setting)
    made = source.postprocess(value)
    return made.model_dump() if hasattr(made, "model_dump") else made


def saved(component: Component, value: Any, folder: Path) -> Path | None:
    """A file made of a picture, an array, a figure or sound; None of anything else.

    Raises:
        Exception: the component, or who made the value, cannot save it.
    """
    if component.type == "audio":
        return _sound(component, value, folder) if is_sound(value) or isinstance(value, bytes) else None
    if is_picture(value):
        return _picture(component, value, folder)
    if is_figure(value):
        return _figure(value, folder)
    return _through(component, value, folder) if is_array(value) and component.type in _PICTURES else None


def saved_for(kind: str, value: Any, folder: Path) -> Path:
    """The same for a component of an app elsewhere, of which only the block name is known.

    Raises:
        Exception: whoever made the value cannot save it.
    """
    if is_sound(value):
        component = _elsewhere("audio")
    elif is_array(value):  # Gradio itself knows how pixels are meant
        import gradio

        component = read_component(gradio.Image(format="png"))
    else:
        component = _elsewhere("image" if kind == "audio" else kind)
    path = saved(component, value, folder)
    if path is None:
        raise ValueError("it is neither a picture nor sound")
    return path


def _elsewhere(kind: str) -> Component:
    return Component(type=kind, config={}, value=None, label=None, visible=False, source=None)


_PICTURES: dict[str, Callable[[Any], Any]] = {
    "image": lambda value: value,
    "gallery": lambda value: [value],
    "imageslider": lambda value: (value, value),
}


def _through(component: Component, value: Any, folder: Path) -> Path:
    settings = {} if component.argument("format") else {"format": "png"}  # Gradio's own default loses detail
    made = processed(component, _PICTURES[component.type](value), folder, **settings)
    return Path(next(_paths(made)))


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(path := value.get("path"), str):
            yield path
        for part in value.values():
            yield from _paths(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _paths(part)


def _picture(component: Component, image: Any, folder: Path) -> Path:
    """A PNG with all that the image has to say; in the format and with the watermark that the script asked for."""
    if component.type in _PICTURES and (component.argument("format") or component.argument("watermark")):
        return _through(component, image, folder)
    path = folder / "picture.png"
    options: dict[str, Any] = {"save_all": True} if getattr(image, "n_frames", 1) > 1 else {}
    if isinstance(exif := image.info.get("exif"), bytes):
        options["exif"] = exif
    if image.mode == "I":
        image = image.convert("I;16")
    elif image.mode not in PLAIN_MODES:
        image = image.convert("RGBA" if image.mode in ("La", "RGBa", "PA") else "RGB")
    if (metadata := getattr(sys.modules.get("gradio.processing_utils"), "get_pil_metadata", None)) is not None:
        options["pnginfo"] = metadata(image)
    image.save(path, format="PNG", **options)
    return path


def _figure(figure: Any, folder: Path) -> Path:
    path = folder / "figure.png"
    figure.savefig(path, format="png")
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:  # it would keep the figure for ever
        pyplot.close() if figure is pyplot else pyplot.close(figure)
    return path


# ---------------------------------------------------------------- sound


def _sound(component: Component, value: Any, folder: Path) -> Path:
    """Sound in the format that the script asked for, else a WAV file."""
    if isinstance(value, bytes):
        return Path(next(_paths(processed(component, value, folder))))
    rate, samples = int(value[0]), _in_16_bits(value[1])
    if component.argument("format") not in (None, "wav"):
        return Path(next(_paths(processed(component, (rate, samples), folder))))
    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if len(samples.shape) == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def _in_16_bits(samples: Any) -> Any:
    """Samples as Gradio converts them: fractions are stretched to the loudest, whole numbers keep their part of it."""
    kind = getattr(samples.dtype, "name", str(samples.dtype))  # whatever its byte order
    match kind:
        case "int16":
            return samples
        case "float64" | "float32" | "float16":
            wide = samples.astype("float32") if kind == "float16" else samples
            peak = abs(wide).max() if wide.size else 0
            return (wide / peak * _MAX_16 if peak else wide * 0).astype("int16")
        case "int32":
            return (samples / 65536).astype("int16")
        case "uint16":
            return (samples.astype("int32") - 32768).astype("int16")
        case "uint8":
            return (samples.astype("int32") * 257 - 32768).astype("int16")
        case "int8":
            return samples.astype("int16") * 256
    raise ValueError(f"samples of the type {kind} are no sound; give float32 or int16")
