"""What models can be asked to do: the arguments of each task, and what its answer is as a value of a port. All is pure.

The answers that are not obvious, and why they are what they are:

- Classes with their scores are one dict `{label: score}`, the most likely first. That is what daggr 0.8 gave to ports
  and hooks, what `gr.Label` takes from any function, and what `result["cat"]` reads.
- A question has an answer: the text of the best one. What else a provider tells (its score, where it stands) is left
  out, for questions about a text as for those about a picture, a document or a table.
- Objects, entities, candidates for a mask and segments are lists of plain dicts, without what is empty. The mask of a
  segment is a PNG file.
- Sounds that one sound was taken apart into are a tuple: they go to the output ports in order.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import huggingface_hub

from daggr.errors import EndpointError
from daggr.graph.nodes.inference import SOLE_OUTPUT, task_named
from daggr.graph.validate import name_set, unknown_names

OURS = frozenset({"self", "model", "stream", "stream_options", "details", "decoder_input_details", "kwargs"})
"""Arguments of huggingface_hub's methods that are not the node's to give: the answer would be another one."""

UNUSED = frozenset({"n", "logprobs", "top_logprobs", "tools", "tool_choice", "tool_prompt"})
"""Arguments of a conversation whose answer would not be a text."""

EXTRA = "extra_body"
"""What goes to the provider beside the arguments that all providers have: a dict."""

TALK = ("prompt", "system_prompt", "image", "messages")
"""What a conversation is made of; `messages` is what it becomes."""

TEXTS = ("prompt", "text", "input", "inputs", "question")
"""Names that stand for the main argument where that is a text and has another name."""

FILES = ("input", "inputs")
"""Names that stand for any other main argument."""


@dataclass(frozen=True)
class Media:
    """A file that an answer holds: its bytes, or a picture of Pillow's."""

    content: Any
    kind: str


# ---------------------------------------------------------------- answers


