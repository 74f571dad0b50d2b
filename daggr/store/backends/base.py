"""The contract of a backend: bytes by name, in seven verbs.

Rules for all verbs:

- They are synchronous and may be called from several threads at once.
- They may run more than once for one request (a wrapper tries again, a reply got lost), so they must be idempotent.
- Keys are checked with `checked_key`, prefixes with `checked_prefix`, ranges with `checked_range`; what is wrong with
  them raises ConfigError before anything happens.
- All other trouble raises SyncError, with `retryable=True` only if the same call can work later, and without secrets in
  its message. An exception of a driver or of the operating system never leaves a backend.
- A key has the whole of one value or none: readers see the old or the new value, never a part (`Caps.atomic_put`).
- No key may be a folder of another (`a` and `a/b`): a folder on disk cannot hold both, and refuses with SyncError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daggr.errors import ConfigError

KEY_LENGTH = 200
_PART = r"[a-z0-9_-](?:[a-z0-9._-]*[a-z0-9_-])?"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")
_DEVICE = re.compile(r"(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|$)")
"""Names that Windows takes for devices."""


@dataclass(frozen=True)
class Caps:
    """What a backend can do; callers ask these, never its class.

    Attributes:
        atomic_put: A value appears whole or not at all, also when the writer dies. Without it, a reader may see a part.
        create_exclusive: The storage can tell whether a key was there before it was put. No verb needs it yet.
        ranges: `get` with a range moves only these bytes.
        max_batch: How many keys one request takes. Callers may give more; it is the size of a good portion.
        commit_atomic: All of one `put_many`, `last` included, becomes visible at once, so it should not be split.
    """

    atomic_put: bool = True
    create_exclusive: bool = False
    ranges: bool = True
    max_batch: int = 1000
    commit_atomic: bool = False


@dataclass(frozen=True)
class Stat:
    """A key that is there, and the size of its value in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class Item:
    """A key and its new value: the bytes, or a file that holds them and does not change meanwhile."""

    key: str
    data: bytes | Path


class Backend(Protocol):
    """Somewhere that keeps bytes by name. The module's docstring holds the rules for all verbs."""

    @property
    def caps(self) -> Caps:
        """What it can do. Never changes."""
        ...

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """The value, or its bytes from `start` up to but without `end`; None when the key is absent.

        A range that reaches beyond the end gives what there is, perhaps nothing.
        """
        ...

    def fetch(self, key: str, path: Path) -> bool:
        """Write the value to a file, in one move: `path` has the whole value, or stays as it was. False when absent.

        The folder of `path` must exist. Values larger than memory pass.
        """
        ...

    def stat(self, key: str) -> Stat | None:
        """The size of the value, or None when the key is absent."""
        ...

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """Write values, then those of `last`, replacing what is there. When it returns, all of them are durable.

        `items` may be written in any order, at the same time, and a failure may leave some of them. `last` is iterated
        over only when all of `items` is durable, and written one by one in its order: if an item fails, nothing of
        `last` changes. (With `Caps.commit_atomic`, all changes at once or nothing does.) An error does not prove that
        nothing was written, since a reply can get lost: repeat the call. No key stands twice in one call.

        `message` goes into the history of storages that have one.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """All keys that start with a text, in the order of their characters; `idx/` and `idx/a` are both fine.

        Keys that others put or delete meanwhile may be missing or there. Foreign objects whose names are no keys are
        left out. An error may come at any step of the iterator; a short list never stands for a failed one.
        """
        ...

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove keys. Absent ones are no error; one that could not be removed is."""
        ...

    def close(self) -> None:
        """Let go of connections. Called twice, it does nothing the second time; no other verb may follow."""
        ...


def is_key(text: str) -> bool:
    """Whether a text can be a key."""
    return len(text) <= KEY_LENGTH and _KEY.fullmatch(text) is not None and _DEVICE.search(text) is None


def checked_key(key: str) -> str:
    """The key, if it is one.

    A key is relative, its parts separated by `/` and made of lowercase letters, digits and `. _ -`; no part starts or
    ends with a dot or is a device of Windows. So it names one file on every file system, whatever its case rules.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(key, str) or not is_key(key):
        raise ConfigError(
            f"Not a key: {_shown(key)}.",
            f"A key is at most {KEY_LENGTH} characters of a-z, 0-9, '.', '_' and '-', in parts separated by '/'; "
            "no part starts or ends with a dot, or is a device of Windows such as 'nul'.",
        )
    return key


def checked_prefix(prefix: str) -> str:
    """The prefix, if a key can start with it.

    Raises:
        ConfigError: none can.
    """
    if not isinstance(prefix, str) or (prefix and not is_key(prefix) and not is_key(f"{prefix}x")):
        raise ConfigError(
            f"No key starts with {_shown(prefix)}.", "Give the first characters of a key, such as 'idx/'."
        )
    return prefix


def checked_range(start: int | None, end: int | None) -> tuple[int, int | None]:
    """A range as `(start, end)`, with `end` None for all that follows.

    Raises:
        ConfigError: one of them is negative or no whole number.
    """
    for bound in (start, end):
        if bound is not None and (type(bound) is not int or bound < 0):
            raise ConfigError(f"A range goes from and to whole numbers from 0 on; given: {start!r} to {end!r}.")
    return start or 0, end


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= KEY_LENGTH + 50 else f"{text[:KEY_LENGTH]}… ({len(text)} characters)"
