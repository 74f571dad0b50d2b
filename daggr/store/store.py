"""Store: the one door to everything that is kept.

FORMAT          which format this is
meta/           the index (LMDB)
blobs/ab/<sha256>
files/          read-only copies handed to people
tmp/<token>/    staged bytes and private folders of runs, of each process that has the store open
claims          who makes what at this moment
quarantine/     what was found damaged
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from daggr.errors import StoreError, StoreFullError
from daggr.store import references, removal, reserve
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.blobs import Blobs
from daggr.store.claims import Claims
from daggr.store.durable import boot_id, disk_error
from daggr.store.environment import Durability
from daggr.store.files import Files
from daggr.store.filestats import FileStats
from daggr.store.index import Reading, close_index, open_index
from daggr.store.layout import prepare
from daggr.store.lease import Attendance
from daggr.store.presence import is_present
from daggr.store.records import Note
from daggr.store.resident import resident_of_files
from daggr.store.tables import META, RELAXED, Txn
from daggr.store.uses import Uses

log = logging.getLogger("daggr.store")

T = TypeVar("T")
_SECRET = b"secret"
MORE = 16 << 20
"""Bytes of the index that long work may make resident."""


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
        temporary = tempfile.mkdtemp(prefix="daggr-") if root is None else ""
        self._remove = weakref.finalize(self, _remove_temporary, temporary, os.getpid())
        self.root = Path(temporary or root or "").absolute()
        self.format = prepare(self.root)
        self.index = open_index(self.root / "meta", durability)
        self._closed = False
        self._is_open = False
        with contextlib.ExitStack() as undo:
            undo.callback(close_index, self.root / "meta")
            self.attendance = self._attend()
            undo.callback(self.attendance.leave)
            suspects, once_relaxed = self.index.write(lambda txn: _mind_the_boot(txn, durability))
            self.blobs = Blobs(
                self.root,
                self.attendance.path,
                durable=durability == "full",
                suspects=suspects,
                once_relaxed=once_relaxed,
                report=self._set_aside,
            )
            self.files = Files(self.root, self.blobs)
            self._stats = FileStats(self.index, self.blobs.has)
            self.artifacts = Artifacts(self.blobs, self.files, self._stats)
            self.uses = Uses()
            self.claims = Claims(self.root)
            undo.pop_all()
        self._is_open = True

    def _attend(self) -> Attendance:
        """Be present. On a full disk the reserve is used for it."""
        try:
            attendance = Attendance(self.root / "tmp", self.index, self._tidy)
        except StoreFullError:
            reserve.use(self.root)
            attendance = Attendance(self.root / "tmp", self.index, self._tidy)
            reserve.make(self.root, scant=True)
        else:
            reserve.make(self.root)
        return attendance

    # ------------------------------------------------------------ transactions

    def read(self) -> Reading:
        """Look at the store as it is now: `with store.read() as txn`."""
        if self.attendance.is_away:
            self.attendance.come_back()
        return self.index.read()

    def submit(self, work: Callable[[Txn], T], staged: Iterable[Staged] = ()) -> Future[T]:
        """Change the store: put what was staged and what `work` writes; all of it is durable when the future is done.

        `work` may be called more than once, with nothing left of what it did before; it runs in the store's writer
        thread, where it may not wait for another change. What was staged is used up, whatever comes of it.

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
            if not txn.noted:  # once for all changes that are committed together
                txn.noted = True
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
        try:
            folder.mkdir()
        except OSError as error:
            raise disk_error(error, self.root) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sparing(self) -> Callable[[], None]:
        """For long work: call it now and then, and little more of the index stays resident than when it began."""
        most = resident_of_files() + MORE
        return lambda: self.index.spare(most)

    def hold(self) -> AbstractContextManager[None]:
        """While the block lasts, nothing that is there now is removed for good: `with store.hold()`."""
        return self.attendance.hold()

    def _set_aside(self, sha256: bytes) -> None:
        log.warning("The blob %s is damaged. It counts as not there; `daggr fsck` looks for more.", sha256.hex())
        self.index.submit(lambda txn: self.blobs.set_aside(txn, sha256, self.root / "quarantine"))

    def _tidy(self) -> None:
        """Remove for good what may go by now; end the collection of a process that is no more."""
        if not self._is_open:  # opening may take long where others write
            return
        with self.read() as txn:
            given_up, collector = removal.waiting(txn), references.collector(txn)
        if collector is not None and not is_present(self.attendance.tmp, collector):
            self.write(lambda txn: references.end_collection(txn, collector, interrupted=True))
        if given_up:
            removal.remove_condemned(self.index, self.blobs, self.attendance, patient=True)
        if self.uses.waiting:
            self.write(lambda txn: None)  # they are written along

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
                # on a full or failing disk the next one who opens it tidies up
                with contextlib.suppress(StoreError):
                    self.write(lambda txn: None)  # what was noted meanwhile
                with contextlib.suppress(StoreError):
                    self.attendance.leave()
            finally:
                close_index(self.root / "meta")
                self.claims.close()
                self._remove()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _remove_temporary(folder: str, pid: int) -> None:
    if folder and os.getpid() == pid:  # a forked child has no right to it
        shutil.rmtree(folder, ignore_errors=True)


def _mind_the_boot(txn: Txn, durability: Durability) -> tuple[int | None, bool]:
    """The first transaction whose blobs may be damaged since the machine went down, if any; whether it was relaxed.

    A relaxed store notes from when on it was written so, and in which start of the machine: where another start begins,
    blobs from before are read before they are trusted. The note is: the first transaction, the first one of the last
    start (8 bytes each), the boot id.
    """
    boot = boot_id().encode()
    known = txn.get(META, RELAXED)
    if known is None:
        if durability == "relaxed":
            txn.put(META, RELAXED, Note(txn.id.to_bytes(8, "big") * 2 + boot))
        return None, durability == "relaxed"
    since, start = (int.from_bytes(known.value[at : at + 8], "big") for at in (0, 8))
    is_other = not boot or known.value[16:] != boot
    if durability == "relaxed" and is_other:
        txn.put(META, RELAXED, Note(known.value[:8] + txn.id.to_bytes(8, "big") + boot))
    return since if is_other or since < start else None, True
