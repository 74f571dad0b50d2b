"""A leaf map: the named parts of a definition, each with a digest. The fingerprint is the hash of them all."""

from __future__ import annotations

from dataclasses import dataclass, field

from daggr.digest import Digest, UnencodableError, digest, encode
from daggr.engine.fingerprint.watch import Watch


@dataclass
class LeafMap:
    """Collects leaves. `uncached` says, in words, which part cannot be vouched for."""

    leaves: dict[str, Digest] = field(default_factory=dict)
    uncached: str = ""
    modules: dict[str, Digest] = field(default_factory=dict)
    """Modules that code may yet import when it runs, and the digests of all their sources."""
    sources: dict[str, str] = field(default_factory=dict)
    """The source text of leaves that are code, by leaf."""
    soft: dict[str, str] = field(default_factory=dict)
    """What is shown but no part of the fingerprint, such as versions of libraries."""
    watch: Watch = field(default_factory=Watch)
    """What they were read from."""

    def add(self, name: str, *parts: bytes) -> None:
        """Add a leaf. Of leaves with one name, each counts."""
        self.leaves[self._unique(name)] = digest("daggr/leaf", *parts)

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.leaves:
            count += 1
            unique = f"{name} #{count}"
        return unique

    def add_value(self, name: str, value: object) -> None:
        """Add a leaf of data."""
        try:
            self.add(name, encode(value))
        except UnencodableError as error:
            self.refuse(name, error.kind)

    def refuse(self, name: str, kind: str) -> None:
        """Note a part whose identity is unknown. The first one is told to the user."""
        self.uncached = self.uncached or f"not cached: {name} holds {kind}"
        self.add(name, b"uncached", kind.encode())

    def include(self, other: LeafMap) -> None:
        """Add all that another one has."""
        for name, leaf in other.leaves.items():
            self.leaves[self._unique(name)] = leaf
        self.uncached = self.uncached or other.uncached
        self.modules |= other.modules
        self.sources |= other.sources
        self.soft |= other.soft

    def fingerprint(self) -> Digest:
        """The hash of all leaves by name."""
        return digest(
            "daggr/fingerprint", *(part for name in sorted(self.leaves) for part in (name.encode(), self.leaves[name]))
        )