def plain(value: Any) -> Any:
    """A part of an answer as plain JSON; what is empty is left out of dicts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items() if part is not None}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def _field(*names: str) -> Callable[[Any], Any]:
    def taken(answer: Any) -> Any:
        """The text of an answer, or of the best of several."""
        if answer == []:
            return ""
        best = answer[0] if isinstance(answer, list) else answer
        return next((text for name in names if (text := getattr(best, name, None)) is not None), plain(best))

    return taken


def _scores(answer: Any) -> dict[str, float]:
    pairs = [(str(element.label), float(element.score)) for element in answer]
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _sounds(answer: Any) -> Any:
    sounds = tuple(Media(element.blob, "audio") for element in answer)
    return sounds[0] if len(sounds) == 1 else sounds


def _segments(answer: Any) -> list[dict[str, Any]]:
    return [plain(element) | {"mask": Media(element.mask, "image")} for element in answer]


def _numbers(answer: Any) -> Any:
    return answer.tolist() if hasattr(answer, "tolist") else plain(answer)


def _media(kind: str) -> Callable[[Any], Any]:
    return lambda answer: Media(answer, kind)


# ---------------------------------------------------------------- the table


@dataclass(frozen=True)
class Task:
    """Something that models can be asked to do.

    Attributes:
        name: As the Hub calls it.
        primary: The main argument.
        output: What comes out, in a word.
        result: The answer of huggingface_hub's method as a value of a port, with `Media` where files will be.
        media: The arguments that are files, and what is in them.
        called: The method of huggingface_hub's client, where it is not called as the task is.
        more: Arguments that the method passes on without naming them.
    """

    name: str
    primary: str
    output: str
    result: Callable[[Any], Any]
    media: Mapping[str, str] = field(default_factory=dict)
    called: str = ""
    more: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """The method of huggingface_hub's client."""
        return self.called or self.name.replace("-", "_")

    @property
    def is_talk(self) -> bool:
        """Whether it is a conversation, which streams."""
        return self.name == "conversational"

    @cached_property
    def arguments(self) -> Mapping[str, bool]:
        """The arguments by name, and whether each is required: those that the method has, as it is installed."""
        parameters = inspect.signature(getattr(huggingface_hub.AsyncInferenceClient, self.method)).parameters
        found = {
            name: parameter.default is parameter.empty
            for name, parameter in parameters.items()
            if name not in OURS and not (self.is_talk and name in UNUSED)
        }
        found |= dict.fromkeys(self.more, False)
        return {name: name == self.primary for name in TALK} | found | {"messages": False} if self.is_talk else found

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Other names that people use for arguments."""
        names = TEXTS if self.primary not in self.media and self.primary != "table" else FILES
        found = dict.fromkeys(names, self.primary)
        if self.is_talk:
            found |= {"system": "system_prompt", "max_new_tokens": "max_tokens"}
        if "max_new_tokens" in self.arguments:
            found["max_tokens"] = "max_new_tokens"
        return {name: meant for name, meant in found.items() if name not in self.arguments}

    def named(self, given: Collection[str]) -> dict[str, str]:
        """The argument that each name stands for; names that stand for none are left out.

        A sole input is the main argument, whatever its name.
        """
        known = {name: name if name in self.arguments else self.aliases[name] for name in given if self._knows(name)}
        if not known and len(given) == 1:
            return dict.fromkeys(given, self.primary)
        return known

    def _knows(self, name: str) -> bool:
        return name in self.arguments or name in self.aliases


def _tasks() -> Iterable[Task]:
    image, audio = {"image": "image"}, {"audio": "audio"}
    text, picture, film, answer = _field, _media("image"), _media("video"), _field("answer")
    yield Task("audio-classification", "audio", "labels", _scores, audio)
    yield Task("audio-to-audio", "audio", "audio", _sounds, audio)
    yield Task("automatic-speech-recognition", "audio", "text", text("text"), audio)
    yield Task("conversational", "prompt", "text", plain, image, "chat_completion")
    yield Task("document-question-answering", "image", "answer", answer, image)
    yield Task("feature-extraction", "text", "embedding", _numbers)
    yield Task("fill-mask", "text", "candidates", plain)
    yield Task("image-classification", "image", "labels", _scores, image)
    yield Task("image-segmentation", "image", "segments", _segments, image)
    yield Task("image-to-image", "image", "image", picture, image, more=("seed", "strength", EXTRA))
    yield Task("image-to-text", "image", "text", text("generated_text", "image_to_text_output_generated_text"), image)
    yield Task("image-to-video", "image", "video", film, image, more=(EXTRA,))
    yield Task("object-detection", "image", "objects", plain, image)
    yield Task("question-answering", "question", "answer", answer)
    yield Task("sentence-similarity", "sentence", "scores", _numbers)
    yield Task("summarization", "text", "text", text("summary_text"))
    yield Task("table-question-answering", "query", "answer", answer)
    yield Task("tabular-classification", "table", "labels", plain)
    yield Task("tabular-regression", "table", "values", _numbers)
    yield Task("text-classification", "text", "labels", _scores)
    yield Task("text-generation", "prompt", "text", text("generated_text"))
    yield Task("text-to-image", "prompt", "image", picture)
    yield Task("text-to-speech", "text", "audio", _media("audio"))
    yield Task("text-to-video", "prompt", "video", film)
    yield Task("token-classification", "text", "entities", plain)
    yield Task("translation", "text", "text", text("translation_text"))
    yield Task("visual-question-answering", "image", "answer", answer, image)
    yield Task("zero-shot-classification", "text", "labels", _scores)
    yield Task("zero-shot-image-classification", "image", "labels", _scores, image)


TABLE: Mapping[str, Task] = {task.name: task for task in _tasks()}
"""All tasks, by name."""


def output_name(task: str) -> str:
    """What comes out of a task, in a word, such as `text`; `output` for what is no task."""
    found = TABLE.get(task_named(task))
    return found.output if found is not None else SOLE_OUTPUT


# ---------------------------------------------------------------- arguments


def check_names(task: Task, given: Collection[str], model: str, where: str | None = None) -> None:
    """Check the names of arguments.

    Raises:
        EndpointError: the task takes something else, needs more, or is given something under two names.
    """
    what = f"for task {task.name!r} of {model!r}"
    named = task.named(given)
    wrong, hint = unknown_names([name for name in given if name not in named], task.arguments)
    if wrong:
        raise EndpointError(
            f"Invalid parameter(s) {name_set(wrong)} {what}. "
            + (f"{hint} " if hint else "")
            + f"Valid parameters: {name_set(task.arguments)}",
            where=where,
        )
    meant = list(named.values())
    if twice := [name for name in given if meant.count(named[name]) > 1]:
        raise EndpointError(
            f"The parameters {name_set(twice)} are one and the same {what}: {named[twice[0]]!r}.",
            f"Give {named[twice[0]]!r} only.",
            where,
        )
    missing = [name for name, required in task.arguments.items() if required and name not in meant]
    if missing and not (task.is_talk and "messages" in meant):
        raise EndpointError(
            f"Missing required parameter(s) {name_set(missing)} {what}. These parameters have no default values.",
            where=where,
        )


_PARTED = {"candidate_labels": ",", "targets": ",", "other_sentences": "\n"}
"""Arguments that are lists, and what parts them in a text."""


def shaped(argument: str, value: Any) -> Any:
    """A value as huggingface_hub takes it: a text for a list is parted, a table is a dict of columns of texts."""
    if argument in _PARTED and isinstance(value, str):
        return [part.strip() for part in value.split(_PARTED[argument]) if part.strip()]
    if argument == "stop" and isinstance(value, str):
        return [value]
    if argument == "table":
        return _columns(value)
    return value


def _columns(value: Any) -> Any:
    """A table of pandas', or of Gradio's, by its columns."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        value = value.to_dict(orient="list")
    elif isinstance(value, Mapping) and {"headers", "data"} <= set(value):
        rows = [list(row) for row in value["data"]]
        value = {name: [row[at] for row in rows] for at, name in enumerate(value["headers"])}
    if not isinstance(value, Mapping):
        return value
    return {str(name): [str(cell) for cell in cells] for name, cells in value.items()}
