"""The models and Spaces of the fake Hub: what a test says of them, and what the Hub says of them in JSON."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

WHEN = "2026-01-02T03:04:05.000Z"


def sha_of(*parts: object) -> str:
    """Forty hexadecimal digits, as a commit has."""
    return hashlib.sha1(repr(parts).encode(), usedforsecurity=False).hexdigest()


def git_oid(content: bytes) -> str:
    """What git calls a file of these bytes."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


@dataclass
class FakeRepo:
    """What models and Spaces have in common. All of it may be changed while the Hub runs.

    Attributes:
        id: "owner/name".
        sha: The commit that `main` is at. Earlier ones stay known.
        files: What lies at that commit.
        private: Whether only its owner and the users of `allowed` see it.
        gated: Whether its files and answers are for the users of `allowed` only. All see that it exists.
        allowed: Names of users.
    """

    id: str
    sha: str
    files: dict[str, bytes] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    allowed: set[str] = field(default_factory=set)
    _known: dict[str, dict[str, bytes]] = field(default_factory=dict, repr=False)

    kind = "model"

    @property
    def owner(self) -> str:
        """The first part of its id."""
        return self.id.partition("/")[0]

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """A commit and its files; None if there is no such revision."""
        self._known.setdefault(self.sha, {}).update(self.files)
        if revision in ("main", self.sha):
            return self.sha, self.files
        return (revision, self._known[revision]) if revision in self._known else None

    def commit(self, files: dict[str, bytes]) -> str:
        """Other files from now on; the new commit."""
        self.at("main")
        self.files = files
        self.sha = sha_of(self.sha, sorted((path, git_oid(content)) for path, content in files.items()))
        return self.sha

    def opens_to(self, user: str) -> bool:
        """Whether a user may read what is private or gated here."""
        return bool(user) and (user == self.owner or user in self.allowed)

    def described(self, sha: str) -> dict[str, Any]:
        """What the Hub says of it."""
        files = (self.at(sha) or ("", self.files))[1]
        return {
            "_id": sha_of(self.id)[:24],
            "id": self.id,
            "author": self.owner,
            "sha": sha,
            "lastModified": WHEN,
            "createdAt": WHEN,
            "private": self.private,
            "gated": "auto" if self.gated else False,
            "disabled": False,
            "likes": 0,
            "siblings": [{"rfilename": path} for path in sorted(files)],
        }

    def tree(self, sha: str, folder: str, recursive: bool) -> list[dict[str, Any]]:
        """The files and folders of a commit, as the Hub lists them."""
        found: dict[str, dict[str, Any]] = {}
        prefix = f"{folder}/" if folder else ""
        for path, content in sorted((self.at(sha) or ("", {}))[1].items()):
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts)) if recursive else (1,) if len(parts) > 1 else ():
                name = prefix + "/".join(parts[:depth])
                found.setdefault(name, {"type": "directory", "oid": sha_of(name), "size": 0, "path": name})
            if recursive or len(parts) == 1:
                found[path] = {"type": "file", "oid": git_oid(content), "size": len(content), "path": path}
        return list(found.values())


@dataclass
class FakeModel(FakeRepo):
    """A model.

    Attributes:
        task: Its pipeline tag.
        tags: Its tags; "conversational" makes it a chat model, as on the Hub.
        providers: Who serves it → the task it is served for; None: the model's own.
        library: What it is made with.
    """

    task: str = "text-generation"
    tags: tuple[str, ...] = ()
    providers: dict[str, str | None] = field(default_factory=lambda: {"hf-inference": None})
    library: str = "transformers"

    kind = "model"

    def served_as(self, provider: str) -> str:
        """The task that a provider serves it for; an empty text if it does not."""
        if provider not in self.providers:
            return ""
        chat = self.task == "image-text-to-text" or (self.task == "text-generation" and "conversational" in self.tags)
        return self.providers[provider] or ("conversational" if chat else self.task)

    def described(self, sha: str) -> dict[str, Any]:
        """What the Hub says of it, who serves it included."""
        live = {"status": "live", "providerId": self.id, "isModelAuthor": False}
        mapping = {provider: {**live, "task": self.served_as(provider)} for provider in self.providers}
        return super().described(sha) | {
            "modelId": self.id,
            "pipeline_tag": self.task,
            "library_name": self.library,
            "tags": [self.library, self.task, *self.tags],
            "downloads": 0,
            "inference": "warm" if self.providers else None,
            "inferenceProviderMapping": mapping,
        }


@dataclass
class FakeSpace(FakeRepo):
    """A Space.

    Attributes:
        url: Where its app answers.
        stage: "RUNNING", "SLEEPING", "PAUSED", "BUILDING", "RUNTIME_ERROR" and so on.
        error: What went wrong, of the stages that tell it.
        hardware: What it runs on.
        secrets, variables: What was set.
    """

    url: str = ""
    stage: str = "RUNNING"
    error: str = ""
    hardware: str = "cpu-basic"
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    kind = "space"

    @property
    def subdomain(self) -> str:
        """The first part of its host on the real Hub."""
        return self.id.lower().replace("/", "-").replace("_", "-").replace(".", "-")

    @property
    def host(self) -> str:
        """Where its app answers."""
        return self.url or f"https://{self.subdomain}.hf.space"

    def runtime(self) -> dict[str, Any]:
        """How it runs."""
        error = {"errorMessage": self.error} if self.error else {}
        return error | {
            "stage": self.stage,
            "hardware": {"current": self.hardware if self.stage == "RUNNING" else None, "requested": self.hardware},
            "storage": None,
            "gcTimeout": 172800,
            "replicas": {"current": int(self.stage == "RUNNING"), "requested": 1},
            "devMode": False,
            "domains": [{"domain": urlsplit(self.host).netloc, "stage": "READY"}],
            "sha": self.sha,
        }

    def described(self, sha: str) -> dict[str, Any]:
        """What the Hub says of it, how it runs included."""
        return super().described(sha) | {
            "sdk": "gradio",
            "tags": ["gradio", "region:us"],
            "host": self.host,
            "subdomain": self.subdomain,
            "runtime": self.runtime(),
            "models": [],
            "datasets": [],
            "cardData": {"title": self.id.partition("/")[2], "sdk": "gradio"},
        }
