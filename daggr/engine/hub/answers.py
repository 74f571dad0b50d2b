"""What the Hub answers, as far as it matters here: asked for, and read back from what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import huggingface_hub

from daggr.engine.hub.identity import Credential

TIMEOUT = 10.0
"""Seconds in which the Hub must answer."""

MODEL_FIELDS: list[Any] = [
    "sha",
    "pipeline_tag",
    "tags",
    "inferenceProviderMapping",
    "library_name",
    "gated",
    "private",
]


@dataclass(frozen=True)
class SpaceInfo:
    """A Space.

    Attributes:
        id: `owner/name`.
        host: Where its app answers; empty if that is not known before it runs.
        sha: The commit that answers: while a newer one is built, the one before.
        stage: `RUNNING`, `SLEEPING`, `PAUSED`, `BUILDING`, `RUNTIME_ERROR`, …
        error: What the Hub says of a Space that failed.
        private: Whether it is not for everybody.
    """

    id: str
    host: str
    sha: str
    stage: str
    error: str = ""
    private: bool = False


@dataclass(frozen=True)
class Served:
    """A provider that serves a model, for a task; `status` is `live` or `staging`."""

    provider: str
    task: str
    status: str


@dataclass(frozen=True)
class ModelInfo:
    """A model.

    Attributes:
        id: `owner/name`, or a name alone.
        sha: Its commit.
        task: Its pipeline tag.
        tags: All its tags.
        served: Who serves it.
        library: What it is made for, such as `transformers`.
        gated: Whether access is asked for on its page.
        private: Whether it is not for everybody.
    """

    id: str
    sha: str
    task: str
    tags: tuple[str, ...]
    served: tuple[Served, ...]
    library: str = ""
    gated: bool = False
    private: bool = False


Info = TypeVar("Info", SpaceInfo, ModelInfo)


def ask_space(id: str, credential: Credential) -> SpaceInfo:
    """Ask the Hub for a Space. It blocks, and raises whatever the library does."""
    space = api(credential).space_info(id, timeout=TIMEOUT)
    raw: Mapping[str, Any] = (space.runtime.raw if space.runtime is not None else None) or {}
    stage = str(raw.get("stage") or "")
    host = space.host or (f"https://{space.subdomain}.hf.space" if space.subdomain else "")
    sha = str((raw.get("sha") if stage.startswith("RUNNING") else "") or space.sha or "")
    return SpaceInfo(
        str(space.id or id),
        str(host).rstrip("/"),
        sha,
        stage,
        credential.scrub(str(raw.get("errorMessage") or "")),
        bool(space.private),
    )


def ask_model(id: str, credential: Credential) -> ModelInfo:
    """Ask the Hub for a model. It blocks, and raises whatever the library does."""
    model = api(credential).model_info(id, timeout=TIMEOUT, expand=MODEL_FIELDS)
    served = tuple(
        Served(str(entry.provider), str(entry.task), str(entry.status))
        for entry in model.inference_provider_mapping or ()
    )
    return ModelInfo(
        str(model.id or id),
        str(model.sha or ""),
        str(model.pipeline_tag or ""),
        tuple(str(tag) for tag in model.tags or ()),
        served,
        str(model.library_name or ""),
        bool(model.gated),
        bool(model.private),
    )


def api(credential: Credential) -> huggingface_hub.HfApi:
    """The Hub, asked with this credential: never with what else is known on this machine."""
    return huggingface_hub.HfApi(token=credential.token or False)


def revived(kind: type[Info], document: Mapping[str, Any]) -> Info | None:
    """An answer as it was kept; None if it is not one."""
    given = {field.name: document[field.name] for field in fields(kind) if field.name in document}
    try:
        if kind is ModelInfo:
            given["tags"] = tuple(given["tags"])
            given["served"] = tuple(Served(**served) for served in given["served"])
        return kind(**given)
    except (TypeError, KeyError):
        return None
