"""What a node gives to an endpoint: plain JSON, and files of its own, which are uploaded before.

A file goes up if daggr handed it out, or if a hook of the user's gave it and the run may give it. All other texts are
texts, also if a file has that name: those of users, and those of other apps' answers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import Any

import httpx

from daggr.engine.gradio_values import is_array, is_figure, is_picture, is_sound, saved_for
from daggr.engine.hub.gradio_app import ADDRESSES, Endpoint, GradioApp, Parameter, file_hint
from daggr.engine.reach import Reach, Refusal
from daggr.engine.runners.base import Call
from daggr.engine.runners.gradio.files import FIELDS, FILE_DATA, is_file_data
from daggr.engine.runners.gradio.refusals import HARMLESS, accepted, odd
from daggr.engine.runners.gradio.session import Session
from daggr.errors import NodeFailedError
from daggr.filename import readable, safe_name
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.validate import name_set, unknown_names
from daggr.store.codecs.fileref import FilePath

_PLAIN = (str, int, float, bool, type(None), FilePath)
_DEEPEST = 200


def is_plain(value: Any) -> bool:
    """Whether a value is JSON and paths as they are, so that nothing has to be saved first."""
    kind = type(value)
    if kind in (list, tuple):
        return all(map(is_plain, value))
    return all(map(is_plain, value.values())) if kind is dict else kind in _PLAIN


class Payload:
    """What a call gives to its endpoint.

    Args:
        call: The call.
        texts: Strings that came in as text; None if there was no hook that could have given a path.

    Attributes:
        files: What goes up: the dict that stands for a file within the values, and where the file is.
    """

    def __init__(self, call: Call, texts: frozenset[str] | None = None) -> None:
        self.files: list[tuple[dict[str, Any], Path]] = []
        self._call = call
        self._reach: Reach | None = None
        if texts is not None:
            self._reach = Reach(call.folder, texts, call.handed, call.started_ns, call.allowed)

    def of(self, endpoint: Endpoint, inputs: Mapping[str, Any]) -> list[Any]:
        """A JSON value for each input of the app's function.

        Raises:
            NodeFailedError: a parameter is unknown or missing, or its value cannot be sent.
        """
        _check_names(self._call.spec, endpoint, inputs)
        return [
            None if slot is None else self._argument(slot, inputs[slot.name]) if slot.name in inputs else slot.default
            for slot in endpoint.slots
        ]

    def _argument(self, parameter: Parameter, value: Any) -> Any:
        taken = _Argument(self, self._call, parameter, self._reach)
        match parameter.takes:
            case "file":
                return taken.file(value)
            case "files" if value is not None:
                return [taken.file(part) for part in (value if isinstance(value, (list, tuple)) else [value])]
            case "pictures" if value is not None:
                return [taken.picture(part) for part in (value if isinstance(value, (list, tuple)) else [value])]
            case _:
                return taken.plain(value)


class _Argument:
    """What is given to one parameter."""

    def __init__(self, payload: Payload, call: Call, parameter: Parameter, reach: Reach | None) -> None:
        self._payload = payload
        self._call = call
        self._parameter = parameter
        self._reach = reach

    def file(self, value: Any) -> Any:
        """One file."""
        value = _dumped(value)
        if isinstance(value, (str, PurePath)):
            return self._named(value)
        if isinstance(value, dict) and not isinstance(value.get("path"), str):
            for name in ("image", "video"):  # an item of a gallery
                if value.get(name) is not None:
                    return self.file(value[name])
        return self.plain(value)

    def picture(self, value: Any) -> Any:
        """An item of a gallery: a file, alone or in a pair with its caption, or Gradio's dict of both."""
        value, caption = _dumped(value), None
        if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], (str, type(None))):
            value, caption = value
        if isinstance(value, dict) and not isinstance(value.get("path"), str):
            return {name: self.file(part) if name in ("image", "video") else part for name, part in value.items()}
        sent = self.file(value)
        is_video = isinstance(sent, dict) and str(sent.get("orig_name")).lower().endswith((".mp4", ".webm", ".mov"))
        return {"video" if is_video else "image": sent, "caption": caption}

    def plain(self, value: Any, depth: int = 0) -> Any:
        """Any value, as JSON, with the files that are in it."""
        value = _dumped(value)
        kind = type(value)
        if kind in (bool, int, float, type(None)):
            return value
        if isinstance(value, str):
            own = self._own(value)
            return value if own is None else self._sent(own)
        if depth > _DEEPEST:
            raise self._refused("nested too deeply to be sent")
        if isinstance(value, (list, tuple, set, frozenset)) and not is_sound(value):
            return [self.plain(part, depth + 1) for part in value]
        if isinstance(value, Mapping):
            return self._dict(value, depth)
        return self._odd(value, depth)

    def _dict(self, value: Mapping[Any, Any], depth: int) -> Any:
        path = value.get("path")
        if isinstance(path, str) and (is_file_data(value) or value.keys() <= FIELDS):
            own = self._own(path)
            return dict(value) if own is None else self._sent(own)
        return {str(key): self.plain(part, depth + 1) for key, part in value.items()}

    def _odd(self, value: Any, depth: int) -> Any:
        """What is not JSON: saved if it is a picture or sound and a file can be there, else as the nearest JSON."""
        if self._parameter.takes != "value" and (is_picture(value) or is_figure(value) or is_sound(value)):
            return self._sent(self._saved(value))
        if self._parameter.takes in ("file", "files", "pictures") and is_array(value):
            return self._sent(self._saved(value))
        if callable(getattr(value, "to_dict", None)) and hasattr(value, "columns"):  # a table, as gr.Dataframe takes it
            split = value.to_dict(orient="split")
            return self.plain({"headers": [str(name) for name in split["columns"]], "data": split["data"]}, depth + 1)
        for name in ("tolist", "item", "isoformat"):
            if callable(nearest := getattr(value, name, None)):
                return self.plain(nearest(), depth + 1)
        if isinstance(value, PurePath):
            return self.plain(str(value), depth + 1)
        raise self._refused(f"a {type(value).__name__}, which cannot be sent to an app")

    def _saved(self, value: Any) -> Path:
        folder = self._call.folder / f"sent-{len(self._payload.files)}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return saved_for(self._parameter.component, value, folder)
        except Exception as error:  # whatever made the value has its own
            why = f"{type(error).__name__}: {error}"
            raise self._refused(f"a {type(value).__name__}, which cannot be saved ({why})") from error

    # ------------------------------------------------------------ files

    def _named(self, value: str | PurePath) -> Any:
        """The file that a text names where a file belongs; an address is the app's to fetch."""
        text = str(value)
        if (own := self._own(value)) is not None:
            return self._sent(own)
        if text.startswith(ADDRESSES):
            name = safe_name(text.partition("?")[0].partition("#")[0])
            return {"path": text, "url": text, "orig_name": name, "meta": FILE_DATA}
        if self._reach is not None:
            try:
                return self._sent(self._reach.given(value))
            except Refusal as refusal:
                raise self._refused(str(refusal), file_hint(self._parameter, text)) from refusal
        raise self._refused(f"the text {text!r}, and it takes a file", file_hint(self._parameter, text))

    def _own(self, value: str | PurePath) -> Path | None:
        """The file that this text was handed out for, or, within other values of a hook's, was written as."""
        if type(value) is FilePath or value in self._call.handed:
            return Path(value)
        if self._reach is None or self._parameter.takes == "value":
            return None
        return self._reach.meant(value)

    def _sent(self, path: Path) -> dict[str, Any]:
        stands: dict[str, Any] = {"path": "", "orig_name": path.name, "meta": FILE_DATA}
        self._payload.files.append((stands, path))
        return stands

    def _refused(self, what: str, hint: str = "") -> NodeFailedError:
        spec = self._call.spec
        return NodeFailedError(
            readable(f"Input {self._parameter.name!r} of {spec.name!r} is {what}."), hint, spec.where, node=spec.name
        )


