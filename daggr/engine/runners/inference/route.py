"""Which way a call goes: the task a model is asked for, and who serves it. Told from what the Hub says; asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from daggr.engine.hub.answers import ModelInfo, Served
from daggr.engine.hub.tasks import TABLE, Task
from daggr.errors import EndpointError, did_you_mean
from daggr.graph.nodes.inference import POLICIES, InferenceSpec, task_named

TALKS = frozenset({"conversational", "image-text-to-text"})
OWN = "hf-inference"
"""The provider that is Hugging Face itself. What it is asked for goes by the model's page, not by its own entry."""

_SIMILAR = frozenset({"feature-extraction", "sentence-similarity"})

LIST = "https://huggingface.co/models?inference_provider=all"


@dataclass(frozen=True)
class Route:
    """Where a call goes.

    Attributes:
        task: What is asked for.
        model: The model, with the policy by which the router chooses, if there is one.
        provider: Who is asked; `auto` for the Hub's router.
        info: What the Hub says of the model.
    """

    task: Task
    model: str
    provider: str
    info: ModelInfo

    @property
    def who(self) -> str:
        """Who is asked, in words."""
        return "the Hub's router" if self.provider == "auto" else self.provider


def route(spec: InferenceSpec, info: ModelInfo, can_ask: Callable[[Task, str], bool]) -> Route:
    """The way that a node's calls go.

    Args:
        spec: The node.
        info: What the Hub says of its model.
        can_ask: Whether a provider can be asked for a task.

    Raises:
        EndpointError: nobody serves the model, or not so.
    """
    policy = spec.provider if spec.provider in POLICIES else ""
    provider = "" if policy else spec.provider
    chosen = [one for one in info.served if provider in ("", one.provider)]
    if not chosen:
        raise _unserved(spec, info, provider)
    task = _task(spec, info, chosen)
    fit = _fit(task, chosen, info)
    if not fit:
        raise EndpointError(
            f"Model {spec.model!r} is not served for task {task.name!r}"
            + (f" by {provider!r}." if provider else ".")
            + f" It is served by: {_list(info.served)}.",
            "Leave task= out, or name another provider: InferenceNode('owner/name:provider').",
            spec.where,
        )
    if task.is_talk and not provider:
        return Route(task, f"{info.id}:{policy}" if policy else info.id, "auto", info)
    if policy not in ("", "preferred"):
        raise EndpointError(
            f"{spec.model}:{policy} cannot be: only conversational models are served by price or speed, and this one "
            f"is asked for {task.name!r}.",
            f"Name a provider instead: {_list(info.served)}.",
            spec.where,
        )
    known = [one for one in fit if can_ask(task, one.provider)]
    if not known:
        raise EndpointError(
            f"Model {spec.model!r} is served for task {task.name!r} by {_list(fit)}, which the huggingface_hub that is "
            "installed cannot ask.",
            "Update it: pip install -U huggingface_hub",
            spec.where,
        )
    return Route(task, info.id, known[0].provider, info)  # its name now, should it have had another


def _task(spec: InferenceSpec, info: ModelInfo, chosen: list[Served]) -> Task:
    if spec.task:
        return TABLE[spec.task]
    if _talks(info, chosen):
        return TABLE["conversational"]
    name = task_named(info.task) or next((known for one in chosen if (known := task_named(one.task))), "")
    if not name:
        says = f"task {info.task!r}, which providers do not know" if info.task else "no task"
        raise EndpointError(
            f"The Hub has {says}, for model {spec.model!r}.",
            f"Say what it is asked for, as in task='text-to-image'. The tasks: {', '.join(TABLE)}.",
            spec.where,
        )
    return TABLE[name]


def _talks(info: ModelInfo, chosen: list[Served]) -> bool:
    """Whether the model is one to talk with: by what it is served for, else by what its page says."""
    if any(one.task in TALKS for one in chosen):
        return True
    says_so = "conversational" in info.tags or info.task in TALKS
    return says_so and any(one.provider == OWN for one in chosen)  # others refuse it unless they say so themselves


def _fit(task: Task, chosen: list[Served], info: ModelInfo) -> list[Served]:
    """Those who serve the task, the healthy ones first."""
    own = _is_own(task, info)
    fit = [one for one in chosen if (own if one.provider == OWN else task_named(one.task) == task.name)]
    return sorted(fit, key=lambda one: one.status == "error")


def _is_own(task: Task, info: ModelInfo) -> bool:
    """Whether `OWN` takes the model for this task."""
    if task.name == "conversational":
        return info.task in ("text-generation", "image-text-to-text")
    if task.name == "text-generation":
        return info.task in ("text-generation", "text2text-generation")
    return info.task == task.name or (task.name in _SIMILAR and info.task in _SIMILAR and task.name in info.tags)


def _unserved(spec: InferenceSpec, info: ModelInfo, provider: str) -> EndpointError:
    if not info.served:
        return EndpointError(
            f"Model {spec.model!r} is not served by any inference provider"
            + (f" (task: {info.task})." if info.task else "."),
            f"Choose one that is: {LIST}" + (f"&pipeline_tag={info.task}" if info.task else ""),
            spec.where,
        )
    names = [one.provider for one in info.served]
    return EndpointError(
        f"Model {spec.model!r} is not served by {provider!r}. It is served by: {_list(info.served)}. "
        f"{did_you_mean(provider, [*names, *POLICIES])}".rstrip(),
        "Without a provider the Hub chooses one.",
        spec.where,
    )


def _list(served: Iterable[Served]) -> str:
    return ", ".join(f"{one.provider} ({one.task})" for one in served)
