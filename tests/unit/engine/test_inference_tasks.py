"""The table of tasks: names of arguments, and answers as values. No network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import InferenceClient

from daggr import EndpointError
from daggr.engine.hub.tasks import TABLE, Media, check_names, output_name, shaped
from daggr.graph.nodes.inference import TASKS


def test_the_table_has_all_tasks_and_all_methods_of_the_client() -> None:
    assert tuple(TABLE) == TASKS
    methods = {name for name in vars(InferenceClient) if not name.startswith("_")}
    others = {"chat", "get_endpoint_info", "get_model_status", "health_check", "list_deployed_models", "close"}
    assert {task.method for task in TABLE.values()} == methods - others


@pytest.mark.parametrize("task", TABLE.values(), ids=TABLE)
def test_the_main_argument_and_the_files_are_arguments(task: Any) -> None:
    assert task.arguments[task.primary]
    assert set(task.media) <= set(task.arguments)
    assert not {"model", "stream", "self", "kwargs", "details"} & set(task.arguments)


@pytest.mark.parametrize(
    ("task", "given", "named"),
    [
        ("text-to-image", ["prompt", "seed"], {"prompt": "prompt", "seed": "seed"}),
        ("text-to-image", ["whatever"], {"whatever": "prompt"}),
        ("text-to-speech", ["prompt", "temperature"], {"prompt": "text", "temperature": "temperature"}),
        ("summarization", ["input"], {"input": "text"}),
        ("automatic-speech-recognition", ["recording"], {"recording": "audio"}),
        ("conversational", ["text", "max_new_tokens"], {"text": "prompt", "max_new_tokens": "max_tokens"}),
        ("conversational", ["question", "image"], {"question": "prompt", "image": "image"}),
        ("conversational", ["system", "input"], {"system": "system_prompt", "input": "prompt"}),
        ("text-generation", ["prompt", "max_tokens"], {"prompt": "prompt", "max_tokens": "max_new_tokens"}),
        ("image-to-image", ["image", "prompt"], {"image": "image", "prompt": "prompt"}),
        ("image-to-image", ["input", "strength"], {"input": "image", "strength": "strength"}),
        ("question-answering", ["text", "context"], {"text": "question", "context": "context"}),
        ("visual-question-answering", ["question", "image"], {"question": "question", "image": "image"}),
    ],
)
def test_arguments_go_by_the_names_that_people_use(task: str, given: list[str], named: dict[str, str]) -> None:
    assert TABLE[task].named(given) == named
    check_names(TABLE[task], given, "a/b")


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("text-to-image", ["promt", "seed"], r"\{'promt'\} for task 'text-to-image' of 'a/b'. .*'promt' -> 'prompt'\?"),
        ("text-to-image", ["promt", "seed"], r"Valid parameters: \{'prompt', 'negative_prompt', "),
        ("conversational", ["prompt", "temperatur"], r"'temperatur' -> 'temperature'"),
        ("conversational", ["prompt", "stream"], r"Invalid parameter\(s\) \{'stream'\}"),
        ("conversational", ["temperature"], r"Missing required parameter\(s\) \{'prompt'\}"),
        ("text-to-image", ["seed"], r"Missing required parameter\(s\) \{'prompt'\} .* no default values"),
        ("visual-question-answering", ["question"], r"Missing required parameter\(s\) \{'image'\}"),
        ("zero-shot-classification", ["x"], r"Missing required parameter\(s\) \{'candidate_labels'\}"),
        ("text-to-speech", ["prompt", "text"], r"\{'prompt', 'text'\} are one and the same .*: 'text'"),
        ("text-to-image", [], r"Missing required parameter\(s\) \{'prompt'\}"),
    ],
)
def test_names_that_do_not_fit_are_told_with_those_that_do(task: str, given: list[str], message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        check_names(TABLE[task], given, "a/b", "app.py:3")


def test_messages_stand_in_for_a_prompt() -> None:
    check_names(TABLE["conversational"], ["messages", "temperature"], "a/b")


@pytest.mark.parametrize(
    ("argument", "given", "shape"),
    [
        ("candidate_labels", "cat, dog ,, bird", ["cat", "dog", "bird"]),
        ("candidate_labels", ["cat, big", "dog"], ["cat, big", "dog"]),
        ("other_sentences", "One, two.\nThree.\n", ["One, two.", "Three."]),
        ("stop", " END", [" END"]),
        ("prompt", "a, b", "a, b"),
        ("table", {"headers": ["a", "b"], "data": [[1, "x"], [2, "y"]]}, {"a": ["1", "2"], "b": ["x", "y"]}),
        ("table", {"a": [1, 2]}, {"a": ["1", "2"]}),
    ],
)
def test_values_are_shaped_as_the_client_takes_them(argument: str, given: Any, shape: Any) -> None:
    assert shaped(argument, given) == shape


def test_a_table_of_pandas_is_a_dict_of_columns() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"city": ["Rome", "Oslo"], "people": [3, 1]})
    assert shaped("table", table) == {"city": ["Rome", "Oslo"], "people": ["3", "1"]}


def label(name: str, score: float) -> Any:
    return SimpleNamespace(label=name, score=score)


def test_classes_come_with_the_likeliest_first() -> None:
    given = TABLE["text-classification"].result([label("a", 0.1), label("b", 0.7), label("c", 0.2)])
    assert list(given.items()) == [("b", 0.7), ("c", 0.2), ("a", 0.1)]


@pytest.mark.parametrize("task", [name for name in TABLE if name.endswith("question-answering")])
def test_of_several_answers_it_is_the_first(task: str) -> None:
    result = TABLE[task].result
    assert result([SimpleNamespace(answer="yes"), SimpleNamespace(answer="no")]) == "yes"
    assert result(SimpleNamespace(answer="yes")) == "yes"
    assert result([]) == ""


def test_several_sounds_go_to_several_ports() -> None:
    sounds = [SimpleNamespace(blob=b"1"), SimpleNamespace(blob=b"2")]
    assert TABLE["audio-to-audio"].result(sounds) == (Media(b"1", "audio"), Media(b"2", "audio"))
    assert TABLE["audio-to-audio"].result(sounds[:1]) == Media(b"1", "audio")


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("automatic-speech-recognition", "text"),
        ("conversational", "text"),
        ("image-text-to-text", "text"),
        ("text-to-image", "image"),
        ("text-to-audio", "audio"),
        ("text-to-video", "video"),
        ("image-classification", "labels"),
        ("", "output"),
        ("no-task", "output"),
    ],
)
def test_what_comes_out_has_a_name(task: str, name: str) -> None:
    assert output_name(task) == name
