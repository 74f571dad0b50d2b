"""A Gradio app as its `/config` and `/info` describe it: where it answers, and which endpoints it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daggr.errors import EndpointError, did_you_mean
from daggr.graph.nodes.gradio import GradioSpec
from daggr.graph.port import UnboundSource
from daggr.graph.validate import name_set, unknown_names

PROTOCOLS = ("sse_v3", "sse_v2.1", "sse_v2", "sse_v1")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an endpoint."""

    name: str
    required: bool
    default: Any


@dataclass(frozen=True)
class Endpoint:
    """A function of the app.

    Attributes:
        name: As in `api_name`.
        fn_index: The app's number for it.
        parameters: What a caller gives, in order.
        slots: For each input of the function its parameter, or None for state that the app keeps.
        returns: For each output of the function, whether a caller gets it (state is kept back).
    """

    name: str
    fn_index: int
    parameters: tuple[Parameter, ...]
    slots: tuple[Parameter | None, ...]
    returns: tuple[bool, ...]


@dataclass(frozen=True)
class GradioApp:
    """A running app. `headers` go with every request to it."""

    source: str
    url: str
    headers: Mapping[str, str]
    endpoints: Mapping[str, Endpoint]
    by_index: Mapping[int, Endpoint]
    app_id: str = ""
    """Names one start of the app; endpoints are numbered anew with each."""
    protocol: str = ""
    """How it talks: `PROTOCOLS` are spoken here, older ones by gradio_client."""

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
            names = list(self.endpoints)
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
    """
    prefix = "/" + str(config.get("api_prefix") or "").strip("/")
    endpoints = _read_endpoints(config, info)
    by_name = {endpoint.name: endpoint for endpoint in endpoints if endpoint.name}
    by_index = {endpoint.fn_index: endpoint for endpoint in endpoints}
    api = (url + prefix).rstrip("/")
    return GradioApp(
        source, api, headers, by_name, by_index, str(config.get("app_id", "")), str(config.get("protocol", ""))
    )


def check(spec: GradioSpec, app: GradioApp) -> None:
    """Check a node against its app.

    Raises:
        EndpointError: the endpoint does not exist, takes other parameters, or needs more.
    """
    endpoint = app.endpoint(spec)
    valid = [parameter.name for parameter in endpoint.parameters]
    given = [port for port, source in spec.inputs.items() if not isinstance(source, UnboundSource)]
    wrong, hint = unknown_names(given, valid)
    if spec.preprocess is not None:
        return  # a hook may rename what it is given
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


def _read_endpoints(config: Mapping[str, Any], info: Mapping[str, Any]) -> list[Endpoint]:
    kinds = {component["id"]: component.get("type") for component in config.get("components", ())}
    described = {**info.get("unnamed_endpoints", {}), **info.get("named_endpoints", {})}
    endpoints = []
    for index, dependency in enumerate(config.get("dependencies", ())):
        number = dependency.get("id", index)
        name = f"/{dependency['api_name']}" if isinstance(dependency.get("api_name"), str) else ""
        described_as = described.get(name) or described.get(str(number))
        if described_as is None:
            continue
        parameters = tuple(
            Parameter(p["parameter_name"], not p.get("parameter_has_default"), p.get("parameter_default"))
            for p in described_as.get("parameters", ())
        )
        waiting = iter(parameters)
        slots = tuple(None if kinds.get(i) == "state" else next(waiting, None) for i in dependency.get("inputs", ()))
        returns = tuple(kinds.get(i) != "state" for i in dependency.get("outputs", ()))
        endpoints.append(Endpoint(name, number, parameters, slots, returns))
    return endpoints