def _check_names(spec: NodeSpec, endpoint: Endpoint, inputs: Mapping[str, Any]) -> None:
    known = [parameter.name for parameter in endpoint.parameters]
    wrong, hint = unknown_names([str(name) for name in inputs], known)
    missing = [given.name for given in endpoint.parameters if given.required and given.name not in inputs]
    if not wrong and not missing:
        return
    what = f"was given {name_set(wrong)}" if wrong else f"was not given {name_set(missing)}"
    raise NodeFailedError(
        f"{spec.name!r} {what}; {endpoint.name or f'endpoint {endpoint.fn_index}'} takes {name_set(sorted(known))}.",
        hint,
        spec.where,
        node=spec.name,
    )


def _dumped(value: Any) -> Any:
    """Gradio's own classes of files and galleries as the dicts and lists they stand for."""
    if type(value).__module__.startswith("gradio") and callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    return value


# ---------------------------------------------------------------- up


async def upload(session: Session, files: Sequence[tuple[dict[str, Any], Path]]) -> None:
    """Send files to the app, each once, all with one request, from the disk as they are; their dicts get its paths.

    Raises:
        NodeFailedError: one is larger than the app takes, or gone.
        RemoteError: the app refuses them.
        httpx.HTTPError: the connection was lost.
    """
    paths = list(dict.fromkeys(path for _, path in files))
    for path in paths:
        _check_size(session.spec, session.app, path)

    async def once() -> httpx.Response:
        with ExitStack() as opened:
            sent = [("files", (path.name, opened.enter_context(open(path, "rb")))) for path in paths]  # noqa: ASYNC230
            return await session.post("/upload", files=sent)

    answer = await accepted(session, once, HARMLESS)
    try:
        names = answer.json()
    except ValueError:
        names = None
    if not isinstance(names, list) or len(names) != len(paths) or not all(isinstance(name, str) for name in names):
        raise odd(session, "answers to an upload with something that is no list of paths")
    there = dict(zip(paths, names, strict=True))
    for stands, path in files:
        stands["path"] = there[path]


def _check_size(spec: NodeSpec, app: GradioApp, path: Path) -> None:
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise NodeFailedError(
            f"The file {path.name!r}, which {spec.name!r} was given, is gone: {error.strerror}.",
            where=spec.where,
            node=spec.name,
        ) from error
    if app.largest_upload is not None and size > app.largest_upload:
        raise NodeFailedError(
            f"The file {path.name!r} has {_bytes(size)}; the app takes at most {_bytes(app.largest_upload)}.",
            "Give a smaller file, or start the app with a larger launch(max_file_size=…).",
            spec.where,
            node=spec.name,
        )


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB" if count >= 1000 else f"{count} B"
