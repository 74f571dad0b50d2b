"""A reader of stores, written from docs/format.md alone by somebody who had never seen daggr's source.

It imports nothing of daggr, and must not: the page is complete as long as this file works.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import hashlib
import json
import struct
import uuid
import zoneinfo
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import lmdb
import msgspec
import numpy as np
import xxhash

# ---------------------------------------------------------------- records
# Fields that a record lacks have the defaults; fields beyond those named here are those of newer writers.

Artifact = namedtuple("Artifact", "codec size inline blob name put condemned refs", defaults=("", 0.0, 0, ()))
RUN = "id graph node kind owner scope fingerprint key lookup inputs outputs status started seconds"
LATER = "error log uncached notes soft items variant edits is_item"
Run = namedtuple("Run", f"{RUN} {LATER}", defaults=("", "", "", (), {}, -1, "", b"", False))
Binding = namedtuple("Binding", "port digest source run source_port provider whole", defaults=(b"", "", b"", b""))
Output = namedtuple("Output", "port digest")
Sheet = namedtuple("Sheet", "id name owner graph created updated version snapshot undone own", defaults=((), False))
Snapshot = namedtuple("Snapshot", "id parent inputs heads")
Head = namedtuple("Head", "run parents")
RECORDS: dict[str, Any] = {
    "artifact": Artifact, "run": Run, "sheet": Sheet, "snapshot": Snapshot,
    "meta": namedtuple("Note", "value"), "blob": namedtuple("Blob", "size xxh3 condemned ref_txn"),
    "definition": namedtuple("Definition", "leaves sources", defaults=({},)),
    "history": namedtuple("Entry", "run key outputs parents"),
    "pin": namedtuple("Pin", "label at"), "lease": namedtuple("Lease", "pid host started floor"),
    "items": namedtuple("ItemRuns", "runs"),
    "filestat": namedtuple("FileStat", "size mtime_ns ctime_ns sha256 xxh3"),
}  # fmt: skip
MARKS = ("by_key", "by_lookup", "by_node", "by_owner", "use", "condemned", "barrier")


def record(kind: Any, array: list[Any]) -> Any:
    made = kind(*array[: len(kind._fields)])
    if kind is Run:
        inputs, outputs = ([record(Binding, one) for one in made.inputs], [record(Output, one) for one in made.outputs])
        return made._replace(inputs=inputs, outputs=outputs)
    if kind is Snapshot:
        return made._replace(heads={node: record(Head, head) for node, head in made.heads.items()})
    return made


# ---------------------------------------------------------------- values


Parts = namedtuple("Parts", "codec header buffers")  # a value of a type that this reader has not got


def extension(code: int, data: memoryview) -> Any:
    """What MessagePack does not tell apart."""
    content = bytes(data)
    if code == 1:
        return int.from_bytes(content, "big", signed=True)
    if code == 2:
        return content.decode("utf-8", "surrogatepass")
    if code == 3:
        return bytearray(content)
    if code == 7:
        return complex(*struct.unpack(">dd", content))
    items = canonical(content)
    return decode(*items) if code == 8 else {4: tuple, 5: set, 6: frozenset}[code](items)


canonical = msgspec.msgpack.Decoder(ext_hook=extension).decode
encode = msgspec.msgpack.encode  # canonical as well, for texts, bytes, small numbers and lists


def dtype_of(form: Any) -> np.dtype[Any]:
    if isinstance(form, str):
        return np.dtype(form)
    if form[0] == "record":
        return np.dtype((np.record, dtype_of(form[1])))
    if form[0] == "array":
        return np.dtype((dtype_of(form[1]), form[2]))
    names, titles, offsets, formats = zip(*form[1], strict=True)
    parts = {"names": names, "titles": titles, "offsets": offsets, "formats": [dtype_of(one) for one in formats]}
    return np.dtype(parts | {"itemsize": form[2]}, align=form[3])


def zone_of(form: Any) -> datetime.tzinfo | None:
    offset = form and form[0] == "offset" and datetime.timedelta(microseconds=form[1])
    return form and (zoneinfo.ZoneInfo(form[1]) if offset is False else datetime.timezone(offset))


SIMPLE: dict[str, Callable[[Any], Any]] = {
    "datetime": lambda header: datetime.datetime(*header[:7], zone_of(header[7]), fold=header[8]),
    "time": lambda header: datetime.time(*header[:4], zone_of(header[4]), fold=header[5]),
    "date": lambda header: datetime.date(*header), "timedelta": lambda header: datetime.timedelta(microseconds=header),
    "decimal": decimal.Decimal, "fraction": lambda header: fractions.Fraction(*header),
    "uuid": lambda header: uuid.UUID(bytes=header),
}  # fmt: skip
BUFFERED = {*SIMPLE, "ndarray", "numpy scalar", "image", "tensor", "series", "dataframe", "pandas scalar"}


def decode(codec: str, content: bytes) -> Any:
    if codec == "value":
        return canonical(content)
    if codec not in BUFFERED:
        return content  # a file, or a codec of a user
    at = 8 + int.from_bytes(content[:8], "big")
    header, sizes = canonical(content[8:at])
    buffers = []
    for size in sizes:
        at += -at % 64
        buffers.append(content[at : at + size])
        at += size
    if codec == "ndarray":
        return np.frombuffer(buffers[0], dtype_of(header[0])).reshape(header[1])
    if codec == "numpy scalar":
        text = header[0] in {"str", "bytes"}
        return getattr(np, f"{header[0]}_")(header[1]) if text else np.frombuffer(*buffers, dtype_of(header[1]))[0]
    return SIMPLE[codec](header) if codec in SIMPLE else Parts(codec, header, buffers)


def digest(domain: str, *parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(struct.pack(">Q", len(one)) + one for one in (domain.encode(), *parts))).digest()


def digest_of_pairs(domain: str, pairs: Iterable[tuple[str, bytes]]) -> bytes:
    return digest(domain, *(part for name, one in pairs for part in (name.encode(), one)))


def keys_of(run: Run) -> tuple[bytes, bytes]:
    """K and L, from what the run is and what it was given."""
    inputs = sorted([one.port, one.digest] for one in run.inputs)
    given = sorted([one.port, one.digest] for one in run.inputs if one.source != "sampled")
    sampled = sorted([one.port, one.provider] for one in run.inputs if one.source == "sampled")
    action, lookup = [1, "action", run.fingerprint, inputs], [1, "lookup", run.fingerprint, given, sampled]
    return xxhash.xxh3_128_digest(encode(action)), xxhash.xxh3_128_digest(encode(lookup))


# ---------------------------------------------------------------- the store


class Stranger:
    """A store as it was when it was opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if (newer := json.loads((folder / "FORMAT").read_text("utf-8"))["min_reader"]) > 1:
            raise ValueError(f"this store needs a reader of format {newer}")
        self.env = lmdb.open(str(folder / "meta"), readonly=True, max_dbs=len(RECORDS) + len(MARKS))
        self.tables = {name: self.env.open_db(name.encode(), create=False) for name in (*RECORDS, *MARKS)}
        self.txn = self.env.begin()

    def close(self) -> None:
        self.txn.abort()
        self.env.close()

    def walk(self, table: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        cursor = self.txn.cursor(self.tables[table])
        found = cursor.iternext() if cursor.set_range(prefix) else ()
        yield from takewhile(lambda pair: pair[0].startswith(prefix), found)

    def checked(self, table: str, key: bytes, value: bytes | None) -> Any:
        if value is None or value[:8] != xxhash.xxh3_64_digest(struct.pack(">I", len(key)) + key + value[8:]):
            return None
        return record(RECORDS[table], msgspec.msgpack.decode(value[8:]))

    def get(self, table: str, key: bytes) -> Any:
        return self.checked(table, key, self.txn.get(key, db=self.tables[table]))

    def records(self, table: str, prefix: bytes = b"") -> Iterator[tuple[bytes, Any]]:
        for key, value in self.walk(table, prefix):
            if (found := self.checked(table, key, value)) is not None:
                yield key, found

    def runs(self, table: str, prefix: bytes) -> list[Run]:
        """What `by_key`, `by_lookup` or `by_node` names, newest first."""
        ids = (bytes(byte ^ 255 for byte in key[len(prefix) :]) for key, _ in self.walk(table, prefix))
        return [run for run in map(partial(self.get, "run"), ids) if run is not None]

    def by_key(self, key: bytes, scope: str = "", table: str = "by_key") -> list[Run]:
        return self.runs(table, xxhash.xxh3_64_digest(scope.encode()) + key)

    def by_node(self, graph: str, node: str, *kind: str) -> list[Run]:
        return self.runs("by_node", xxhash.xxh3_128_digest(encode([graph, node, *kind])))

    def content(self, identity: bytes) -> bytes | None:
        """What an artifact holds, or None if any of it is absent or damaged."""
        artifact = self.get("artifact", identity)
        content = artifact and (self._blob(artifact.blob) if artifact.inline is None else artifact.inline)
        if content is None or len(content) != artifact.size:
            return None
        name = [artifact.name.encode()] if artifact.codec == "file" else []
        expected = digest("daggr/artifact", artifact.codec.encode(), hashlib.sha256(content).digest(), *name)
        return content if expected == identity else None

    def _blob(self, sha256: bytes) -> bytes | None:
        path, row = self.folder / "blobs" / sha256.hex()[:2] / sha256.hex(), self.get("blob", sha256)
        content = path.read_bytes() if row is not None and path.exists() else b""
        whole = (len(content), xxhash.xxh3_64_digest(content), hashlib.sha256(content).digest())
        return content if row is not None and whole == (row.size, row.xxh3, sha256) else None

    def value(self, identity: bytes) -> Any:
        content, artifact = self.content(identity), self.get("artifact", identity)
        if content is None:
            raise KeyError(identity.hex())
        if artifact.codec == "items":
            digests = [content[at : at + 32] for at in range(0, len(content), 32)]
            return [self.value(one) if any(one) else None for one in digests]
        return decode(artifact.codec, content)

    def items(self, group: bytes) -> list[Run | None]:
        """The runs of a group's items."""
        ids = b"".join(chunk.runs for _, chunk in self.records("items", group))
        return [self.get("run", ids[at : at + 16]) if any(ids[at : at + 16]) else None for at in range(0, len(ids), 16)]

    def sheets(self, owner: str, graph: str) -> list[Sheet]:
        prefix = xxhash.xxh3_128_digest(encode([owner, graph]))
        ids = (key[len(prefix) :] for key, _ in self.walk("by_owner", prefix))
        return [sheet for sheet in map(partial(self.get, "sheet"), ids) if sheet is not None]

    def history(self, sheet: bytes, node: str) -> list[Any]:
        return [entry for _, entry in self.records("history", sheet + xxhash.xxh3_128_digest(node.encode()))]

    def snapshots(self, identity: bytes) -> list[Snapshot]:
        """A snapshot, and those that undo leads to."""
        found = self.get("snapshot", identity) if identity else None
        return [found, *self.snapshots(found.parent)] if found else []
