"""A Gradio app as its `/config` and `/info` describe it: where it answers, and which endpoints it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import huggingface_hub
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

from daggr.errors import EndpointError, RemoteError, did_you_mean
from daggr.graph.nodes.gradio import GradioSpec
from daggr.graph.port import UnboundSource
from daggr.graph.validate import name_set, unknown_names

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_PROTOCOLS = ("sse_v3", "sse_v2.1", "sse_v2", "sse_v1")


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


async def discover(client: httpx.AsyncClient, spec: GradioSpec, url: str, headers: dict[str, str]) -> GradioApp:
    """Ask an app, which `locate` has found, what it offers.

    Raises:
        RemoteError: it does not answer, or not like a Gradio app.
    """
    config = await _get(client, f"{url}/config", headers, spec)
    protocol = config.get("protocol")
    if protocol not in _PROTOCOLS:
        raise RemoteError(
            f"{spec.source!r} speaks the protocol {protocol!r}; daggr speaks {', '.join(_PROTOCOLS)}.",
            "Update the app's gradio to version 4 or later.",
            spec.where,
        )
    prefix = "/" + str(config.get("api_prefix") or "").strip("/")
    api = (url + prefix).rstrip("/")
    info = await _get(client, f"{api}/info", headers, spec)
    endpoints = _read_endpoints(config, info)
    by_name = {endpoint.name: endpoint for endpoint in endpoints if endpoint.name}
    by_index = {endpoint.fn_index: endpoint for endpoint in endpoints}
    return GradioApp(spec.source, api, headers, by_name, by_index, str(config.get("app_id", "")))


async def is_current(client: httpx.AsyncClient, app: GradioApp) -> bool:
    """Whether the app is still the one that was asked, and was not started anew since."""
    try:
        answer = await client.get(f"{app.url}/app_id", headers=app.headers, timeout=TIMEOUT)
        return bool(app.app_id) and str(answer.json().get("app_id")) == app.app_id
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def locate(spec: GradioSpec) -> tuple[str, dict[str, str]]:
    """The app's address and the headers it may see. The local Hugging Face token goes to Spaces only.

    Raises:
        EndpointError: there is no such Space, or it is private and nobody is logged in.
        RemoteError: the Hub does not answer.
    """
    if not spec.is_space:
        return spec.source, {}
    try:
        host = huggingface_hub.HfApi().space_info(spec.source).host
    except (RepositoryNotFoundError, HFValidationError):
        raise EndpointError(
            f"Space {spec.source!r} not found on Hugging Face.",
            "Check its name (owner/name); a private Space needs `hf auth login`.",
            spec.where,
        ) from None
    except Exception as error:
        raise RemoteError(
            f"The Space {spec.source!r} cannot be looked up: {type(error).__name__} {error}",
            "Is this machine online?",
            spec.where,
            retryable=True,
        ) from error
    token = huggingface_hub.get_token()
    return str(host).rstrip("/"), {"x-hf-authorization": f"Bearer {token}"} if token else {}


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


async def _get(client: httpx.AsyncClient, url: str, headers: Mapping[str, str], spec: GradioSpec) -> dict[str, Any]:
    try:
        answer = await client.get(url, headers=headers, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        raise RemoteError(
            f"{spec.source!r} does not answer: {type(error).__name__} {error}".rstrip(),
            f"Is the app running at {url.rpartition('/')[0]}?",
            spec.where,
            retryable=True,
        ) from error
    try:
        document = answer.json() if answer.is_success else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RemoteError(
            f"{spec.source!r} answers {answer.status_code} to {url}; that is not a Gradio app.",
            "Give the address that shows the app in a browser.",
            spec.where,
            retryable=answer.status_code >= 500,
        )
    return document


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
