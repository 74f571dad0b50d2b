"""GradioNode: an endpoint of a Gradio app, on Hugging Face Spaces or anywhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from daggr.errors import GraphError
from daggr.graph.nodes.base import (
    Kind,
    Node,
    read_cache,
    read_hook,
    read_outputs,
    read_ports,
    read_seconds,
    read_source,
    warn_file_types,
)
from daggr.graph.nodes.remote import RemoteSpec, Repo, read_remote
from daggr.graph.place import caller


@dataclass
class GradioSpec(RemoteSpec):
    """An app and an endpoint of it."""

    kind: ClassVar[Kind] = "gradio"

    source: str = ""
    api_name: str | int = "/predict"
    identity: str = ""

    @property
    def is_space(self) -> bool:
        """Whether the source is a Space's id, not a URL."""
        return not self.source.startswith(("http://", "https://"))

    @property
    def repo(self) -> Repo | None:
        """The Space that it calls."""
        return Repo("space", self.source) if self.is_space else None

    @property
    def subtitle(self) -> str:
        """The app and its endpoint."""
        return f"{self.source if self.is_space else urlsplit(self.source).netloc} {self.api_name}"

    @property
    def link(self) -> str | None:
        """The app's page."""
        return f"https://huggingface.co/spaces/{self.source}" if self.is_space else self.source


class GradioNode(Node):
    """Calls an endpoint of a Gradio app.

    Args:
        space_or_url: A Space's id such as `owner/name`, or the URL of a running Gradio app.
        api_name: The endpoint, as shown under "Use via API"; the slash is optional, a number is an endpoint's index.
        name: Shown on the card; the last part of the source by default.
        inputs: For each parameter of the endpoint a component, a port, a fixed value, or a callable (sampled).
        outputs: Port name to component or None; they take the endpoint's return values in order.
        validate: Check the endpoint and its parameters when the workflow is launched.
        run_locally: Run the Space on this machine. Not built yet: True is an error.
        preprocess: Called with the dict of inputs; returns the dict that is sent.
        postprocess: Called with each return value as an argument; returns what the ports get.
        cache: False to call anew whenever its result is needed; a timedelta to call anew when the result is older.
        revision: The commit that the Space must be at, as its page shows under Files, History.
        identity: What the app is, in place of its address: results are reused when only the address changes.
        timeout: After how many seconds a call fails; never by default.
        connect_timeout: After how many seconds without a connection it fails.
        idle_timeout: After how many seconds without a word from the app it fails.
        retries: How often it is tried again when the app could not be reached or was too busy.

    Raises:
        GraphError: the source is neither a Space's id nor a URL.
    """

    def __init__(  # noqa: PLR0913, PLR0917  (the order that scripts rely on)
        self,
        space_or_url: str,
        api_name: str | int | None = None,
        name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        validate: bool = True,
        run_locally: bool = False,
        preprocess: Callable[[dict[str, Any]], Any] | None = None,
        postprocess: Callable[..., Any] | None = None,
        *,
        cache: bool | timedelta = True,
        revision: str | None = None,
        identity: str | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        idle_timeout: float | None = None,
        retries: int = 2,
    ) -> None:
        where = caller()
        source = _read_app(space_or_url, where)
        if run_locally:
            raise GraphError(
                "run_locally=True is not built yet in this version of daggr.",
                "Start the app yourself and give its URL: GradioNode('http://127.0.0.1:7861', …).",
                where,
            )
        if revision is not None and source.startswith(("http://", "https://")):
            raise GraphError(
                f"revision= is for Spaces of the Hub; {source!r} is a URL.",
                "Name what the app is with identity=, such as identity='my-app 1.2'.",
                where,
            )
        self._spec = GradioSpec(
            name=name or _default_name(source),
            inputs={port: read_source(value) for port, value in read_ports("inputs", inputs, where).items()},
            outputs=read_outputs(outputs, where),
            preprocess=read_hook("preprocess", preprocess, where),
            postprocess=read_hook("postprocess", postprocess, where),
            where=where,
            default_name=name is None,
            source=source,
            api_name=_read_endpoint(api_name),
            validate=validate,
            cache=read_cache(cache, where),
            identity=identity or "",
            timeout=read_seconds("timeout", timeout, where),
            **read_remote(where, revision, connect_timeout, idle_timeout, retries),
        )
        warn_file_types(self._spec)


_SPACE_PAGE = re.compile(r"^https?://(?:www\.)?huggingface\.co/spaces/([^/?#]+/[^/?#]+).*$")
"""The address of a Space's page stands for the Space."""


def _read_app(given: Any, where: str | None) -> str:
    text = given.strip().rstrip("/") if isinstance(given, str) else ""
    text = _SPACE_PAGE.sub(r"\1", text)
    try:
        parts = urlsplit(text)
    except ValueError:  # such as half of an IPv6 address
        parts = urlsplit("")
    is_url = parts.scheme in ("http", "https") and bool(parts.netloc)
    if "@" in parts.netloc:
        raise GraphError(
            "An address with a user and a password would be shown on the canvas and kept with results.",
            "Leave them out of the address; a private Space needs `hf auth login` only.",
            where,
        )
    if is_url:  # what a browser adds to the address of a page is none of the app's
        text = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if not is_url and (text.count("/") != 1 or " " in text or "" in text.split("/")):
        raise GraphError(
            f"GradioNode needs a Space's id such as 'owner/name' or a URL such as 'http://localhost:7861'; "
            f"given: {given!r}.",
            where=where,
        )
    return text


def _read_endpoint(api_name: str | int | None) -> str | int:
    if isinstance(api_name, int):
        return api_name
    return "/" + (api_name or "predict").lstrip("/")


def _default_name(source: str) -> str:
    if source.startswith(("http://", "https://")):
        parts = urlsplit(source)
        return parts.path.rstrip("/").rpartition("/")[2] or parts.netloc
    return source.rpartition("/")[2]
