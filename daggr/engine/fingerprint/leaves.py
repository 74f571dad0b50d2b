"""A leaf map: the named parts of a definition, each with a digest. The fingerprint is the hash of them all."""

from __future__ import annotations

from dataclasses import dataclass, field

from daggr.digest import Digest, UnencodableError, digest, encode


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

    def add(self, name: str, *parts: bytes) -> None:
        """Add a leaf. Of leaves with one name, each counts."""
        unique, count = name, 1
        while unique in self.leaves:
            count += 1
            unique = f"{name} #{count}"
        self.leaves[unique] = digest("daggr/leaf", *parts)

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

    def fingerprint(self) -> Digest:
        """The hash of all leaves by name."""
        return digest(
            "daggr/fingerprint", *(part for name in sorted(self.leaves) for part in (name.encode(), self.leaves[name]))
        )
