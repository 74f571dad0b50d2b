"""Whose turn it is, without clock or loop: those who used least go first, on each level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, islice

from daggr.engine.scheduling.fairness import Ticket, Turns

Flow = tuple[str, ...]


def one_second(flow: Flow) -> float:
    return 1.0


def serve(turns: Turns[Flow], seconds: Callable[[Flow], float] = one_second, again: bool = True) -> Iterator[Flow]:
    """One turn after the other; who had one gets in line again at once, or does not."""
    while turns.waiting:
        ticket = turns.next()
        if again:
            turns.wait(ticket.item, ticket.item)
        turns.end(ticket, seconds(ticket.item))
        yield ticket.item


def line_up(turns: Turns[Flow], flow: Flow, times: int = 1) -> list[Ticket[Flow]]:
    return [turns.wait(flow, flow) for _ in range(times)]


def test_a_click_is_next_however_many_items_of_somebody_else_wait() -> None:
    turns = Turns[Flow]()
    scatter, click = ("ada", "s1", "scatter"), ("bob", "s2", "click")
    turns.already(scatter, scatter)
    line_up(turns, scatter, 100_000)
    line_up(turns, click)
    assert next(serve(turns)) == click


def test_a_click_is_next_also_when_many_scatters_have_used_the_same() -> None:
    turns = Turns[Flow]()
    for number in range(5):
        line_up(turns, ("ada", "s1", f"scatter {number}"), 100)
    list(islice(serve(turns), 50))
    click = ("ada", "s1", "click")
    line_up(turns, click)
    assert next(serve(turns)) == click


def test_an_owner_with_a_hundred_jobs_gets_as_much_as_one_with_a_single_job() -> None:
    turns = Turns[Flow]()
    for number in range(100):
        line_up(turns, ("ada", f"sheet {number % 3}", f"job {number}"), 3)
    line_up(turns, ("bob", "sheet", "job"), 3)
    got = Counter(owner for owner, _, _ in islice(serve(turns), 200))
    assert got["ada"] == got["bob"] == 100


def test_sheets_of_an_owner_and_jobs_of_a_sheet_get_the_same() -> None:
    turns = Turns[Flow]()
    line_up(turns, ("ada", "big", "one"))
    line_up(turns, ("ada", "big", "two"))
    line_up(turns, ("ada", "small", "only"))
    got = Counter(flow[1:] for flow in islice(serve(turns), 400))
    assert got == {("big", "one"): 100, ("big", "two"): 100, ("small", "only"): 200}


def test_time_counts_not_turns() -> None:
    turns = Turns[Flow]()
    long, short = ("ada", "s", "j"), ("bob", "s", "j")
    line_up(turns, long)
    line_up(turns, short)
    got = Counter(islice(serve(turns, lambda flow: 10.0 if flow == long else 1.0), 1100))
    assert abs(got[long] - 100) <= 2


def test_time_in_which_nothing_was_wanted_is_not_saved_up() -> None:
    turns = Turns[Flow]()
    busy, other, late = ("ada", "s", "j"), ("bob", "s", "j"), ("eve", "s", "j")
    line_up(turns, late)
    line_up(turns, busy)
    assert next(serve(turns, again=False)) == late
    line_up(turns, other)
    list(islice(serve(turns), 1000))
    line_up(turns, late)
    got = Counter(islice(serve(turns), 300))
    assert all(abs(times - 100) <= 1 for times in got.values()), got


def test_who_comes_and_goes_pays_for_what_was_used() -> None:
    """A job whose long steps follow one another is not new each time."""
    turns = Turns[Flow]()
    steady, steps = ("ada", "s", "j"), ("bob", "s", "j")
    turns.already(steady, steady)
    line_up(turns, steady, 2000)
    used = Counter[Flow]()
    line_up(turns, steps)
    for _ in range(1100):
        ticket = turns.next()
        seconds = 10.0 if ticket.item == steps else 1.0
        turns.end(ticket, seconds)
        used[ticket.item] += int(seconds)
        if ticket.item == steps:  # only now is it clear what it does next
            line_up(turns, steps)
    assert 0.9 < used[steps] / used[steady] < 1.1


def test_a_stream_of_newcomers_does_not_starve_those_who_stay() -> None:
    turns, names = Turns[Flow](), count()
    scatter = ("ada", "s", "scatter")
    line_up(turns, scatter, 200)
    list(islice(serve(turns, again=False), 3))
    served = [scatter]
    for _ in range(300):
        if served[-1] != scatter or len(served) == 1:  # always one of them waits
            line_up(turns, ("ada", "s", f"click {next(names)}"))
        served.append(next(serve(turns, again=False)))
    assert 100 <= served.count(scatter) <= 160


def test_of_many_who_come_at_once_nobody_waits_for_many_items_of_a_scatter() -> None:
    turns = Turns[Flow]()
    scatter = ("ada", "s", "scatter")
    turns.already(scatter, scatter)
    line_up(turns, scatter, 1000)
    for number in range(50):
        line_up(turns, (f"owner {number}", "s", "click"))
    served = list(islice(serve(turns, again=False), 60))
    assert served.count(scatter) <= 10
    assert len(set(served)) == 51


def test_a_turn_that_used_nothing_costs_nothing() -> None:
    turns = Turns[Flow]()
    ada, bob = ("ada", "s", "j"), ("bob", "s", "j")
    line_up(turns, ada, 3)
    line_up(turns, bob, 3)
    first = turns.next()
    turns.end(first, 5.0)
    second = turns.next()
    turns.end(second, 0.0)  # it was stopped before it began
    assert {first.item, second.item} == {ada, bob}
    assert turns.next().item == second.item


def test_what_turns_use_is_learned() -> None:
    turns = Turns[Flow]()
    line_up(turns, ("ada", "s", "j"))
    list(islice(serve(turns, lambda flow: 30.0), 30))
    assert 29 < turns.estimate < 31
    line_up(turns, ("bob", "s", "j"), 2)
    assert 29 < next(ticket for ticket in iter(turns.next, None) if ticket.item[0] == "bob").charged < 31


def test_who_leaves_the_line_has_no_turn() -> None:
    turns = Turns[Flow]()
    ada, bob = ("ada", "s", "j"), ("bob", "s", "j")
    first, second, third = line_up(turns, ada, 3)
    (other,) = line_up(turns, bob)
    turns.withdraw(second)
    turns.withdraw(other)
    assert turns.waiting == 2
    assert [turns.next(), turns.next()] == [first, third]
    assert turns.waiting == 0


def test_flows_may_have_any_length() -> None:
    turns = Turns[Flow]()
    flows: list[Flow] = [(), ("",), ("ada",), ("ada", "s"), ("ada", "s", "j")]
    for flow in flows:
        line_up(turns, flow)
    assert set(serve(turns, again=False)) == set(flows)


def test_those_who_have_gone_are_forgotten() -> None:
    turns = Turns[Flow]()
    line_up(turns, ("ada", "s", "stays"), 50_000)
    for number in range(10_000):
        line_up(turns, ("ada", "s", f"job {number}"))
        next(serve(turns, again=False))
        next(serve(turns, again=False))
    (owner,) = turns._root.children.values()
    (sheet,) = owner.children.values()
    assert len(sheet.children) < 100
    assert len(sheet._heap) < 100


def test_who_comes_and_goes_while_others_are_served_leaves_nothing_behind() -> None:
    turns = Turns[Flow]()
    ada, bob = ("ada", "s", "j"), ("bob", "s", "j")
    line_up(turns, ada, 2)
    turns.end(turns.next(), 1000.0)
    for _ in range(500):
        line_up(turns, bob, 2)
        turns.withdraw(line_up(turns, ada)[0])
        turns.end(turns.next(), 1.0)
    assert len(turns._root._heap) < 100
