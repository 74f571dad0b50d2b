"""Many names of one length, in one piece of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

DIGEST = 32
ID = 16


class Names:
    """Names in the order in which they were added."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._data = bytearray()

    def add(self, name: bytes) -> None:
        """Append a name."""
        self._data += name

    def extend(self, names: Iterable[bytes]) -> None:
        """Append some names."""
        for name in names:
            self._data += name

    def __len__(self) -> int:
        return len(self._data) // self._length

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._data), self._length):
            yield bytes(self._data[at : at + self._length])
