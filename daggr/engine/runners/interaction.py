"""Interactions: what a person answered, as the result it is. Nothing of the user's code runs here."""

from __future__ import annotations

from typing import Any

from daggr.engine.program import ANSWER
from daggr.engine.runners.base import Call, Returned, texts_in
from daggr.errors import NodeFailedError
from daggr.graph.nodes.interaction import InteractionSpec


class InteractionRunner:
    """Maps answers to the output ports.

    `approve` passes on what it was given, once it is approved; `choose_one` passes on one of its options, answered by
    its value or its index; all others give the answer itself.
    """

    async def run(self, call: Call) -> Returned:
        """Take an answer.

        Raises:
            NodeFailedError: it was rejected, or is not one of the options.
        """
        spec = call.spec
        if not isinstance(spec, InteractionSpec):
            raise TypeError(f"not an interaction: {spec!r}")
        given = dict(call.inputs)
        texts = frozenset(text for value in given.values() for text in texts_in(value))
        answer = given.pop(ANSWER)
        asked = next(iter(given.values()), None)
        match spec.interaction_type:
            case "approve":
                value = _approved(spec, asked, answer)
            case "choose_one":
                value = _chosen(spec, asked, answer)
            case _:
                value = answer
        if len(spec.outputs) > 1 and isinstance(value, dict) and set(value) <= set(spec.outputs):
            return Returned({port: value.get(port) for port in spec.outputs}, texts)
        first, *others = spec.outputs
        return Returned({first: value, **dict.fromkeys(others)}, texts)


def _approved(spec: InteractionSpec, asked: Any, answer: Any) -> Any:
    if answer is True:
        return asked
    if answer is False:
        raise NodeFailedError(f"{spec.name!r} was rejected.", where=spec.where, node=spec.name)
    raise NodeFailedError(
        f"{spec.name!r} is answered with true (approved) or false (rejected); given: {answer!r}.",
        where=spec.where,
        node=spec.name,
    )


def _equal(option: Any, answer: Any) -> bool:
    try:
        return bool(option == answer)
    except (TypeError, ValueError):  # an array says so for each of its parts
        return False


def _chosen(spec: InteractionSpec, asked: Any, answer: Any) -> Any:
    options = list(asked) if isinstance(asked, (list, tuple, dict)) else [asked]
    for option in options:  # JSON cannot tell 2.0 from 2; a yes is no 1
        if option is answer or (isinstance(option, bool) == isinstance(answer, bool) and _equal(option, answer)):
            return option
    if type(answer) is int and 0 <= answer < len(options):
        return options[answer]
    told = ", ".join(repr(option)[:40] for option in options[:12])
    raise NodeFailedError(
        f"{answer!r} is none of the options of {spec.name!r}.",
        f"Options: {told}{' …' if len(options) > 12 else ''}; or give an index from 0 to {len(options) - 1}.",
        spec.where,
        node=spec.name,
    )
