"""Store: the one door to everything that is kept.

FORMAT          which format this is
meta/           the index (LMDB)
blobs/ab/<sha256>
files/          read-only copies handed to people
tmp/<token>/    staged bytes and private folders of runs, of each process that has the store open
quarantine/     what was found damaged
"""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from daggr.errors import StoreError
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.blobs import Blobs
from daggr.store.durable import boot_id
from daggr.store.files import Files
from daggr.store.filestats import FileStats
from daggr.store.index import Durability, Reading, close_index, open_index
from daggr.store.layout import prepare
from daggr.store.lease import Attendance
from daggr.store.records import Note
from daggr.store.removal import remove_condemned
from daggr.store.tables import META, Txn
from daggr.store.uses import Uses

log = logging.getLogger("daggr.store")

T = TypeVar("T")
_SECRET = b"secret"
_RELAXED = b"relaxed"


class Store:
    """An artifact store in a folder.

    Args:
        root: The folder; made if it is not there. None keeps everything in a temporary folder that goes with the store.
        durability: `full` (default): what is acknowledged survives a power cut. `relaxed`: it survives the end of the
            process, not that of the machine; faster.

    Raises:
        StoreVersionError: a newer daggr wrote it.
        StoreAccessError: the folder cannot be used.
        StoreError: the index cannot be opened.
    """

    def __init__(self, root: Path | None, durability: Durability = "full") -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="daggr-") if root is None else None
        self.root = Path(self._temporary.name if self._temporary is not None else root or "").absolute()
        self.format = prepare(self.root)
        self.index = open_index(self.root / "meta", durability)
        self._closed = False
        try:
            suspects = self.index.write(lambda txn: _mind_the_boot(txn, durability))
            self.attendance = Attendance(self.root / "tmp", self.index, self._tidy)
            self.blobs = Blobs(
                self.root,
                self.attendance.path,
                durable=durability == "full",
                suspects=suspects,
                report=self._set_aside,
            )
            self.files = Files(self.root, self.blobs)
            self._stats = FileStats(self.index, self.blobs.has)
            self.artifacts = Artifacts(self.blobs, self.files, self._stats)
            self.uses = Uses()
        except BaseException:
            close_index(self.root / "meta")
            raise

    # ------------------------------------------------------------ transactions

    def read(self) -> Reading:
        """Look at the store as it is now: `with store.read() as txn`."""
        return self.index.read()

    def submit(self, work: Callable[[Txn], T], staged: Iterable[Staged] = ()) -> Future[T]:
        """Change the store: put what was staged and what `work` writes; all of it is durable when the future is done.

        `work` may be called more than once and must do the same each time; it runs in the store's writer thread, where
        it may not wait for another change. What was staged is used up, whatever comes of it.

        Raises (from the future):
            StoreFullError: there is no room; nothing was changed.
            StoreError: the disk fails; nothing was changed.
        """
        staged = list(staged)
        written: list[Callable[[], None]] = []

        def change(txn: Txn) -> T:
            for item in staged:
                self.artifacts.put(txn, item)
            result = work(txn)
            written[:] = [done for notes in (self.uses, self._stats) if (done := notes.write(txn)) is not None]
            return result

        def after() -> None:
            for item in staged:
                self.artifacts.discard(item)

        future = self.index.submit(change, after)
        future.add_done_callback(lambda done: [note() for note in written] if done.exception() is None else None)
        return future

    def write(self, work: Callable[[Txn], T], staged: Iterable[Staged] = ()) -> T:
        """The same, and wait for it."""
        if self.index.is_writing():
            raise StoreError("A change of the store cannot wait for another one.", "Do both in one.")
        return self.submit(work, staged).result()

    def put(self, staged: Iterable[Staged]) -> None:
        """Put what was staged."""
        self.write(lambda txn: None, staged)

    # ------------------------------------------------------------ values

    def load(self, identity: bytes, folder: Path | None = None) -> Any:
        """The value of a digest, as `Artifacts.load` gives it."""
        with self.read() as txn:
            return self.artifacts.load(txn, identity, folder)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private folder that is removed at the end of the block."""
        folder = self.attendance.path()
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def hold(self) -> AbstractContextManager[None]:
        """While the block lasts, nothing that is there now is removed for good: `with store.hold()`."""
        return self.attendance.hold()

    def _set_aside(self, sha256: bytes) -> None:
        log.warning("The blob %s is damaged. It counts as not there; `daggr fsck` looks for more.", sha256.hex())
        self.index.submit(lambda txn: self.blobs.set_aside(txn, sha256, self.root / "quarantine"))

    def _tidy(self) -> None:
        remove_condemned(self.index, self.blobs, self.attendance)

    def secret(self) -> bytes:
        """32 random bytes that belong to this store; the names of artifacts on the wire are signed with them."""
        with self.read() as txn:
            if (known := txn.get(META, _SECRET)) is not None:
                return known.value

        def make(txn: Txn) -> bytes:
            secret = txn.get(META, _SECRET) or Note(secrets.token_bytes(32))
            txn.put(META, _SECRET, secret)
            return secret.value

        return self.write(make)

    # ------------------------------------------------------------ closing

    def close(self) -> None:
        """Close it. A temporary store is gone afterwards."""
        if not self._closed:
            self._closed = True
            try:
                self.write(lambda txn: None)  # what was noted meanwhile
                self.attendance.leave()
            except StoreError:  # a full or failing disk: the next one who opens it tidies up
                pass
            finally:
                close_index(self.root / "meta")
                if self._temporary is not None:
                    self._temporary.cleanup()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _mind_the_boot(txn: Txn, durability: Durability) -> int | None:
    """The first transaction whose blobs may be damaged since the machine went down; None if there is none.

    A relaxed store notes in which start of the machine it was written. When it is opened in another one, blobs from
    that time on are read before they are trusted.
    """
    boot = boot_id().encode()
    known = txn.get(META, _RELAXED)
    then, since = (known.value[8:], int.from_bytes(known.value[:8], "big")) if known is not None else (b"", 0)
    if durability == "relaxed" and (known is None or then != boot):
        txn.put(META, _RELAXED, Note((since or txn.id).to_bytes(8, "big") + boot))
    return since if known is not None and (not boot or then != boot) else None
