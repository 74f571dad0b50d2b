"""The part of the fake Hub that keeps files: reading them, and making, filling, copying and setting up repositories."""

from __future__ import annotations

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from daggr.testing.repos import FakeModel, FakeRepo, FakeSpace, git_oid, sha_of
from daggr.testing.web import Asked, Reply, said

REPO = r"/api/(?P<kind>model|space)s/(?P<id>[^/]+/[^/]+)"
RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class FilesOfTheHub(ABC):
    """The routes of files. Who may see a repository is said by the Hub."""

    url: Any
    models: dict[str, FakeModel]
    spaces: dict[str, FakeSpace]

    @abstractmethod
    def repo(self, asked: Asked, kind: str, id: str) -> FakeRepo | Reply:
        """A repository, or why there is none."""

    @abstractmethod
    def gate(self, asked: Asked, repo: FakeRepo) -> Reply | None:
        """Why its files are closed; None if they are not."""

    @abstractmethod
    def namespaces(self, asked: Asked) -> tuple[str, ...]:
        """Where who asks may write."""

    def files(self) -> list[tuple[str, str, Callable[..., Reply]]]:
        """Method, path and answer of each route."""
        return [
            ("GET", rf"{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", self._tree),
            ("POST", rf"{REPO}/paths-info/(?P<revision>[^/]+)", self._paths),
            ("GET", rf"{REPO}/refs", self._refs),
            ("ANY", r"/(?P<space>spaces/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self._resolve),
            ("POST", "/api/validate-yaml", lambda asked: said({"errors": [], "warnings": []})),
            ("POST", "/api/repos/create", self._create),
            ("DELETE", "/api/repos/delete", self._delete),
            ("POST", rf"{REPO}/preupload/(?P<revision>[^/]+)", self._preupload),
            ("POST", rf"{REPO}/commit/(?P<revision>[^/]+)", self._commit),
            ("POST", rf"{REPO}/duplicate", self._duplicate),
            ("ANY", rf"{REPO}/(?P<what>secrets|variables)", self._settings),
        ]

    @staticmethod
    def no_revision(revision: str) -> Reply:
        """What the Hub says of a revision that there is not."""
        message = f"Invalid rev id: {revision}"
        return said({"error": message}, 404, X_Error_Code="RevisionNotFound", X_Error_Message=message)

    # ------------------------------------------------------------ reading

    def _open(self, asked: Asked, kind: str, id: str, revision: str) -> tuple[FakeRepo, str, dict[str, bytes]] | Reply:
        repo = self.repo(asked, kind, id)
        if isinstance(repo, Reply):
            return repo
        if blocked := self.gate(asked, repo):
            return blocked
        at = repo.at(revision)
        return (repo, *at) if at else self.no_revision(revision)

    def _tree(self, asked: Asked, kind: str, id: str, revision: str, folder: str | None) -> Reply:
        opened = self._open(asked, kind, id, revision)
        if isinstance(opened, Reply):
            return opened
        recursive = asked.query.get("recursive", [""])[0].lower() in ("true", "1")
        return said(opened[0].tree(opened[1], folder or "", recursive))

    def _paths(self, asked: Asked, kind: str, id: str, revision: str) -> Reply:
        opened = self._open(asked, kind, id, revision)
        if isinstance(opened, Reply):
            return opened
        wanted = (asked.json() or {}).get("paths", [])
        return said([entry for entry in opened[0].tree(opened[1], "", True) if entry["path"] in wanted])

    def _refs(self, asked: Asked, kind: str, id: str) -> Reply:
        opened = self._open(asked, kind, id, "main")
        if isinstance(opened, Reply):
            return opened
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": opened[1]}
        return said({"branches": [branch], "converts": [], "tags": []})

    def _resolve(self, asked: Asked, space: str | None, id: str, revision: str, path: str) -> Reply:
        opened = self._open(asked, "space" if space else "model", id, revision)
        if isinstance(opened, Reply):
            return opened
        _, sha, files = opened
        commit = {"X-Repo-Commit": sha}
        if path not in files:
            reply = said({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
            return replace(reply, headers={**reply.headers, **commit, "X-Error-Message": "Entry not found"})
        content = files[path]
        head = {**commit, "ETag": f'"{git_oid(content)}"', "Accept-Ranges": "bytes", "Content-Type": "text/plain"}
        if (part := RANGE.fullmatch(asked.headers.get("range", ""))) and asked.method == "GET":
            start, end = int(part[1]), int(part[2] or len(content) - 1)
            head["Content-Range"] = f"bytes {start}-{min(end, len(content) - 1)}/{len(content)}"
            return Reply(206, content[start : end + 1], head)
        return Reply(200, content, head)

    # ------------------------------------------------------------ writing

    def _writable(self, asked: Asked, kind: str, id: str) -> FakeRepo | Reply:
        repo = self.repo(asked, kind, id)
        return repo if isinstance(repo, Reply) else self._forbidden(asked, repo.owner) or repo

    def _forbidden(self, asked: Asked, owner: str) -> Reply | None:
        if not self.namespaces(asked):
            return said({"error": "Invalid username or password."}, 401)
        if owner in self.namespaces(asked):
            return None
        message = f'You don\'t have the rights to create a repo under the namespace "{owner}"'
        return said({"error": message}, 403, X_Error_Message=message)

    def _shelf(self, kind: str) -> dict[str, Any]:
        return self.spaces if kind == "space" else self.models

    def _place(self, kind: str, id: str) -> str:
        return f"{self.url}/{'spaces/' if kind == 'space' else ''}{id}"

    def _create(self, asked: Asked) -> Reply:
        wish = asked.json()
        kind = wish.get("type") or "model"
        owner = wish.get("organization") or next(iter(self.namespaces(asked)), "")
        if refusal := self._forbidden(asked, owner):
            return refusal
        id = f"{owner}/{wish['name']}"
        there = {"name": id, "id": id, "url": self._place(kind, id)}
        if id in self._shelf(kind):
            return said({"error": f"You already created this {kind} repo: {id}", **there}, 409)
        private = bool(wish.get("private")) or wish.get("visibility") == "private"
        if kind == "space":
            self._make_space(id, wish, private)
        else:
            self.models[id] = FakeModel(id, sha_of("model", id), private=private)
        return said(there)

    def _make_space(self, id: str, wish: dict[str, Any], private: bool) -> None:
        space = FakeSpace(id, sha_of("space", id), private=private, stage="NO_APP_FILE")
        space.hardware = wish.get("hardware") or wish.get("flavor") or space.hardware
        space.secrets = {one["key"]: one["value"] for one in wish.get("secrets") or ()}
        space.variables = {one["key"]: one["value"] for one in wish.get("variables") or ()}
        self.spaces[id] = space

    def _delete(self, asked: Asked) -> Reply:
        wish = asked.json()
        kind = wish.get("type") or "model"
        id = f"{wish.get('organization') or next(iter(self.namespaces(asked)), '')}/{wish['name']}"
        repo = self._writable(asked, kind, id)
        if isinstance(repo, Reply):
            return repo
        del self._shelf(kind)[id]
        return said({})

    def _preupload(self, asked: Asked, kind: str, id: str, revision: str) -> Reply:
        repo = self._writable(asked, kind, id)
        if isinstance(repo, Reply):
            return repo
        has = {path: git_oid(content) for path, content in repo.files.items()}
        modes = [
            {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": has.get(one["path"])}
            for one in asked.json()["files"]
        ]
        return said({"files": modes, "commitOid": repo.sha})

    def _commit(self, asked: Asked, kind: str, id: str, revision: str) -> Reply:
        repo = self._writable(asked, kind, id)
        if isinstance(repo, Reply):
            return repo
        files = dict(repo.files)
        for line in asked.body.splitlines():
            step = json.loads(line)
            value = step["value"]
            if step["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif step["key"] == "deletedFile":
                files.pop(value["path"], None)
            elif step["key"] == "deletedFolder":
                files = {path: content for path, content in files.items() if not path.startswith(value["path"])}
        sha = repo.commit(files)
        if isinstance(repo, FakeSpace) and repo.stage == "NO_APP_FILE":
            repo.stage = "BUILDING"
        place = f"{self._place(kind, id)}/commit/{sha}"
        return said({"success": True, "commitOid": sha, "commitUrl": place, "hookOutput": ""})

    def _duplicate(self, asked: Asked, kind: str, id: str) -> Reply:
        repo = self.repo(asked, kind, id)
        if isinstance(repo, Reply):
            return repo
        wish = asked.json()
        target = wish["repository"]
        if refusal := self._forbidden(asked, target.partition("/")[0]):
            return refusal
        place = self._place(kind, target)
        if target in self._shelf(kind):
            return said({"error": f"You already created this {kind} repo: {target}", "url": place}, 409)
        private = bool(wish.get("private")) or wish.get("visibility") == "private"
        copy = replace(repo, id=target, files=dict(repo.files), private=private, gated=False, allowed=set(), _known={})
        if isinstance(copy, FakeSpace):
            copy.url, copy.stage = "", "BUILDING"
            copy.hardware = wish.get("hardware") or copy.hardware
            copy.secrets = {one["key"]: one["value"] for one in wish.get("secrets") or ()}
            copy.variables |= {one["key"]: one["value"] for one in wish.get("variables") or ()}
        self._shelf(kind)[target] = copy
        return said({"url": place})

    def _settings(self, asked: Asked, kind: str, id: str, what: str) -> Reply:
        space = self._writable(asked, kind, id)
        if not isinstance(space, FakeSpace):
            return space if isinstance(space, Reply) else said({"error": "Not found"}, 404)
        kept = space.secrets if what == "secrets" else space.variables
        wish = asked.json() or {}
        if asked.method == "POST":
            kept[wish["key"]] = wish["value"]
        elif asked.method == "DELETE":
            kept.pop(wish["key"], None)
        shown = {key: {"key": key} if what == "secrets" else {"key": key, "value": text} for key, text in kept.items()}
        return said(shown)
