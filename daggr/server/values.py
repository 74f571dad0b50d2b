"""Values on the wire: what a digest stands for, and ids of artifacts that nobody can guess or name for others."""

from __future__ import annotations

import base64
import hmac
import math
import mimetypes
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from daggr.errors import ArtifactCorruptError, NodeFailedError, UnknownCodecError
from daggr.filename import readable
from daggr.server.messages import FileValue, ItemCount, ItemsValue, JsonValue, OpaqueValue, Value
from daggr.store.artifacts import FileRef
from daggr.store.codecs.builtin import FILE, ITEMS
from daggr.store.codecs.fileref import replaced
from daggr.store.files import StoredFile
from daggr.store.parts import ABSENT, split
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, Txn

_MAC = 16
_EXACT = 2**53
SHOWN_LIMIT = 256 * 1024
"""Bytes of a value that a card shows."""

SHOWN_KEPT = 4096
"""Values that are kept in their wire form."""

ITEMS_SHOWN = 100
"""Items of a list that a card shows."""

ITEM_LIMIT = 16 * 1024
"""Bytes of an item that a card shows."""


class Values:
    """Translates between digests and the wire, for one user."""

    def __init__(self, store: Store, user: str) -> None:
        self._artifacts = store.artifacts
        self._shown: dict[bytes, Value] = {}
        self._counts: dict[bytes, ItemCount] = {}
        self._key = hmac.digest(store.secret(), user.encode(), "sha256")

    def artifact_id(self, digest: bytes) -> str:
        """The name of an artifact on the wire: its digest, signed for this user."""
        return (digest + self._mac(digest)).hex()

    def digest_of(self, artifact_id: object) -> bytes | None:
        """The digest that an id names, or None if it was not made for this user."""
        try:
            data = bytes.fromhex(artifact_id) if isinstance(artifact_id, str) else b""
        except ValueError:
            return None
        digest, mac = data[:-_MAC], data[-_MAC:]
        return digest if len(digest) == 32 and hmac.compare_digest(mac, self._mac(digest)) else None

    def file_value(self, digest: bytes, file: StoredFile) -> FileValue:
        """A file as the page and API clients see it."""
        artifact = self.artifact_id(digest)
        url = f"/file/{artifact}/{quote(file.name)}"
        return FileValue(artifact, file.name, url, mime_of(file.name), file.size)

    def show(self, txn: Txn, digest: bytes, limit: int = SHOWN_LIMIT) -> Value:
        """What a digest stands for, for a card: translated once; what is too large to show is only described."""
        if (known := self._shown.get(digest)) is not None:
            return known
        artifact = txn.get(ARTIFACTS, digest)
        if artifact is not None and artifact.codec not in (FILE, ITEMS) and artifact.size > limit:
            way = "give the port a gr.Image() to see it" if artifact.codec == "image" else "the API gives it whole"
            return OpaqueValue(f"{_size(artifact.size)}, too large to show here; {way}")
        value = self.read(txn, digest)
        if not isinstance(value, OpaqueValue):  # what is stored never changes
            _remember(self._shown, digest, value)
        return value

    def count(self, txn: Txn, run: Run) -> ItemCount | None:
        """How the items of a group ended; None if it is no group. Counted once."""
        if run.items < 0:
            return None
        if (known := self._counts.get(run.id)) is not None:
            return known
        first = next((output.digest for output in run.outputs), b"")
        digests = self._artifacts.items(txn, first)
        absent = split(digests).count(ABSENT) if digests is not None else 0
        failed = absent if run.status == "failed" else 0
        counted = ItemCount(run.items - absent, failed, run.items)
        _remember(self._counts, run.id, counted)
        return counted

    def read(self, txn: Txn, digest: bytes) -> Value:
        """What a digest stands for; what cannot be read is described."""
        try:
            return self._load(txn, digest)
        except UnknownCodecError as error:
            return OpaqueValue(f"not readable here: {error.message} {error.hint}")
        except ArtifactCorruptError as error:
            return OpaqueValue(f"damaged: {error.message}")

    def _load(self, txn: Txn, digest: bytes) -> Value:
        if (file := self._artifacts.file(txn, digest)) is not None:
            return self.file_value(digest, file)
        if (kept := self._artifacts.volatile(digest)) is not None:
            return in_memory(kept[0])
        if not self._artifacts.has(txn, digest):
            return OpaqueValue("no longer kept")
        if (digests := self._artifacts.items(txn, digest)) is not None:
            return self._items(txn, digests)
        return _on_wire(replaced(self._artifacts.load_raw(txn, digest), FileRef, lambda ref: self._url(txn, ref)))

    def _items(self, txn: Txn, digests: bytes) -> ItemsValue:
        """The first of the items."""
        shown = [
            None if item == ABSENT else self.show(txn, item, ITEM_LIMIT)
            for item in split(digests[: ITEMS_SHOWN * len(ABSENT)])
        ]
        inner = [OpaqueValue("a list of items") if isinstance(item, ItemsValue) else item for item in shown]
        return ItemsValue(len(digests) // len(ABSENT), inner)

    def _url(self, txn: Txn, ref: FileRef) -> str | None:
        """Where a file within a value is served; None if it is gone."""
        file = self._artifacts.file(txn, ref.digest)
        return self.file_value(ref.digest, file).url if file is not None else None

    def files_in(self, txn: Txn, digest: bytes) -> dict[str, FileRef]:
        """The files within a value, by the URLs that the page knows them by."""
        found: dict[str, FileRef] = {}
        artifact = txn.get(ARTIFACTS, digest)
        for part in artifact.refs if artifact is not None else ():
            if (url := self._url(txn, FileRef(part))) is not None:
                found[url] = FileRef(part)
        return found

    def plain(self, txn: Txn, digest: bytes) -> Any:
        """The same for API clients: JSON, a file as its URL, all items of a list, with null for one without value.

        Raises:
            NodeFailedError: the value has no form that could travel.
            UnknownCodecError: it was written by a codec that this process does not have.
            ArtifactCorruptError: its bytes are damaged.
        """
        if (digests := self._artifacts.items(txn, digest)) is not None:
            return [None if item == ABSENT else self.plain(txn, item) for item in split(digests)]
        value = self._load(txn, digest)
        match value:
            case FileValue():
                return value.url
            case JsonValue():
                return value.value
            case OpaqueValue():
                raise NodeFailedError(
                    f"An output is {value.text}, which has no JSON form.",
                    "Return plain values, or a file, from the node.",
                )
            case ItemsValue():  # taken above
                return value.shown

    def _mac(self, digest: bytes) -> bytes:
        return hmac.digest(self._key, digest, "sha256")[:_MAC]


def _on_wire(value: Any) -> Value:
    """A stored value: as JSON if its type has a form there, else described."""
    kind = type(value)
    form = _form(kind)
    if form == "PIL.Image":
        return OpaqueValue(f"{_picture(value)}; give the port a gr.Image() to see it")
    if kind.__module__ == "builtins" or form in _TO_JSON:
        return JsonValue(to_json(value))
    return OpaqueValue(f"a {kind.__name__}")


def in_memory(value: Any) -> Value:
    """A value that is not stored: one that is a kind of number, text, list or dict is shown as such."""
    if isinstance(value, (str, int, float, dict, list, tuple)):
        return JsonValue(to_json(value))
    return OpaqueValue(f"a {type(value).__name__}, kept in memory")


def _remember(known: dict[bytes, Any], key: bytes, value: Any) -> None:
    """Keep something, and drop the oldest of what is too many."""
    known[key] = value
    if len(known) > SHOWN_KEPT:
        known.pop(next(iter(known)))


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def to_json(value: Any) -> Any:
    """The nearest JSON of a value.

    Tuples, sets, arrays, tensors and series are lists, tables `{"headers", "data", "metadata"}` as Gradio has them,
    bytes base64; NaN and what is missing are null, huge numbers text.
    """
    kind = type(value)
    translate = _TO_JSON.get(_form(kind)) if kind.__module__ != "builtins" else None
    return _builtin_json(value) if translate is None else translate(value)


def _builtin_json(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return readable(value)
        case int():
            return value if abs(value) < _EXACT else str(value)
        case float():
            return value if math.isfinite(value) else None if math.isnan(value) else str(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case dict():
            return {readable(str(key)): to_json(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            ordered = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
            return [to_json(item) for item in ordered]
        case _:
            return str(value)


def _form(kind: type) -> str:
    """The library and name of a type; every scalar of numpy is one kind, as is every image of Pillow."""
    names = {f"{base.__module__.partition('.')[0]}.{base.__qualname__}" for base in kind.__mro__}
    return next((name for name in _TO_JSON if name in names), "")


def _array(value: Any) -> Any:
    """Numbers and texts as they are; moments and spans as text."""
    if getattr(value.dtype, "kind", "") in ("m", "M"):
        return _moments(value.astype(str).tolist())
    return to_json(value.tolist())


def _moments(texts: Any) -> Any:
    return list(map(_moments, texts)) if isinstance(texts, list) else None if texts == "NaT" else texts


def _table(value: Any) -> Any:
    headers = [readable(str(name)) for name in value.columns]
    rows = [to_json(row) for row in value.itertuples(index=False, name=None)]
    return {"headers": headers, "data": rows, "metadata": None}


def _picture(value: Any) -> str:
    width, height = value.size
    return f"an image of {width} × {height} pixels ({value.mode})"


_TO_JSON: dict[str, Callable[[Any], Any]] = {
    "numpy.ndarray": _array,
    "numpy.generic": _array,
    "torch.Tensor": _array,
    "pandas.DataFrame": _table,
    "pandas.Series": lambda value: to_json(value.tolist()),
    "pandas.Timestamp": str,
    "pandas.Timedelta": str,
    "pandas.NAType": lambda _: None,
    "pandas.NaTType": lambda _: None,
    "PIL.Image": _picture,
}


def mime_of(name: str) -> str:
    """The media type of a file name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
