"""Files on their way to a model and back: bytes of what daggr handed out go up, bytes of an answer become files.

A text is never taken for a path or an address. huggingface_hub would open it: it is given bytes only.
"""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import Any

from daggr.engine.gradio_values import PLAIN_MODES, is_picture
from daggr.engine.hub.tasks import EXTRA, Media, Task
from daggr.engine.reach import Reach, Refusal
from daggr.engine.runners.base import Call
from daggr.errors import EndpointError, NodeFailedError
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.inference import InferenceSpec
from daggr.graph.port import FixedSource
from daggr.graph.validate import name_set
from daggr.store.codecs.fileref import FilePath

FILE_META = {"_type": "gradio.FileData"}
"""What tells Gradio's dict of a file from others."""

MAX_FILE = 1 << 30
"""Bytes that are sent at most: all of them are in memory, more than once."""

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", ".png", "image/png"),
    (0, b"\xff\xd8\xff", ".jpg", "image/jpeg"),
    (0, b"GIF8", ".gif", "image/gif"),
    (8, b"WEBP", ".webp", "image/webp"),
    (0, b"BM", ".bmp", "image/bmp"),
    (8, b"WAVE", ".wav", "audio/wav"),
    (8, b"AIFF", ".aiff", "audio/aiff"),
    (8, b"AVI ", ".avi", "video/x-msvideo"),
    (0, b"fLaC", ".flac", "audio/flac"),
    (0, b"OggS", ".ogg", "audio/ogg"),
    (0, b"ID3", ".mp3", "audio/mpeg"),
    (4, b"ftypM4A", ".m4a", "audio/mp4"),
    (4, b"ftyp", ".mp4", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", ".webm", "video/webm"),
)
"""Where a kind of file has which bytes, its suffix and its media type."""

_DEFAULTS = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}
"""What a file is sent as that nothing tells the media type of."""

_HOLDERS = frozenset({".ogg", ".webm", ".mp4"})
"""Files that hold sound as well as films."""

_EXAMPLES = {"image": "gr.Image()", "audio": "gr.Audio()", "video": "gr.Video()"}


class Content(bytes):
    """The bytes of a file, and what they are.

    Attributes:
        mime: Their media type.
    """

    mime: str

    def __new__(cls, content: bytes, mime: str) -> Content:
        """Bytes of a media type."""
        made = super().__new__(cls, content)
        made.mime = mime
        return made


def kind_of(content: bytes) -> tuple[str, str] | None:
    """The suffix and media type of a file, told by its first bytes; None if they tell nothing."""
    for at, magic, suffix, mime in _MAGIC:
        if content[at : at + len(magic)] == magic:
            return suffix, mime
    if len(content) > 1 and content[0] == 0xFF and content[1] & 0xE6 == 0xE2:  # a frame of MPEG audio, layer III
        return ".mp3", "audio/mpeg"
    if len(content) > 1 and content[0] == 0xFF and content[1] & 0xF6 == 0xF0:  # a frame of AAC, which has no layer
        return ".aac", "audio/aac"
    return None


# ---------------------------------------------------------------- up


def content_of(call: Call, texts: Collection[str], argument: str, kind: str, value: Any) -> Content:
    """The bytes of a file argument, with their media type. This blocks.

    Args:
        call: The execution.
        texts: What came in as text: it names no file.
        argument: The argument's name.
        kind: `image`, `audio` or `video`.
        value: A path that daggr handed out, Gradio's dict of one, or what a hook made: a path, a picture, bytes.

    Raises:
        NodeFailedError: it is none of that.
    """
    if isinstance(value, Mapping) and isinstance(value.get("path"), str):
        value = value["path"]
    if isinstance(value, (bytes, bytearray)):
        return _typed(bytes(value), kind, "")
    if is_picture(value):
        return _typed(_png(value), kind, "")
    if not isinstance(value, (str, PurePath)):
        raise _unfit(call, argument, kind, f"a {type(value).__name__}")
    reach = Reach(call.folder, texts, call.handed, call.started_ns, call.allowed)
    try:
        path = reach.given(value)
    except Refusal as refusal:
        raise _unfit(call, argument, kind, str(refusal)) from None
    if path.stat().st_size > MAX_FILE:
        raise _unfit(call, argument, kind, f"the file {path.name!r}, which is larger than {MAX_FILE >> 30} GiB")
    return _typed(path.read_bytes(), kind, path.name)


