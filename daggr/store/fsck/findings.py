"""What a check finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "index",
    "damaged record",
    "unreachable records",
    "lost run",
    "not indexed",
    "lost value",
    "lost blob",
    "damaged blob",
    "lost state",
    "orphan",
]

_TEXT: dict[Kind, str] = {
    "index": "the index's own structure is damaged",
    "damaged record": "a record is not what was written",
    "unreachable records": "the index counts records that it does not reach",
    "lost run": "a run is named whose record is gone",
    "not indexed": "a run is not found by its keys",
    "lost value": "a value's record is gone",
    "lost blob": "a blob's file is gone or has another size",
    "damaged blob": "a blob's bytes are not what was written",
    "lost state": "the state of a sheet is gone",
    "orphan": "a file that the index does not know; harmless, `daggr gc` removes it",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. `table` and `key` lead to it; `detail` is for people."""

    kind: Kind
    table: str
    key: bytes
    detail: str = ""

    @property
    def is_damage(self) -> bool:
        """Whether something that was acknowledged is missing or wrong. Orphans are not."""
        return self.kind != "orphan"

    def __str__(self) -> str:
        where = f" ({self.table} {self.key.hex()})" if self.key else ""
        return f"{_TEXT[self.kind]}{where}{': ' + self.detail if self.detail else ''}"


@dataclass
class Report:
    """The outcome of a check: what was looked at, and what was found."""

    findings: list[Finding] = field(default_factory=list)
    looked_at: Counter[str] = field(default_factory=Counter)

    def add(self, kind: Kind, table: str, key: bytes, detail: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(kind, table, key, detail))

    @property
    def damage(self) -> list[Finding]:
        """The findings that are damage."""
        return [finding for finding in self.findings if finding.is_damage]

    def of(self, *kinds: Kind) -> list[Finding]:
        """The findings of some kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]
