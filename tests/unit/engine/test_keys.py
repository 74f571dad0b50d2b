"""Keys: two steps have one key exactly if they are the same work."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daggr import FnNode
from daggr.digest import Digest
from daggr.engine.bindings import bind
from daggr.engine.keys import Identity, identity_of, same_action, same_lookup
from daggr.engine.plan import Given, Plan
from daggr.engine.program import Program
from daggr.graph.graph import Graph
from daggr.store.records import Binding, Run
from tests.handmade import Field, Memory, node, program_of, run, value

DIGESTS = st.sampled_from([value(number) for number in range(3)])
PORTS = st.dictionaries(st.sampled_from(["a", "b", "ab", ""]), DIGESTS, max_size=3)


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    values = draw(PORTS)
    sampled = draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
    return Identity(Digest(draw(DIGESTS)), values, {port: draw(DIGESTS) for port in sorted(sampled)})


def lookup_of(identity: Identity) -> Any:
    fixed = {port: digest for port, digest in identity.values.items() if port not in identity.providers}
    return identity.fingerprint, fixed, identity.providers


@given(identities(), identities())
def test_keys_are_equal_exactly_if_what_they_stand_for_is(one: Identity, other: Identity) -> None:
    assert (one.action == other.action) == ((one.fingerprint, one.values) == (other.fingerprint, other.values))
    assert (one.lookup == other.lookup) == (lookup_of(one) == lookup_of(other))
    assert one.action != other.lookup


@given(identities())
def test_the_order_in_which_ports_were_bound_does_not_matter(one: Identity) -> None:
    turned = Identity(one.fingerprint, dict(reversed(one.values.items())), dict(reversed(one.providers.items())))
    assert (turned.action, turned.lookup) == (one.action, one.lookup)


def sampling() -> Program:
    return program_of(Graph("G", nodes=[node("a", seed=random.random, text=Field("hi"), fixed=7)]))


def made(program: Program, seed: bytes, text: bytes) -> Run:
    provider = program.definitions["a"].sampled["seed"]
    bindings = [
        Binding("seed", seed, "sampled", provider=provider),
        Binding("text", text, "ui"),
        Binding("fixed", value(7), "fixed"),
    ]
    return run(program, "a", bindings, {"output": value(seed + text)})


def test_a_run_is_the_same_action_only_with_the_same_sample_and_the_same_look_up_with_any() -> None:
    program = sampling()
    first, resampled = made(program, value(1), value("hi")), made(program, value(2), value("hi"))
    retyped = made(program, value(1), value("ho"))
    identity = identity_of(first.fingerprint, first.inputs)  # type: ignore[arg-type]
    assert [same_action(one, identity) for one in (first, resampled, retyped)] == [True, False, False]
    assert [same_lookup(one, identity) for one in (first, resampled, retyped)] == [True, True, False]
    assert first.lookup == resampled.lookup != retyped.lookup
    assert len({first.key, resampled.key, retyped.key}) == 3


def test_nodes_of_equal_definition_and_inputs_share_their_work_whatever_their_names() -> None:
    def work(x: str) -> str:
        return x

    graph = Graph("G", nodes=[FnNode(work, name=name, inputs={"x": Field("hi")}) for name in ("one", "other")])
    program = program_of(graph)
    keys = {
        identity_of(made.fingerprint.digest, bind(program, name, program.defaults, {}.get).bindings).action
        for name, made in program.definitions.items()
    }
    assert len(program.definitions) == 2
    assert len(keys) == 1


def test_a_sampled_node_is_never_a_hit_before_it_was_drawn() -> None:
    program, memory = sampling(), Memory()
    memory.runs.append(made(program, value(1), value("hi")))
    undrawn = Plan(program, ["a"], Given(program.defaults))
    assert undrawn.resolve(memory.find) == []
    assert [step.node for step in undrawn.ready()] == ["a"]
    drawn = Plan(program, ["a"], Given(program.defaults, {("a", "seed"): value(1)}))
    assert [step.run for step in drawn.resolve(memory.find)] == memory.runs


def test_two_loads_never_share_what_nobody_can_vouch_for() -> None:
    thing = object()
    graphs = [Graph("G", nodes=[FnNode(lambda: thing, name="a")]) for _ in range(2)]
    one, other = (program_of(graph).definitions["a"].fingerprint for graph in graphs)
    assert one.uncached == other.uncached == "not cached: fn closure thing holds a builtins.object"
    assert one.digest != other.digest


def test_a_fixed_value_without_codec_makes_its_node_uncached_and_names_the_input() -> None:
    definition = program_of(Graph("G", nodes=[node("a", model=object(), x=1)])).definitions["a"]
    assert definition.fingerprint.uncached == "not cached: input model holds a object"
    assert definition.fixed["model"].volatile
    assert not definition.fixed["x"].volatile
