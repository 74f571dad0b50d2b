"""Which texts name files that a run may give: its own, those it was handed, those in folders that are open to it."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePath

from daggr.digest import Digest
from daggr.store.codecs.fileref import FilePath

TICK_NS = 20_000_000
"""By how much the clock of a file system may lag behind."""

FEW = 64
"""Texts that are looked up one by one."""

_LONGEST = 4096
_TEMPORARY = ("/tmp", "/var/tmp") if os.name == "posix" else ()


class Refusal(Exception):
    """Why a value does not become a file; it goes on where "Output 'image' of 'draw' is …" ends."""


class Reach:
    """The files that one run may give.

    Args:
        folder: The run's own folder.
        texts: What came in as text: it never names a file.
        handed: The paths that the run was given, with the digests of their artifacts.
        started_ns: When it began, by `time.time_ns()`: what was written before is none of its files.
        allowed: Folders that are open to it beside the working folder and the temporary ones.
    """

    def __init__(
        self,
        folder: Path,
        texts: Collection[str],
        handed: Mapping[str, Digest | bytes],
        started_ns: int,
        allowed: Iterable[Path],
    ) -> None:
        self._folder = folder
        self._texts = texts
        self._handed = handed
        self._since = started_ns - TICK_NS
        self._allowed = allowed
        self._asked = 0
        self._names: dict[str, frozenset[str] | None] = {}

    @cached_property
    def _own(self) -> Path:
        return self._folder.resolve()

    @cached_property
    def _working(self) -> Path:
        return Path.cwd().resolve()

    @cached_property
    def _open(self) -> set[Path]:
        """Folders whose files are open to the run, hidden ones included; looked up when a path is met."""
        temporary = {Path(name).resolve() for name in (tempfile.gettempdir(), *_TEMPORARY)}
        return {self._own, *temporary, *(Path(root).resolve() for root in self._allowed)} - {self._working}

    def given(self, value: str | PurePath) -> Path:
        """The file that a path on a file port names.

        Raises:
            Refusal: it came in as text, names no file, or one that is not open to the run.
        """
        text = str(value)
        if text in self._texts and type(value) is not FilePath:
            raise Refusal(f"the text {text!r}, which came in as text and does not become a file")
        if text.startswith(("http://", "https://", "data:")):
            raise Refusal(f"the address {text[:200]!r}; daggr fetches nothing by itself")
        try:
            path = Path(text).resolve()
        except (OSError, ValueError):  # no name that a file can have
            raise Refusal(f"{text!r}, where there is no file") from None
        if path.is_dir():
            raise Refusal(f"{text!r}, which is a folder")
        if not path.is_file():
            raise Refusal(f"{text!r}, where there is no file")
        if type(value) is FilePath or text in self._handed or self._is_open(path):
            return path
        if path.is_relative_to(self._working):
            raise Refusal(f"{text!r}, which is hidden: a part of it begins with a dot")
        raise Refusal(f"{text!r}, which is outside of the working folder and the temporary folder")

    def meant(self, value: str | PurePath) -> Path | None:
        """The file that a text within other values names: handed to this run or written by it; None for a mere text."""
        text = str(value)
        if type(value) is not FilePath and text in self._texts:
            return None
        try:
            found = os.stat(text) if 0 < len(text) <= _LONGEST and self._may_exist(text) else None
        except (OSError, ValueError):
            return None
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        path = Path(text).resolve()
        if type(value) is FilePath or text in self._handed or self.is_own(path):
            return path
        changed = found.st_mtime_ns if sys.platform == "win32" else min(found.st_mtime_ns, found.st_ctime_ns)
        return path if changed >= self._since and self._is_open(path) else None

    def _may_exist(self, text: str) -> bool:
        """Whether it is worth a look at the disk. Of many texts, the names in each folder are read once."""
        self._asked += 1
        if self._asked <= FEW or sys.platform != "linux":  # elsewhere a file may have a name in other letters
            return True
        folder, _, name = text.rpartition("/")
        if name in ("", ".", ".."):
            return False
        folder = folder or ("/" if text.startswith("/") else ".")
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))
            except PermissionError:  # its files may be readable all the same
                self._names[folder] = None
            except (OSError, ValueError):
                self._names[folder] = frozenset()
        names = self._names[folder]
        return names is None or name in names

    def is_own(self, path: Path) -> bool:
        """Whether a file lies in the run's own folder."""
        return path.is_relative_to(self._own)

    def _is_open(self, path: Path) -> bool:
        """The innermost folder decides. Hidden files of the working folder are not open."""
        for parent in path.parents:
            if parent in self._open:
                return True
            if parent == self._working:
                return not any(part.startswith(".") for part in path.relative_to(parent).parts)
        return False
