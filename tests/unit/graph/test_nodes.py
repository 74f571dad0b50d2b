"""Nodes and their ports, as scripts see them."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import daggr
from daggr import FnNode, GradioNode, Graph, Node, Port
from daggr.errors import DuplicateNodeError, GraphError, UnknownInputError, UnknownPortError
from daggr.graph.nodes.base import spec_of
from daggr.graph.port import EdgeSource, FixedSource, SampledSource, UiSource
from tests.handmade import Field


def shout(text: str, times: int = 2) -> str:
    return text.upper() * times


def whisper(text: str) -> str:
    return text.lower()


class Echo:
    def __call__(self, text: str) -> str:
        return text


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda: FnNode(shout), "shout"),
        (lambda: FnNode(functools.partial(shout, times=3)), "shout"),
        (lambda: FnNode(Echo()), "Echo"),
        (lambda: FnNode(str.upper), "upper"),
        (lambda: FnNode(shout, "Loud words"), "Loud words"),
        (lambda: GradioNode("owner/Some-Space"), "Some-Space"),
        (lambda: GradioNode("http://127.0.0.1:7861"), "127.0.0.1:7861"),
        (lambda: GradioNode("https://example.com/apps/painter/"), "painter"),
    ],
)
def test_a_node_without_a_name_is_named_after_what_it_calls(made: Callable[[], Node], name: str) -> None:
    assert made().name == name


def test_repeats_of_a_default_name_are_counted_in_the_order_they_were_made() -> None:
    first, second, third = FnNode(shout), FnNode(shout), FnNode(shout)
    assert list(Graph("G", nodes=[third, first, second]).nodes.items()) == [
        ("shout", first),
        ("shout_1", second),
        ("shout_2", third),
    ]


def test_counting_goes_around_names_that_are_taken() -> None:
    graph = Graph("G", nodes=[FnNode(shout, name="shout_1"), FnNode(shout), FnNode(shout)])
    assert sorted(graph.nodes) == ["shout", "shout_1", "shout_2"]


def test_a_reload_gives_the_same_names() -> None:
    def load() -> list[str]:
        return list(Graph("G", nodes=[FnNode(shout), FnNode(shout), FnNode(whisper)]).nodes)

    assert load() == load() == ["shout", "shout_1", "whisper"]


def test_two_nodes_given_one_name_are_refused_with_both_places() -> None:
    one, other = FnNode(shout, name="Voice"), FnNode(whisper, name="Voice")
    with pytest.raises(DuplicateNodeError, match="Voice") as caught:
        Graph("G", nodes=[one, other])
    assert isinstance(caught.value, ValueError)
    assert str(spec_of(one).where) in str(caught.value)
    assert str(spec_of(other).where) in str(caught.value)


def test_two_nodes_renamed_alike_are_refused_when_the_graph_is_read() -> None:
    one, other = FnNode(shout, inputs={"text": "a"}), FnNode(whisper, inputs={"text": "b"})
    graph = Graph("G", nodes=[one, other])
    other.name = "shout"
    with pytest.raises(DuplicateNodeError, match="shout"):
        graph.get_execution_order()


def test_a_renamed_node_keeps_its_edges() -> None:
    one = FnNode(shout, inputs={"text": "a"})
    graph = Graph("G", nodes=[FnNode(whisper, inputs={"text": one.output})])
    one.name = "Loud"
    assert graph.get_connections() == [("Loud", "output", "whisper", "text")]
    assert graph.get_execution_order() == ["Loud", "whisper"]


@pytest.mark.parametrize("name", ["", "  ", 3, None])
def test_a_name_is_a_text(name: Any) -> None:
    made = FnNode(shout)
    with pytest.raises(GraphError, match="name"):
        made.name = name
    assert made.name == "shout"


# ---------------------------------------------------------------- ports


@given(st.text(min_size=1).filter(lambda name: not name.startswith("_") and name not in ("name", "ports", "test")))
def test_every_text_is_a_legal_port_name(name: str) -> None:
    made = FnNode(lambda **inputs: None, name="any", inputs={f"in {name}": 1}, outputs={name: None})
    assert getattr(made, name) == made.ports[name] == Port(made, name)
    assert {name, f"in {name}"} <= set(dir(made))
    taker = FnNode(whisper, inputs={"text": made.ports[name]})
    assert Graph("G", nodes=[taker]).get_connections() == [("any", name, "whisper", "text")]


@pytest.mark.parametrize(
    "name", ["state", "items", "keys", "before__after", "inputs", "outputs", "kind", "where", "fn"]
)
def test_no_attribute_of_daggrs_own_hides_a_port(name: str) -> None:
    made = FnNode(lambda: None, outputs={name: Field()})
    assert getattr(made, name) == Port(made, name)


def test_a_port_whose_name_is_no_python_name_is_reached_through_ports() -> None:
    made = FnNode(lambda: None, outputs={"16bit": None})
    assert made.ports["16bit"] == Port(made, "16bit")


@pytest.mark.parametrize("name", ["name", "ports", "test"])
def test_the_reserved_words_can_be_ports_but_are_reached_through_ports(name: str) -> None:
    made = FnNode(lambda **inputs: None, name="any", inputs={name: "x"}, outputs={name: None})
    assert not isinstance(getattr(made, name), Port)
    assert made.ports[name] == Port(made, name)


def test_dir_tells_the_ports_and_what_is_reserved() -> None:
    made = FnNode(shout, outputs={"loud": None, "louder": None})
    assert set(dir(made)) == {"name", "ports", "test", "loud", "louder", "text", "times"}


def test_ports_are_equal_if_they_are_the_same_place() -> None:
    one, other = FnNode(shout), FnNode(shout)
    assert one.output == one.output
    assert len({one.output, one.output, one.text, other.output}) == 3
    assert one.output != one.text
    assert one.output != other.output


def test_a_port_that_is_not_there_is_an_attribute_error_with_a_suggestion() -> None:
    made = FnNode(shout, outputs={"image": None, "caption": None})
    with pytest.raises(UnknownPortError) as caught:
        _ = made.img
    assert caught.value.message == (
        "Output port 'img' not found on node 'shout'. Available outputs: image, caption. Did you mean 'image'?"
    )
    assert isinstance(caught.value, AttributeError)
    assert isinstance(caught.value, ValueError)
    assert not hasattr(made, "nothing_like_it")


# ---------------------------------------------------------------- inputs


def test_ports_come_from_the_signature_when_nothing_is_given() -> None:
    assert list(FnNode(shout).ports) == ["output", "text", "times"]


def test_a_parameter_left_out_keeps_the_functions_default() -> None:
    made = FnNode(shout, inputs={"text": "a"})
    assert "times" not in spec_of(made).inputs


def test_an_input_may_be_a_component_a_port_a_callable_or_a_value() -> None:
    component, other = Field("hello"), FnNode(shout)
    made = FnNode(
        lambda a, b, c, d, e, f: None,
        inputs={"a": component, "b": other.output, "c": random.random, "d": 3, "e": None, "f": str},
    )
    sources = spec_of(made).inputs
    assert isinstance(sources["a"], UiSource)
    assert sources["a"].component.value == "hello"
    assert sources["b"] == EdgeSource(other.output)
    assert isinstance(sources["c"], SampledSource)
    assert sources["c"].name == "random.random"
    assert [sources[port] for port in "def"] == [FixedSource(3), FixedSource(None), FixedSource(str)]


def test_the_example_in_the_packages_own_words_can_be_drawn() -> None:
    assert daggr.__doc__ is not None
    example = daggr.__doc__.partition("```python\n")[2].partition("```")[0].replace(".launch()", "")
    exec(example.replace("import gradio as gr\n", ""), names := {"gr": SimpleNamespace(Textbox=Field)})
    assert list(names["node"].ports) == ["loud", "text"]


def test_wrong_parameters_are_told_all_at_once_with_suggestions() -> None:
    def generate_dialogue(topic: str, host_voice: str, guest_voice: str) -> None: ...

    with pytest.raises(UnknownInputError) as caught:
        FnNode(generate_dialogue, inputs={"toppic": "a", "guest_voise": "b", "zzz": 1})
    assert caught.value.message == (
        "Invalid input(s) {'toppic', 'guest_voise', 'zzz'} for function 'generate_dialogue'. "
        "Did you mean: 'toppic' -> 'topic', 'guest_voise' -> 'guest_voice'? "
        "Valid parameters: {'topic', 'host_voice', 'guest_voice'}"
    )
    assert isinstance(caught.value, ValueError)


def test_a_function_that_takes_any_keyword_takes_any_port() -> None:
    assert list(FnNode(lambda **inputs: None, inputs={"a b": 1, "c": 2}).ports) == ["output", "a b", "c"]


def test_an_input_without_a_value_is_told_with_what_could_be_given() -> None:
    made = FnNode(shout, name="Loud")
    with pytest.raises(GraphError, match="Node 'Loud' has no value for 'text'") as caught:
        Graph("G", nodes=[made]).get_execution_order()
    assert caught.value.where == spec_of(made).where
    assert "times" not in caught.value.message


# ---------------------------------------------------------------- what constructors promise


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        (
            FnNode,
            "fn name inputs outputs preprocess postprocess concurrent concurrency_group max_concurrent",
        ),
        (GradioNode, "space_or_url api_name name inputs outputs validate run_locally preprocess postprocess"),
        (Graph, "name nodes persist_key"),
    ],
)
def test_arguments_keep_the_positions_that_scripts_rely_on(kind: type, order: str) -> None:
    positional = [name for name, p in inspect.signature(kind).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == order.split()


@pytest.mark.parametrize(
    ("given_name", "endpoint"), [(None, "/predict"), ("generate", "/generate"), ("/generate", "/generate"), (2, 2)]
)
def test_an_endpoint_is_a_name_with_or_without_slash_or_a_number(given_name: Any, endpoint: Any) -> None:
    assert spec_of(GradioNode("owner/space", given_name)).api_name == endpoint


def test_a_group_implies_concurrency() -> None:
    assert spec_of(FnNode(shout, concurrency_group="gpu")).concurrent
    assert not spec_of(FnNode(shout)).concurrent


def raising() -> list[tuple[str, Callable[[], Any]]]:
    made = FnNode(shout, inputs={"text": "a"})
    return [
        ("no function", lambda: FnNode("shout")),
        ("no such parameter", lambda: FnNode(shout, inputs={"txt": 1})),
        ("a limit of none", lambda: FnNode(shout, max_concurrent=0)),
        ("an output that is no component", lambda: FnNode(shout, outputs={"a": 3})),
        ("a node as an input", lambda: FnNode(shout, inputs={"text": made})),
        ("no such port", lambda: made.outptu),
        ("no Space", lambda: GradioNode("space")),
        ("a Space with a blank", lambda: GradioNode("owner/my space")),
        ("no URL", lambda: GradioNode("http://")),
        ("no name of a graph", lambda: Graph("")),
        ("no nodes", lambda: Graph("G", nodes=[shout])),
        ("no persist_key", lambda: Graph("G", persist_key="")),
        ("no port", lambda: Graph("G").edge("a", made.text)),
        ("no output port", lambda: Graph("G").edge(made.text, made.text)),
        ("no input port", lambda: Graph("G").edge(made.output, made.output)),
        ("no port to take from", lambda: Graph("G", nodes=[FnNode(shout, inputs={"text": Port(made, "x")})])),
        ("a circle", lambda: Graph("G").edge(made.output, made.text)),
    ]


@pytest.mark.parametrize(("what", "wrong"), raising(), ids=[what for what, _ in raising()])
def test_every_mistake_in_a_graph_is_a_value_error_that_names_the_line(what: str, wrong: Callable[[], Any]) -> None:
    with pytest.raises(GraphError) as caught:
        wrong()
    assert isinstance(caught.value, ValueError)
    assert (caught.value.where or "").startswith("test_nodes.py:"), f"{what}: {caught.value}"
    assert caught.value.where in str(caught.value)


def test_the_place_of_a_node_is_the_line_that_made_it() -> None:
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    made = FnNode(shout)
    assert spec_of(made).where == f"test_nodes.py:{line}"
