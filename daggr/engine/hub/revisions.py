"""Revisions: the commits at which a workflow first met its Spaces and models, and what has changed since.

They are kept in a small JSON file beside other caches, by graph. A file that is damaged is begun anew: then what is
there now counts as met for the first time.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

from daggr.engine.hub.shelf import read, write
from daggr.graph.drawing import Drawing
from daggr.graph.nodes.remote import RemoteSpec, Repo

FORMAT = 1
LOCKED = 5.0
"""Seconds for which is waited for another process that writes."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_KINDS = ("space", "model")


# ---------------------------------------------------------------- what has changed: pure


@dataclass(frozen=True)
class Moved:
    """A Space or model that is at another commit than the one recorded.

    Attributes:
        repo: Which one.
        old, new: The commits.
        nodes: The nodes that call it.
        where: The line of the first of them.
    """

    repo: Repo
    old: str
    new: str
    nodes: tuple[str, ...]
    where: str | None

    def __str__(self) -> str:
        names = ("node " if len(self.nodes) == 1 else "nodes ") + ", ".join(self.nodes)
        place = f", {self.where}" if self.where else ""
        return f"{self.repo.kind} {self.repo.id!r} ({names}{place}): {self.old[:7]} → {self.new[:7]}"


def called(drawing: Drawing) -> dict[Repo, list[RemoteSpec]]:
    """The Spaces and models of a drawing, with the nodes that call them, variants included."""
    found: dict[Repo, list[RemoteSpec]] = {}
    for spec in drawing.offered:
        if isinstance(spec, RemoteSpec) and spec.repo is not None:
            found.setdefault(spec.repo, []).append(spec)
    return found


def changes(recorded: Mapping[Repo, str], observed: Mapping[Repo, str], drawing: Drawing) -> list[Moved]:
    """What is at another commit than recorded, in the order of the nodes. Those that are pinned say it themselves."""
    found = []
    for repo, specs in called(drawing).items():
        old, new = recorded.get(repo, ""), observed.get(repo, "")
        free = [spec for spec in specs if not spec.revision]
        if old and new and old != new and free:
            found.append(Moved(repo, old, new, tuple(spec.name for spec in free), free[0].where))
    return found


# ---------------------------------------------------------------- the file


class Revisions:
    """The commits that were recorded. Several processes may use one file.

    Args:
        path: The file; it and its folder are made when there is something to record. If they cannot be, nothing is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def recorded(self, graph: str) -> dict[Repo, str]:
        """The commits of a graph's Spaces and models."""
        return {repo: entry["sha"] for repo, entry in self._entries(graph).items()}

    def record(self, graph: str, commits: Mapping[Repo, str], *, only_new: bool = False) -> None:
        """Record commits in the place of the former; with `only_new` those that have none yet."""
        wanted = {repo: sha for repo, sha in commits.items() if sha}
        known = self.recorded(graph)
        if all(repo in known if only_new else known.get(repo) == sha for repo, sha in wanted.items()):
            return

        def add(entries: dict[Repo, dict[str, str]]) -> None:
            for repo, sha in wanted.items():
                before = entries.get(repo)
                if before is None or (not only_new and before["sha"] != sha):
                    entries[repo] = {"sha": sha}  # a copy was one of the former commit

        self._change(graph, add)

    def kept(self, graph: str, repo: Repo) -> str | None:
        """The Space that is called in place of another: a copy of it at the recorded commit."""
        return self._entries(graph).get(repo, {}).get("instead")

    def keep(self, graph: str, repo: Repo, instead: str | None) -> None:
        """Call another Space in the place of a recorded one from now on; None: itself again."""

        def set_one(entries: dict[Repo, dict[str, str]]) -> None:
            if repo in entries:
                entries[repo] = {"sha": entries[repo]["sha"], **({"instead": instead} if instead else {})}

        self._change(graph, set_one)

    def _entries(self, graph: str) -> dict[Repo, dict[str, str]]:
        return _entries(self._graphs().get(graph))

    def _graphs(self) -> dict[str, Any]:
        document = read(self._path) or {}
        graphs = document.get("graphs") if document.get("format") == FORMAT else None
        return graphs if isinstance(graphs, dict) else {}

    def _change(self, graph: str, change: Callable[[dict[Repo, dict[str, str]]], None]) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as locked:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(TimeoutError):  # better without the lock than not at all
                locked.enter_context(WeakFileLock(self._path.with_suffix(".lock"), timeout=LOCKED))
            graphs = self._graphs()
            entries = _entries(graphs.get(graph))
            change(entries)
            graphs[graph] = {str(repo): entry for repo, entry in entries.items()}
            write(self._path, {"format": FORMAT, "graphs": graphs})


def _entries(kept: Any) -> dict[Repo, dict[str, str]]:
    """What is kept of a graph, as far as it can be read."""
    found: dict[Repo, dict[str, str]] = {}
    for name, entry in kept.items() if isinstance(kept, dict) else ():
        kind, _, id = name.partition(" ")
        sha = entry.get("sha") if isinstance(entry, dict) else None
        if kind in _KINDS and id and isinstance(sha, str) and _COMMIT.fullmatch(sha):
            instead = entry.get("instead")
            is_told = isinstance(instead, str) and instead
            found[Repo(kind, id)] = {"sha": sha, **({"instead": instead} if is_told else {})}
    return found
