"""Describing an app: its `/config` and `/info` are fetched side by side, and what nobody here reads is left out.

Both can be megabytes: a theme, scripts, the choices of every dropdown. What is left is small enough to be kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from daggr.engine.hub.gradio_app import PROTOCOLS
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.patience import seconds_of
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import RemoteError

LARGEST = 64 << 20
"""Bytes of a document that are read at most."""

LONGEST = 120.0
"""Seconds for which a document may be on its way."""

PREFIX = "/gradio_api"
"""Where apps have their `/info` since Gradio 5; asked for there at once, while `/config` says where it really is."""

INFO = "/info?all_endpoints=true"
"""With the endpoints that an app does not show, which can be called all the same."""

ALL = ("app_id", "api_prefix", "protocol", "version", "max_file_size")
OF_COMPONENTS = ("id", "type", "skip_api")
OF_DEPENDENCIES = ("id", "api_name", "inputs", "outputs", "cancels")
OF_ENDPOINTS = ("api_visibility",)
OF_PARAMETERS = ("parameter_name", "label", "parameter_has_default", "parameter_default", "component", "type")


Found = tuple[dict[str, Any], str]
"""A document, and its ETag."""


@dataclass(frozen=True)
class Description:
    """What an app says of itself, as far as it is read here.

    Attributes:
        url: Where its `/config` is.
        config, info: The two documents.
        tags: Their ETags by name, if the app gives any.
    """

    url: str
    config: Mapping[str, Any]
    info: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def revived(cls, document: Mapping[str, Any]) -> Description:
        """A description as it was kept.

        Raises:
            TypeError, KeyError: it is none.
        """
        url, parts = document["url"], [document[name] for name in ("config", "info", "tags")]
        if not isinstance(url, str) or not all(isinstance(part, dict) for part in parts):
            raise TypeError("not a description")
        return cls(url, *parts)


@dataclass(frozen=True)
class Asking:
    """How an app is asked: what it is called, where it is, with which headers, and how long is waited for it."""

    client: httpx.AsyncClient
    worker: ThreadWorker
    source: str
    url: str
    headers: Mapping[str, str]
    timeout: httpx.Timeout

    async def describe(self, before: Description | None) -> Description:
        """What the app says of itself now; what has not changed since `before` is not sent again.

        Raises:
            RemoteError: it does not answer, or not like a Gradio app.
        """
        before = before if before is not None and before.url == self.url else None
        guess = _prefix(before.config) if before is not None else PREFIX
        found = await asyncio.gather(
            self._get("config", f"{self.url}/config", before),
            self._get("info", f"{self.url}{guess}{INFO}", before),
            return_exceptions=True,
        )
        config, config_tag = _right(found[0])
        is_there = _prefix(config) == guess
        info, info_tag = await self._info(config, found[1] if is_there else None)
        tags = {name: tag for name, tag in (("config", config_tag), ("info", info_tag)) if tag}
        return Description(self.url, config, info, tags)

    async def _info(self, config: Mapping[str, Any], found: Found | BaseException | None) -> Found:
        """The `/info` as it was found; if not, asked for where it really is. Apps of old may have none."""
        try:
            if found is None:
                return await self._get("info", f"{self.url}{_prefix(config)}{INFO}", None)
            return _right(found)
        except RemoteError:
            if config.get("protocol") in PROTOCOLS:
                raise
            return {}, ""

    async def is_same(self, app_id: str, api: str) -> bool:
        """Whether the app is the one that said it is `app_id`, and was not started anew since.

        Raises:
            RemoteError: it does not answer.
        """
        _, body = await self._answer(f"{api}/app_id", self.headers)
        try:
            return str(json.loads(body)["app_id"]) == app_id
        except (ValueError, TypeError, LookupError, RecursionError):
            return False

    async def _get(self, name: str, url: str, before: Description | None) -> Found:
        """A document, stripped."""
        tag = before.tags.get(name, "") if before is not None else ""
        headers = {**self.headers, "if-none-match": tag} if tag else self.headers
        answer, body = await self._answer(url, headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED and before is not None and tag:
            return dict(before.config if name == "config" else before.info), tag
        document = None
        if answer.is_success:
            document = await in_thread(self.worker, lambda: _read(name, body))
        if document is None:
            raise self._refused(url, answer)
        return document, answer.headers.get("etag", "")

    async def _answer(self, url: str, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        try:
            return await asyncio.wait_for(self._fetch(url, headers), LONGEST)
        except (httpx.HTTPError, httpx.InvalidURL, asyncio.TimeoutError) as error:
            why = self._scrub(f"{type(error).__name__} {error}".strip())
            raise RemoteError(
                f"{self.source!r} does not answer: {why}", f"Is the app running at {self.url}?", retryable=True
            ) from error

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        body = bytearray()
        async with self.client.stream("GET", url, headers=headers, timeout=self.timeout) as answer:
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise RemoteError(
                        f"{self.source!r} describes itself in more than {LARGEST >> 20} MB at {url}; "
                        "that is not a Gradio app."
                    )
        return answer, bytes(body)

    def _scrub(self, text: str) -> str:
        """What the app said, without the tokens that it was sent."""
        token, ip_token = (self.headers.get(name, "") for name in ("x-hf-authorization", "x-ip-token"))
        return Credential(token.removeprefix("Bearer "), ip_token).scrub(text)

    def _refused(self, url: str, answer: httpx.Response) -> RemoteError:
        status = answer.status_code
        if status in (401, 403):
            return RemoteError(
                f"{self.source!r} answers {status} to {url}: it wants to know who asks.",
                "If it is a private Space, give its id (owner/name) and log in with `hf auth login`; "
                "apps with a login of their own (`launch(auth=…)`) cannot be called.",
            )
        hint = "Give the address that shows the app in a browser."
        if answer.has_redirect_location:
            hint = self._scrub(f"It has moved: give {answer.headers['location'].removesuffix('/config')!r}.")
        is_busy = status == 429 or status >= 500
        return RemoteError(
            f"{self.source!r} answers {status} to {url}; that is not a Gradio app.",
            "It is starting, busy or out of order; try again later." if is_busy else hint,
            retryable=is_busy,
            retry_after=seconds_of(answer.headers.get("retry-after")),
        )


def _right(found: Found | BaseException) -> Found:
    if isinstance(found, BaseException):
        raise found
    return found


def _prefix(config: Mapping[str, Any]) -> str:
    inner = str(config.get("api_prefix") or "").strip("/")
    return f"/{inner}" if inner else ""


# ---------------------------------------------------------------- what is left of the documents


def _read(name: str, body: bytes) -> dict[str, Any] | None:
    """A document without what nobody reads; None if it is not one."""
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            return None
        return _config(document) if name == "config" else _info(document)
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None


def _config(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_only(document, ALL),
        "components": [_only(component, OF_COMPONENTS) for component in document.get("components") or ()],
        "dependencies": [_only(dependency, OF_DEPENDENCIES) for dependency in document.get("dependencies") or ()],
    }


def _info(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {
            name: {
                **_only(endpoint, OF_ENDPOINTS),
                "parameters": [_only(given, OF_PARAMETERS) for given in endpoint.get("parameters") or ()],
            }
            for name, endpoint in (document.get(kind) or {}).items()
        }
        for kind in ("named_endpoints", "unnamed_endpoints")
    }


def _only(whole: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: whole[name] for name in names if name in whole}
