"""Whatever two definitions and inputs there are: every difference is told once, and backwards as forwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from daggr.digest import Digest, digest
from daggr.engine.changes import Change, Side, changes, distance
from daggr.engine.explain import Asked, Recorded, diff, explain
from daggr.engine.keys import identity_of, same_action, same_lookup
from daggr.engine.phrases import phrase
from daggr.store.records import Binding, Output, Run, RunStatus, SourceKind, new_id

LEAVES = (
    "fn", "fn: h", "fn: h: K", "fn: h default y", "fn closure n", "fn: C", "fn: C.run", "fn: T[0][1]", "output image",
    "preprocess", "fn import other source of other", "app", "fn: h #2",
)  # fmt: skip
_BACK = {"changed": "changed", "added": "removed", "removed": "added"}

digests = st.sampled_from([digest("leaf", bytes([number])) for number in range(3)])
lines = st.lists(st.sampled_from(["def h(x):", "    return x", "    return -x", "    x += 1", ""]), max_size=4)
outputs = st.dictionaries(st.sampled_from("ab"), digests)
versions = st.dictionaries(st.sampled_from(["numpy", "python"]), st.sampled_from(["1", "2"]))


@st.composite
def bindings(draw: st.DrawFn, port: str) -> Binding:
    source: SourceKind = draw(st.sampled_from(["ui", "fixed", "sampled", "edge"]))
    return Binding(port, draw(digests), source, provider=draw(digests) if source == "sampled" else b"")


@st.composite
def sides(draw: st.DrawFn) -> Side:
    leaves = draw(st.dictionaries(st.sampled_from(LEAVES), digests))
    of_code = sorted(name for name in leaves if not name.startswith("output ") and draw(st.booleans()))
    texts = {name: "\n".join(["# code", *draw(lines)]) for name in of_code}
    ports = draw(st.sets(st.sampled_from("xyz")))
    inputs = {port: draw(bindings(port)) for port in sorted(ports)}
    fed = {port: draw(st.sampled_from(["a", "b"])) for port, one in inputs.items() if one.source == "edge"}
    return Side(leaves, texts, draw(versions), inputs, fed)


def recorded(side: Side, status: RunStatus = "done", outputs: Mapping[str, bytes] | None = None) -> Recorded:
    fingerprint = fingerprint_of(side)
    identity = identity_of(fingerprint, side.inputs.values())
    made = tuple(Output(*one) for one in (outputs or {}).items())
    key, lookup = identity.action, identity.lookup
    inputs = tuple(side.inputs.values())
    run = Run(new_id(), "g", "n", "fn", "me", "", fingerprint, key, lookup, inputs, made, status, 0.0, 1.0)
    return Recorded(run, side)


def fingerprint_of(side: Side) -> Digest:
    return digest("fingerprint", *(part for name in sorted(side.leaves) for part in (name.encode(), side.leaves[name])))


# ---------------------------------------------------------------- changes


@given(sides())
def test_what_is_the_same_has_not_changed(side: Side) -> None:
    assert changes(side, side) == ()
    assert distance(side, side) == 0


@given(sides(), sides())
def test_every_leaf_port_and_library_that_differs_is_told_exactly_once(before: Side, after: Side) -> None:
    found = changes(before, after)
    told = Counter(change.name for change in found if change.kind in ("code", "data", "output"))
    assert told == Counter(n for n in LEAVES if before.leaves.get(n) != after.leaves.get(n))
    told = Counter(change.name for change in found if change.kind == "soft")
    assert told == Counter(n for n in ("numpy", "python") if before.soft.get(n) != after.soft.get(n))
    ports = Counter(change.name for change in found if change.kind in ("input", "provider", "sample", "origin"))
    assert set(ports.values()) <= {1}
    assert all(change.phrase and change.text for change in found)


@given(sides(), sides())
def test_a_reason_to_run_is_told_just_where_keys_differ(before: Side, after: Side) -> None:
    found = changes(before, after)
    identity = identity_of(fingerprint_of(after), after.inputs.values())
    hard = [change for change in found if change.hard]
    assert distance(before, after) == len(hard)
    run = recorded(before).run
    assert (not hard) == same_lookup(run, identity)
    if not hard and not any(change.kind == "sample" for change in found):
        assert same_action(run, identity)
    assert [change.hard for change in found] == sorted((change.hard for change in found), reverse=True)


@given(sides(), sides())
def test_a_diff_leads_from_one_text_to_the_other(before: Side, after: Side) -> None:
    for change in changes(before, after):
        was, now = before.sources.get(change.name), after.sources.get(change.name)
        if was is not None and now is not None and change.kind == "code":
            assert net(change.diff) == net_of(was, now)
        elif change.kind != "code" and " default " not in change.name:
            assert not change.diff


def net(shown: str) -> Counter[str]:
    """How often each line is new, less how often it is gone."""
    count: Counter[str] = Counter()
    for line in shown.splitlines()[2:]:
        count[line[1:]] += {"+": 1, "-": -1}.get(line[:1], 0)
    return Counter({line: n for line, n in count.items() if n})


def net_of(was: str, now: str) -> Counter[str]:
    count = Counter(now.splitlines())
    count.subtract(was.splitlines())
    return Counter({line: n for line, n in count.items() if n})


# ---------------------------------------------------------------- two runs


@given(
    sides(), sides(), st.dictionaries(st.sampled_from("ab"), digests), st.dictionaries(st.sampled_from("ab"), digests)
)
def test_a_comparison_is_the_same_backwards(
    before: Side, after: Side, made: Mapping[str, bytes], gave: Mapping[str, bytes]
) -> None:
    one, two = recorded(before, "done", made), recorded(after, "failed", gave)
    there, back = diff(one, two), diff(two, one)
    assert (there.before, there.after) == (back.after, back.before)
    assert there.outputs == back.outputs
    assert there.status == back.status[::-1]
    assert Counter(map(_seen, there.changes)) == Counter(_seen(change, back=True) for change in back.changes)
    by_name = {(change.kind, change.name): net(change.diff) for change in back.changes}
    for change in there.changes:
        opposite = by_name[change.kind, change.name]
        assert net(change.diff) == Counter({line: -n for line, n in opposite.items()})


def _seen(change: Change, *, back: bool = False) -> tuple[object, ...]:
    ends = [(change.before, change.came_from), (change.after, change.comes_from)]
    how = _BACK[change.how] if back else change.how
    return change.kind, change.name, change.hard, how, *(reversed(ends) if back else ends)


# ---------------------------------------------------------------- explaining


@given(sides(), st.lists(sides(), max_size=5))
def test_the_nearest_run_has_the_fewest_changes_and_is_the_newest_of_these(side: Side, others: list[Side]) -> None:
    past = [recorded(other) for other in others]
    found = explain(Asked("n", fingerprint_of(side), side), past)
    away = [distance(other, side) for other in others]
    assert found.nearest == (past[away.index(min(away))].run.id if past else b"")
    assert len(found.reasons) == min(away, default=0)
    assert found.lines[0] == found.summary
    assert found.summary


@given(sides(), st.lists(sides(), max_size=3))
def test_a_node_that_stands_has_nothing_to_do_whatever_else_there_is(side: Side, others: list[Side]) -> None:
    same = recorded(side)
    past = [*map(recorded, others), same]
    asked = Asked("n", fingerprint_of(side), side, standing=same.run.id, shown=same.run.id)
    found = explain(asked, past)
    assert (found.state, found.runs, found.changes, found.nearest) == ("fresh", False, (), same.run.id)


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_name_of_a_leaf_has_words(leaf: str, text: str) -> None:
    assert phrase(f"fn{leaf}", text)
    assert phrase(leaf or "fn", text)
