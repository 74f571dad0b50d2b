"""InferenceNode: a model of the Hugging Face Hub, as inference providers serve it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from daggr.errors import GraphError, did_you_mean
from daggr.graph.nodes.base import (
    Kind,
    Node,
    read_cache,
    read_hook,
    read_outputs,
    read_ports,
    read_seconds,
    read_source,
    warn_file_types,
)
from daggr.graph.nodes.remote import RemoteSpec, Repo, read_remote
from daggr.graph.place import caller
from daggr.graph.port import Port, UnboundSource

TASKS = (
    "audio-classification",
    "audio-to-audio",
    "automatic-speech-recognition",
    "conversational",
    "document-question-answering",
    "feature-extraction",
    "fill-mask",
    "image-classification",
    "image-segmentation",
    "image-to-image",
    "image-to-text",
    "image-to-video",
    "object-detection",
    "question-answering",
    "sentence-similarity",
    "summarization",
    "table-question-answering",
    "tabular-classification",
    "tabular-regression",
    "text-classification",
    "text-generation",
    "text-to-image",
    "text-to-speech",
    "text-to-video",
    "token-classification",
    "translation",
    "visual-question-answering",
    "zero-shot-classification",
    "zero-shot-image-classification",
)
"""What models can be asked to do."""

OTHER_NAMES = {
    "chat": "conversational",
    "chat-completion": "conversational",
    "image-text-to-text": "conversational",
    "text2text-generation": "text-generation",
    "text-to-audio": "text-to-speech",
}
"""Names of the Hub's, and of people's, for some of them."""

POLICIES = ("cheapest", "fastest", "preferred")
"""What may stand in the place of a provider: the Hub's router chooses by it."""

SOLE_OUTPUT = "output"
NICKNAMES = ("text", "image", "audio", "video")
"""Names under which the output port of a node that was given none is reached as well."""


def task_named(name: str) -> str:
    """The task that a name stands for; empty if there is none."""
    plain = name.strip().lower().replace("_", "-")
    plain = OTHER_NAMES.get(plain, plain)
    return plain if plain in TASKS else ""


@dataclass
class InferenceSpec(RemoteSpec):
    """A model, who serves it, and what it is asked to do.

    Attributes:
        model: Its id on the Hub.
        provider: Who serves it, or one of `POLICIES`; empty for whom the Hub chooses.
        task: What it is asked to do; empty for what the Hub says that it does.
        bare: Whether the script named no outputs.
    """

    kind: ClassVar[Kind] = "inference"

    model: str = ""
    provider: str = ""
    task: str = ""
    bare: bool = False

    @property
    def repo(self) -> Repo | None:
        """The model."""
        return Repo("model", self.model)

    @property
    def subtitle(self) -> str:
        """The model, and who serves it if the script says so."""
        return f"{self.model} · {self.provider}" if self.provider else self.model

    @property
    def link(self) -> str | None:
        """The model's page."""
        return f"https://huggingface.co/{self.model}"


class InferenceNode(Node):
    """Calls a model through Hugging Face Inference Providers.

    Args:
        model: A model's id such as `owner/name`. `owner/name:provider` says who serves it; `:fastest`, `:cheapest` and
            `:preferred` let the Hub choose among those that serve a conversational model.
        name: Shown on the card; the last part of the model's id by default.
        inputs: For each argument of the task (`prompt`, `image`, `audio`, `question`, `candidate_labels`, `seed`, …) a
            component, a port, a fixed value, or a callable (sampled). A sole input is the task's main argument,
            whatever its name. One port `input` by default.
        outputs: Port name to component or None. One hidden port `output` by default, also reached as `node.text`,
            `node.image`, `node.audio` or `node.video`.
        validate: Check the model, its task and the arguments when the workflow is launched.
        preprocess: Called with the dict of inputs; returns the dict of arguments.
        postprocess: Called with what the model gave; returns what the ports get.
        task: What the model is asked to do, such as `text-to-image`; by default what the Hub says that it does.
        cache: False to call anew whenever its result is needed; a timedelta to call anew when the result is older.
        revision: The commit that the model must be at, as its page shows under Files, History.
        timeout: After how many seconds a call fails; never by default.
        connect_timeout: After how many seconds without a connection it fails.
        idle_timeout: After how many seconds without a word from the provider it fails.
        retries: How often it is tried again when the provider could not be reached or was too busy.

    Raises:
        GraphError: there can be no such model or task.
    """

    def __init__(  # noqa: PLR0913  (the order that scripts rely on)
        self,
        model: str,
        name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        validate: bool = True,
        preprocess: Callable[[dict[str, Any]], Any] | None = None,
        postprocess: Callable[..., Any] | None = None,
        *,
        task: str | None = None,
        cache: bool | timedelta = True,
        revision: str | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        idle_timeout: float | None = None,
        retries: int = 2,
    ) -> None:
        where = caller()
        model_id, provider = _read_model(model, where)
        sources = {port: read_source(value) for port, value in read_ports("inputs", inputs, where).items()}
        self._spec = InferenceSpec(
            name=name or model_id.rpartition("/")[2],
            inputs=sources or {"input": UnboundSource(optional=False)},
            outputs=read_outputs(outputs, where),
            preprocess=read_hook("preprocess", preprocess, where),
            postprocess=read_hook("postprocess", postprocess, where),
            where=where,
            default_name=name is None,
            model=model_id,
            provider=provider,
            task=_read_task(task, where),
            bare=not outputs,
            validate=validate,
            cache=read_cache(cache, where),
            timeout=read_seconds("timeout", timeout, where),
            **read_remote(where, revision, connect_timeout, idle_timeout, retries),
        )
        warn_file_types(self._spec)

    def __getattr__(self, name: str) -> Port:
        """A port. The output of a node that was given none goes by several names."""
        if name in NICKNAMES:
            spec = self._spec
            if isinstance(spec, InferenceSpec) and spec.bare and name not in spec.inputs:
                return Port(self, SOLE_OUTPUT)
        return super().__getattr__(name)


_PAGE = re.compile(r"^https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([^/?#]+/[^/?#]+).*$")
"""The address of a model's page stands for the model."""

_MODEL = re.compile(r"(?P<id>\w[\w.-]*(?:/\w[\w.-]*)?)(?::(?P<provider>[\w.-]+))?", re.ASCII)


def _read_model(given: Any, where: str | None) -> tuple[str, str]:
    """The model's id, and the provider that was named with it.

    Raises:
        GraphError: no model can have this name.
    """
    text = _PAGE.sub(r"\1", given.strip()) if isinstance(given, str) else ""
    found = _MODEL.fullmatch(text)
    if found is None:
        is_url = text.startswith(("http://", "https://"))
        raise GraphError(
            "InferenceNode needs a model's id such as 'owner/name', with or without a provider as in "
            f"'owner/name:provider'; given: {given!r}.",
            "For an app at an address, use GradioNode." if is_url else "",
            where,
        )
    return found["id"], (found["provider"] or "").lower()


def _read_task(given: Any, where: str | None) -> str:
    """The task that a script asks for.

    Raises:
        GraphError: there is none of this name.
    """
    if given is None:
        return ""
    task = task_named(given) if isinstance(given, str) else ""
    if not task:
        raise GraphError(
            f"There is no task {given!r}. {did_you_mean(str(given), (*TASKS, *OTHER_NAMES))}".rstrip(),
            f"The tasks: {', '.join(TASKS)}.",
            where,
        )
    return task
