"""A backend in a folder: a disk, a mounted share. By os primitives, since fsspec's local writes are not atomic.

Values lie at `<root>/<key>`; new ones are written under `<root>/.tmp/` and moved. No key starts with a dot, so none is
in there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from daggr.store.backends.base import Caps, Item, Stat, checked_key, checked_prefix, checked_range, is_key
from daggr.store.backends.landing import landing
from daggr.store.backends.trouble import sync_error
from daggr.store.durable import sync_file, sync_folder

CHUNK = 1 << 20
_STALE_SECONDS = 24 * 3600
_PAUSES = (0.01, 0.05, 0.2, 0.5) if sys.platform == "win32" else ()
"""There a file that somebody reads cannot be replaced; readers are quick, so wait for them."""

_CAPS = Caps(create_exclusive=True)


class LocalBackend:
    """Keeps values in a folder, which is made when something is put. Several processes and machines may share it."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser()
        self._tmp = self.root / ".tmp"
        self._swept = False

    @property
    def caps(self) -> Caps:
        """Files are moved into place, and can be made exclusively."""
        return _CAPS

    # ------------------------------------------------------------ reading

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """See `Backend.get`."""
        path = self._path(key)
        first, stop = checked_range(start, end)
        with _trouble(f"read {key!r} at {self.root}"), _opened(path) as file:
            if file is None:
                return None
            file.seek(first)
            return file.read(-1 if stop is None else max(0, stop - first))

    def fetch(self, key: str, path: Path) -> bool:
        """See `Backend.fetch`."""
        source = self._path(key)
        with _trouble(f"fetch {key!r} at {self.root} to {path}"), _opened(source) as file:
            if file is None:
                return False
            with landing(path) as partial, open(partial, "xb") as target:
                shutil.copyfileobj(file, target, CHUNK)
            return True

    def stat(self, key: str) -> Stat | None:
        """See `Backend.stat`."""
        path = self._path(key)
        with _trouble(f"look at {key!r} at {self.root}"), _existing():
            return Stat(key, path.stat().st_size) if path.is_file() else None
        return None

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`. Links to folders are not followed."""
        return self._walk(checked_prefix(prefix).rpartition("/")[0], prefix)

    def _walk(self, folder: str, prefix: str) -> Iterator[Stat]:
        """The keys below a folder. A folder sorts as its name and a slash, which is how its keys do."""
        with _trouble(f"list {prefix!r} at {self.root}"):
            entries: list[tuple[str, os.DirEntry[str]]] = []
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.root / folder) as found:
                for entry in found:
                    slash = "/" if entry.is_dir(follow_symlinks=False) else ""
                    entries.append((f"{entry.name}{slash}", entry))
        for name, entry in sorted(entries, key=lambda pair: pair[0]):
            key = f"{folder}/{name}" if folder else name
            if key.endswith("/"):
                if is_key(key[:-1]) and (key.startswith(prefix) or prefix.startswith(key)):
                    yield from self._walk(key[:-1], prefix)
            elif key.startswith(prefix) and is_key(key):
                with _trouble(f"look at {key!r} at {self.root}"), _existing():
                    if entry.is_file():
                        yield Stat(key, entry.stat().st_size)

    # ------------------------------------------------------------ writing

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`. Files and their folders are synced before anything of `last` is moved into place."""
        self._place(items)
        for item in last:
            self._place((item,))

    def _place(self, items: Iterable[Item]) -> None:
        changed: set[Path] = set()
        for item in items:
            path = self._path(item.key)
            with _trouble(f"put {item.key!r} at {self.root}"):
                self._make(path.parent, changed)
                self._make(self._tmp, changed)
                self._sweep()
                staged = self._tmp / f"{os.getpid()}-{secrets.token_hex(8)}"
                try:
                    _write(item.data, staged)
                    _replace(staged, path)
                finally:
                    staged.unlink(missing_ok=True)
                changed.add(path.parent)
        for folder in changed:
            with _trouble(f"sync {folder}"):
                sync_folder(folder)

    def delete_many(self, keys: Iterable[str]) -> None:
        """See `Backend.delete_many`. Empty folders stay."""
        for key in keys:
            path = self._path(key)
            with _trouble(f"delete {key!r} at {self.root}"), _existing():
                if path.is_file():
                    path.unlink()

    def close(self) -> None:
        """See `Backend.close`. Nothing is held."""

    # ------------------------------------------------------------ folders

    def _path(self, key: str) -> Path:
        return self.root / checked_key(key)

    def _make(self, folder: Path, changed: set[Path]) -> None:
        """Make a folder and those above it; those that got an entry are noted, to be synced."""
        if folder.is_dir():
            return
        if folder.parent != folder:
            self._make(folder.parent, changed)
        folder.mkdir(exist_ok=True)
        changed.add(folder.parent)

    def _sweep(self) -> None:
        """Remove, once, what writers that died a day ago or earlier have left."""
        if self._swept:
            return
        self._swept = True
        for left in self._tmp.iterdir():
            with _existing():
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    left.unlink()


@contextmanager
def _trouble(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise sync_error(error, doing) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | None]:
    """The file, opened for reading, or None if there is none."""
    try:
        file = open(path, "rb") if path.is_file() else None  # noqa: SIM115  (closed below)
    except FileNotFoundError:
        file = None
    if file is None:
        yield None
        return
    with file:
        yield file


def _existing() -> contextlib.suppress:
    """For what others may remove at any time: that it is gone is no error."""
    return contextlib.suppress(FileNotFoundError)


def _write(data: bytes | Path, path: Path) -> None:
    """A new file with these bytes, durable."""
    with open(path, "xb") as file:
        if isinstance(data, Path):
            with open(data, "rb") as source:
                shutil.copyfileobj(source, file, CHUNK)
        else:
            file.write(data)
        file.flush()
        sync_file(file.fileno())


def _replace(source: Path, target: Path) -> None:
    for pause in _PAUSES:
        with contextlib.suppress(PermissionError):
            os.replace(source, target)
            return
        time.sleep(pause)
    os.replace(source, target)