def check_no_file(call: Call, argument: str, media: Collection[str], value: Any) -> None:
    """See to it that no path of this machine is said to a model.

    Raises:
        NodeFailedError: there is a file where the model is told something else.
    """
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping) and part.get("meta") == FILE_META and isinstance(part.get("path"), str):
            part = FilePath(part["path"])  # Gradio's own: the value that the script gives to a chatbot
        if isinstance(part, FilePath) or (isinstance(part, str) and part in call.handed):
            where = f"Give it as {' or '.join(map(repr, media))}." if media else "This task takes no files."
            raise NodeFailedError(
                f"{argument!r} of {call.spec.name!r} holds the file {Path(part).name!r}; a model cannot read it there.",
                where,
                call.spec.where,
                node=call.spec.name,
            )
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)


def _typed(content: bytes, kind: str, name: str) -> Content:
    told = kind_of(content)
    return Content(content, told[1] if told is not None else mimetypes.guess_type(name)[0] or _DEFAULTS[kind])


def check_fixed(spec: InferenceSpec, task: Task) -> None:
    """See to it that the script gives no text where a file goes.

    Raises:
        EndpointError: it does.
    """
    for port, argument in task.named(spec.inputs).items():
        source, kind = spec.inputs[port], task.media.get(argument)
        if kind is not None and isinstance(source, FixedSource) and isinstance(source.value, str):
            what = f"{port!r} of {spec.name!r} is the text {source.value[:200]!r}; it takes a file."
            raise EndpointError(what, _instead(port, kind), spec.where)


def check_extra(spec: NodeSpec, task: Task, extra: Any) -> None:
    """See to it that what goes beside the arguments takes the place of none: a file has been read by then.

    Raises:
        NodeFailedError: it does, or is no dict.
    """
    if extra is None:
        return
    what, hint = "", ""
    if not isinstance(extra, Mapping):
        what, hint = f"is a {type(extra).__name__}; it takes a dict", "Such as {'loop': True}."
    elif "model" in extra:
        what, hint = "names the 'model'", "The node says which model is asked."
    elif taken := [name for name in extra if name in task.arguments]:
        what, hint = f"names {name_set(taken)}, as an input does", f"Give inputs={{{taken[0]!r}: …}}."
    if what:
        raise NodeFailedError(f"{EXTRA!r} of {spec.name!r} {what}.", hint, spec.where, node=spec.name)


def _instead(port: str, kind: str) -> str:
    return (
        f"Give inputs={{{port!r}: {_EXAMPLES[kind]}}}, with value= for a file of the script's, or the port of a node "
        "that gives one."
    )


def _unfit(call: Call, argument: str, kind: str, what: str) -> NodeFailedError:
    return NodeFailedError(
        f"{argument!r} of {call.spec.name!r} is {what}.", _instead(argument, kind), call.spec.where, node=call.spec.name
    )


# ---------------------------------------------------------------- down


def saved(value: Any, folder: Path) -> Any:
    """A value with the paths of new files in the place of `Media`. This blocks.

    Raises:
        ValueError, OSError: a picture cannot be read, or there is no file.
    """
    match value:
        case Media(content, kind):
            return _written(content, kind, folder)
        case tuple():
            return tuple(saved(part, folder) for part in value)
        case list():
            return [saved(part, folder) for part in value]
        case dict():
            return {key: saved(part, folder) for key, part in value.items()}
        case _:
            return value


def _written(content: Any, kind: str, folder: Path) -> FilePath:
    content = _png(content) if is_picture(content) else content
    if not isinstance(content, bytes) or not content:
        raise ValueError(f"there is no {kind} in it")
    found = kind_of(content)
    if found is None:  # it may come from anywhere: providers name an address, and what is there is fetched
        what = "a text" if content[:1] in (b"{", b"[", b"<") else "something unknown"
        raise ValueError(f"there is {what} in the place of {kind}")
    suffix, mime = found
    if not mime.startswith(f"{kind}/") and suffix not in _HOLDERS:
        raise ValueError(f"there is {mime} in the place of {kind}")
    own = folder / "answer"
    own.mkdir(parents=True, exist_ok=True)
    count = sum(1 for _ in own.iterdir())  # equal answers have equal names: those may be a part of what files are
    path = own / f"{kind}{f'-{count + 1}' if count else ''}{suffix}"
    path.write_bytes(content)
    return FilePath(str(path))


def _png(image: Any) -> bytes:
    if image.mode not in PLAIN_MODES:
        image = image.convert("RGBA" if image.mode in ("La", "RGBa", "PA") else "RGB")
    made = io.BytesIO()
    image.save(made, format="PNG")
    return made.getvalue()
