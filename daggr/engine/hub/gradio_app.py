"""A Gradio app as its `/config` and `/info` describe it: where it answers, and which endpoints it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from daggr.engine.hub.gradio_schema import FILE_COMPONENTS, Takes, takes
from daggr.errors import EndpointError, did_you_mean
from daggr.graph.nodes.gradio import GradioSpec
from daggr.graph.port import FixedSource, UnboundSource
from daggr.graph.validate import name_set, unknown_names

LONGEST = 200
"""Characters of a text that are quoted."""

PROTOCOLS = ("sse_v3", "sse_v2.1", "sse_v2", "sse_v1")
"""How apps talk, as far as it is spoken here; gradio_client speaks the others."""

ADDRESSES = ("http://", "https://")

_PREFIX = re.compile(r"/?(?:[\w.-]+/)*[\w.-]*")

_UNSEEN = ("state", "row", "column", "tabs", "tab", "tabitem", "box", "form", "accordion", "group", "interpretation")
"""Components of old apps, which do not say it themselves, that no caller sees."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of an endpoint.

    Attributes:
        name: As callers give it.
        required: Whether it has no default.
        default: What the app itself would take.
        takes: Whether it is a file, or holds some.
        component: The app's component, such as `image`.
    """

    name: str
    required: bool
    default: Any
    takes: Takes = "value"
    component: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A function of the app.

    Attributes:
        name: As in `api_name`.
        fn_index: The app's number for it.
        parameters: What a caller gives, in order.
        slots: For each input of the function its parameter, or None for state that the app keeps.
        returns: For each output of the function, whether a caller gets it (state is kept back).
        is_listed: Whether the app shows it to people.
    """

    name: str
    fn_index: int
    parameters: tuple[Parameter, ...]
    slots: tuple[Parameter | None, ...]
    returns: tuple[bool, ...]
    is_listed: bool = True


@dataclass(frozen=True)
class GradioApp:
    """A running app. `headers` go with every request to it."""

    source: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    endpoints: Mapping[str, Endpoint]
    by_index: Mapping[int, Endpoint]
    app_id: str = ""
    """Names one start of the app; endpoints are numbered anew with each."""
    protocol: str = ""
    """How it talks: `PROTOCOLS` are spoken here, older ones by gradio_client."""
    root: str = ""
    """Where its page is; `url` is where its routes are."""
    largest_upload: int | None = None
    """Bytes of a file that it takes at most."""

    def endpoint(self, spec: GradioSpec) -> Endpoint:
        """The endpoint that a node calls.

        Raises:
            EndpointError: there is no such endpoint; the message names those that are.
        """
        if isinstance(spec.api_name, int):
            found = self.by_index.get(spec.api_name)
        else:
            found = self.endpoints.get(spec.api_name)
        if found is None:
            names = [name for name, endpoint in self.endpoints.items() if endpoint.is_listed]
            raise EndpointError(
                f"API endpoint {spec.api_name!r} not found in {spec.source!r}. Available endpoints: {names}. "
                f"{did_you_mean(str(spec.api_name), names)}".rstrip(),
                where=spec.where,
            )
        return found


def read_app(
    source: str, url: str, headers: Mapping[str, str], config: Mapping[str, Any], info: Mapping[str, Any]
) -> GradioApp:
    """An app as its two documents describe it.

    Args:
        source: What the script calls it.
        url: Where its `/config` is.
        headers: What every request to it is sent with.
        config: Its `/config`.
        info: Its `/info`.

    Raises:
        ValueError: it says that its routes are elsewhere than below its own address.
    """
    given = str(config.get("api_prefix") or "")
    if not _PREFIX.fullmatch(given):
        raise ValueError("not a path of the app's own")
    prefix = "/" + given.strip("/")
    endpoints = list(_read_endpoints(config, info))
    largest = config.get("max_file_size")
    return GradioApp(
        source,
        (url + prefix).rstrip("/"),
        headers,
        {endpoint.name: endpoint for endpoint in endpoints if endpoint.name},
        {endpoint.fn_index: endpoint for endpoint in endpoints},
        str(config.get("app_id", "")),
        str(config.get("protocol", "")),
        url,
        largest if type(largest) is int else None,
    )


