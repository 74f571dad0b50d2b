"""Store: the one door to everything that is kept.

FORMAT          which format this is
meta/           the index (LMDB)
blobs/ab/<sha256>
files/          copies handed to people
tmp/<pid>-<n>   staged bytes, private folders of runs
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from daggr.errors import ConfigError, StoreVersionError
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.blobs import Blobs, sync_folder
from daggr.store.index import META, Txn, close_index, open_index

FORMAT = 1


class _Format(msgspec.Struct):
    format: int
    min_reader: int
    store_id: str


class Store:
    """An artifact store in a folder.

    Args:
        root: The folder; made if it is not there. None keeps everything in a temporary folder that goes with the store.

    Raises:
        StoreVersionError: a newer daggr wrote it.
        ConfigError: the folder cannot be used.
    """

    def __init__(self, root: Path | None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="daggr-") if root is None else None
        self.root = Path(self._temporary.name if self._temporary is not None else root or "").absolute()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            _check_format(self.root / "FORMAT")
            self.blobs = Blobs(self.root)
        except OSError as error:
            raise ConfigError(
                f"The store cannot be at {self.root}: {error}.", "Set DAGGR_STORE to a folder."
            ) from error
        self.artifacts = Artifacts(self.blobs)
        self._index = open_index(self.root / "meta")
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Txn]:
        """Look at the store as it is now."""
        with self._index.read() as txn:
            yield txn

    @contextmanager
    def write(self, staged: Iterable[Staged] = ()) -> Iterator[Txn]:
        """Change the store: put what was staged and what the block writes, all durable at its end, or nothing.

        Raises:
            StoreFullError: there is no room; nothing was changed.
        """
        staged = list(staged)
        try:
            with self._index.write() as txn:
                folders = {folder for item in staged if (folder := self.artifacts.put(txn, item)) is not None}
                yield txn
                for folder in folders:
                    sync_folder(folder)
                if folders:
                    sync_folder(self.root / "blobs")
        finally:
            for item in staged:
                self.artifacts.discard(item)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private folder that is removed at the end of the block."""
        folder = self.blobs.tmp_path()
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def load(self, identity: bytes, folder: Path) -> Any:
        """The value of a digest, as `Artifacts.load` gives it."""
        with self.read() as txn:
            return self.artifacts.load(txn, identity, folder)

    def files(self) -> Path:
        """The folder of files that are handed to people: read-only copies under stable names."""
        folder = self.root / "files"
        folder.mkdir(exist_ok=True)
        return folder

    def secret(self) -> bytes:
        """32 random bytes that belong to this store; the names of artifacts on the wire are signed with them."""
        with self.read() as txn:
            if (known := txn.marked(META, b"secret")) is not None:
                return known
        with self.write() as txn:
            known = txn.marked(META, b"secret") or secrets.token_bytes(32)
            txn.mark(META, b"secret", known)
        return known

    def close(self) -> None:
        """Close it. A temporary store is gone afterwards."""
        if not self._closed:
            self._closed = True
            close_index(self.root / "meta")
            if self._temporary is not None:
                self._temporary.cleanup()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_format(path: Path) -> None:
    if not path.exists():
        staged = path.with_name(f"FORMAT.{os.getpid()}")
        staged.write_bytes(msgspec.json.encode(_Format(FORMAT, FORMAT, str(uuid.uuid4()))))
        os.replace(staged, path)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Format)
    except msgspec.DecodeError as error:
        raise StoreVersionError(f"{path} is not what daggr wrote: {error}.") from None
    if found.min_reader > FORMAT:
        raise StoreVersionError(
            f"The store at {path.parent} has format {found.format}; this daggr reads up to {FORMAT}.",
            "Update daggr, or set DAGGR_STORE to another folder.",
        )
