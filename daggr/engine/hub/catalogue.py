"""The catalogue: what is known of the apps that nodes call. Asked for at once, kept, and asked for again when it is old."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

from daggr.engine.hub.gradio_app import PROTOCOLS, GradioApp, check, read_app
from daggr.engine.hub.identity import Credential, may_know
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import EndpointError, RemoteError
from daggr.graph.nodes.gradio import GradioSpec

TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class Catalogue:
    """What is known of apps.

    Args:
        client: Keeps connections to them alive.
        worker: The threads in which the Hub is asked.
    """

    def __init__(self, client: httpx.AsyncClient, worker: ThreadWorker) -> None:
        self._client = client
        self._worker = worker
        self._apps: dict[tuple[str, Credential], GradioApp] = {}

    async def app(self, spec: GradioSpec, credential: Credential) -> GradioApp:
        """The app that a node calls, as it is now.

        Raises:
            EndpointError: there is no such Space, or it is private.
            RemoteError: it does not answer, or not like a Gradio app.
        """
        known = self._apps.get((spec.source, credential))
        if known is None or not await self._is_current(known):
            url, headers = await in_thread(self._worker, lambda: locate(spec, credential))
            self._apps[spec.source, credential] = await self._discover(spec, url, headers)
        return self._apps[spec.source, credential]

    async def check(self, spec: GradioSpec, credential: Credential) -> None:
        """Check a node against its app.

        Raises:
            EndpointError: the app has no such endpoint, or it takes something else.
            RemoteError: it does not answer.
        """
        check(spec, await self.app(spec, credential))

    def forget(self, spec: GradioSpec, credential: Credential) -> None:
        """Ask anew the next time: the app broke off."""
        self._apps.pop((spec.source, credential), None)

    async def _is_current(self, app: GradioApp) -> bool:
        """Whether the app is still the one that was asked, and was not started anew since."""
        try:
            answer = await self._client.get(f"{app.url}/app_id", headers=app.headers, timeout=TIMEOUT)
            return bool(app.app_id) and str(answer.json().get("app_id")) == app.app_id
        except (httpx.HTTPError, ValueError, AttributeError):
            return False

    async def _discover(self, spec: GradioSpec, url: str, headers: Mapping[str, str]) -> GradioApp:
        """Ask an app, which `locate` has found, what it offers."""
        config = await self._get(f"{url}/config", headers, spec)
        protocol = config.get("protocol")
        if protocol not in PROTOCOLS:
            raise RemoteError(
                f"{spec.source!r} speaks the protocol {protocol!r}; daggr speaks {', '.join(PROTOCOLS)}.",
                "Update the app's gradio to version 4 or later.",
                spec.where,
            )
        api = read_app(spec.source, url, headers, config, {}).url
        info = await self._get(f"{api}/info", headers, spec)
        return read_app(spec.source, url, headers, config, info)

    async def _get(self, url: str, headers: Mapping[str, str], spec: GradioSpec) -> dict[str, Any]:
        try:
            answer = await self._client.get(url, headers=headers, timeout=TIMEOUT)
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


def locate(spec: GradioSpec, credential: Credential) -> tuple[str, Mapping[str, str]]:
    """The app's address and the headers it may see. A token goes to Spaces only.

    Raises:
        EndpointError: there is no such Space, or it is private and nobody is logged in.
        RemoteError: the Hub does not answer.
    """
    if not spec.is_space:
        return spec.source, credential.headers() if may_know(spec.source) else {}
    try:
        host = huggingface_hub.HfApi(token=credential.token or False).space_info(spec.source).host
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
    url = str(host).rstrip("/")
    return url, credential.headers() if may_know(url) or constants.ENDPOINT != OFFICIAL else {}


OFFICIAL = "https://huggingface.co"
"""Another Hub has Spaces where it likes."""
