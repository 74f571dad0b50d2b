"""What holds for every graph, whatever its shape and the order in which it was drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daggr.errors import CycleError
from daggr.graph.graph import Graph, drawing_of
from tests.handmade import node
from tests.properties.dags import Shape, below, build, shapes


@given(shapes())
def test_every_node_is_executed_once_and_after_those_it_needs(shape: Shape) -> None:
    order = build(shape).get_execution_order()
    assert sorted(order) == sorted(shape.names)
    assert all(order.index(parent) < order.index(child) for parent, child in shape.edges)


@given(shapes())
def test_connections_are_the_edges_that_were_drawn(shape: Shape) -> None:
    connections = build(shape).get_connections()
    assert {(source, target) for source, _, target, _ in connections} == shape.edges
    assert len(connections) == len(shape.edges)


@given(shapes())
def test_subgraphs_share_no_node_and_no_edge_leaves_them(shape: Shape) -> None:
    subgraphs = build(shape).get_subgraphs()
    assert sorted(name for members in subgraphs for name in members) == sorted(shape.names)
    for members in subgraphs:
        assert all((parent in members) == (child in members) for parent, child in shape.edges)
        reached = {min(members)}
        for _ in members:
            reached |= {a for pair in shape.edges if reached & set(pair) for a in pair}
        assert reached == members, "a subgraph is connected"


@given(shapes())
def test_ancestors_are_all_that_a_node_depends_on_and_itself(shape: Shape) -> None:
    drawing = drawing_of(build(shape))
    for name in shape.names:
        assert drawing.ancestors(name) == {up for up in shape.names if name in shape.below(up)} | {name}


@given(shapes())
def test_entry_nodes_have_no_parent_and_output_nodes_no_child(shape: Shape) -> None:
    graph = build(shape)
    assert {made.name for made in graph.get_entry_nodes()} == set(shape.names) - {child for _, child in shape.edges}
    assert set(graph.get_output_nodes()) == set(shape.names) - {parent for parent, _ in shape.edges}


@given(shapes())
def test_every_input_and_every_output_is_in_the_schema_of_its_own_subgraph(shape: Shape) -> None:
    graph = build(shape)
    schema = graph.get_api_schema()["subgraphs"]
    members = graph.get_subgraphs()
    assert [part["id"] for part in schema] == (
        ["main"] if len(members) == 1 else [f"subgraph_{number}" for number in range(len(members))]
    )
    given_ids = {field["id"] for part in schema for field in part["inputs"]}
    assert given_ids == {f"n{number}__text" for number in shape.with_input}
    for part, names in zip(schema, members, strict=True):
        assert {field["node"] for field in part["inputs"] + part["outputs"]} <= names
        assert {field["node"] for field in part["outputs"]} == names & set(graph.get_output_nodes())


@given(shapes(), st.data())
def test_an_edge_is_refused_exactly_if_it_closes_a_circle_and_then_changes_nothing(
    shape: Shape, data: st.DataObject
) -> None:
    graph = build(shape)
    source, target = (data.draw(st.sampled_from(shape.names)) for _ in range(2))
    nodes, before = graph.nodes, graph.get_connections()
    ports = [name for name in nodes[target].ports if name != "output"]
    if not ports:
        return
    port = data.draw(st.sampled_from(ports))
    replaced = [edge for edge in before if edge[2:] == (target, port)]
    left = {(up, down) for up, _, down, _ in before if (up, down) not in {(e[0], e[2]) for e in replaced}}
    closes = source == target or source in below(left, target)
    if closes:
        with pytest.raises(CycleError, match=rf"in a circle: .*\b{source}\b") as caught:
            graph.edge(nodes[source].output, nodes[target].ports[port])
        assert target in caught.value.message
        assert graph.get_connections() == before
    else:
        graph.edge(nodes[source].output, nodes[target].ports[port])
        assert (source, "output", target, port) in graph.get_connections()
        assert len(graph.get_connections()) == len(before) - len(replaced) + 1
    assert graph.nodes == nodes


@given(shapes())
def test_naming_the_last_nodes_is_enough_since_those_they_need_come_by_themselves(shape: Shape) -> None:
    made = []
    for number, above in enumerate(shape.parents):
        made.append(node(f"n{number}", **{f"from_{parent}": made[parent].output for parent in above}))
    whole = Graph("Any", nodes=made)
    last = Graph("Any", nodes=[whole.nodes[name] for name in whole.get_output_nodes()])
    assert last.get_execution_order() == whole.get_execution_order()
    assert set(last.get_connections()) == set(whole.get_connections())