def check(spec: GradioSpec, app: GradioApp) -> None:
    """Check a node against its app.

    Raises:
        EndpointError: the endpoint does not exist, takes other parameters, needs more, or a file.
    """
    endpoint = app.endpoint(spec)
    if spec.preprocess is not None:
        return  # a hook may rename what it is given
    valid = [parameter.name for parameter in endpoint.parameters]
    given = [port for port, source in spec.inputs.items() if not isinstance(source, UnboundSource)]
    wrong, hint = unknown_names(given, valid)
    if wrong:
        raise EndpointError(
            f"Invalid parameter(s) {name_set(wrong)} for endpoint {endpoint.name!r} in {spec.source!r}. "
            + (f"{hint} " if hint else "")
            + f"Valid parameters: {name_set(valid)}",
            where=spec.where,
        )
    missing = [p.name for p in endpoint.parameters if p.required and p.name not in given]
    if missing:
        raise EndpointError(
            f"Missing required parameter(s) {name_set(missing)} for endpoint {endpoint.name!r} in {spec.source!r}. "
            "These parameters have no default values.",
            where=spec.where,
        )
    for parameter in endpoint.parameters:
        source = spec.inputs.get(parameter.name)
        if isinstance(source, FixedSource) and (text := no_file(parameter, source.value)) is not None:
            raise EndpointError(
                f"Parameter {parameter.name!r} of endpoint {endpoint.name!r} in {spec.source!r} takes a file; it is "
                f"given the text {text!r}.",
                file_hint(parameter, text),
                spec.where,
            )


def no_file(parameter: Parameter, value: Any) -> str | None:
    """The text that a value has where the parameter takes a file; None if there is none.

    An address is a file: the app fetches it.
    """
    if parameter.takes == "file":
        values = [value]
    elif parameter.takes in ("files", "pictures"):
        values = list(value) if isinstance(value, (list, tuple)) else [value]
    else:
        return None
    return next((given for given in values if type(given) is str and not given.startswith(ADDRESSES)), None)


def file_hint(parameter: Parameter, text: str) -> str:
    """What to give in the place of a text."""
    component = FILE_COMPONENTS.get(parameter.component, "File")
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    return (
        f"A text is sent as it is, also if a file has that name. Give gr.{component}(value={short!r}, visible=False), "
        "a port that gives a file, or an http(s) address, which the app fetches itself."
    )


# ---------------------------------------------------------------- the documents


def _read_endpoints(config: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[Endpoint]:
    components = {component["id"]: component for component in config.get("components", ())}
    described = {**info.get("unnamed_endpoints", {}), **info.get("named_endpoints", {})}

    def is_seen(number: Any) -> bool:
        component = components.get(number, {})
        return not component.get("skip_api", component.get("type") in _UNSEEN)

    for index, dependency in enumerate(config.get("dependencies", ())):
        number = dependency.get("id", index)
        name = f"/{dependency['api_name']}" if isinstance(dependency.get("api_name"), str) else ""
        described_as = described.get(name) or described.get(str(number))
        if described_as is None:
            continue
        parameters = tuple(_read_parameters(described_as.get("parameters", ())))
        waiting = iter(parameters)
        slots = tuple(next(waiting, None) if is_seen(i) else None for i in dependency.get("inputs", ()))
        returns = tuple(map(is_seen, dependency.get("outputs", ())))
        is_listed = described_as.get("api_visibility", "public") == "public"
        yield Endpoint(name, number, parameters, slots, returns, is_listed)


def _read_parameters(described: Iterable[Mapping[str, Any]]) -> Iterator[Parameter]:
    """Parameters as callers name them; those of early apps have labels only."""
    names: set[str] = set()
    for number, one in enumerate(described):
        name = one.get("parameter_name")
        if not isinstance(name, str):
            label = re.sub(r"[^\w ]", "", str(one.get("label", ""))).replace(" ", "_").lower()
            name = label if label and label not in names else f"param_{number}"
        names.add(name)
        component = str(one.get("component", "")).lower()
        has_default = bool(one.get("parameter_has_default"))
        kind = takes(one.get("type"), component)
        yield Parameter(name, not has_default, one.get("parameter_default"), kind, component)
