"""Making huggingface_hub speak with another Hub. Its addresses are constants, some of them copied at import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import constants, hf_api
from huggingface_hub.inference import _providers as providers
from huggingface_hub.inference._providers import _common as mappings
from huggingface_hub.inference._providers import hf_inference
from huggingface_hub.utils import _http as transport

ROUTER = "https://router.huggingface.co"


def environment(url: str) -> dict[str, str]:
    """What a process is told to speak with the Hub at `url`. Merge it into its environment."""
    return {
        "HF_ENDPOINT": url,
        "HF_INFERENCE_ENDPOINT": url,
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@contextmanager
def patched(url: str) -> Iterator[None]:
    """Within this, all that huggingface_hub does in this process goes to `url`, inference included."""
    changed: list[tuple[Any, str, Any]] = []

    def change(where: Any, name: str, value: Any) -> None:
        if hasattr(where, name):
            changed.append((where, name, getattr(where, name)))
            setattr(where, name, value)

    change(constants, "ENDPOINT", url)
    change(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    change(constants, "INFERENCE_ENDPOINT", url)
    change(constants, "INFERENCE_PROXY_TEMPLATE", url + "/{provider}")
    change(constants, "HF_HUB_OFFLINE", False)
    change(constants, "HF_HUB_DISABLE_XET", True)
    change(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    change(constants, "HF_URL_HOSTS", getattr(constants, "HF_URL_HOSTS", frozenset()) | {urlsplit(url).hostname})
    change(hf_api.api, "endpoint", url)
    change(providers.CONVERSATIONAL_AUTO_ROUTER, "base_url", url)
    for tasks in providers.PROVIDERS.values():
        for task in tasks.values():
            if task.base_url.startswith(ROUTER):
                change(task, "base_url", url + task.base_url.removeprefix(ROUTER))
    _forget()
    try:
        yield
    finally:
        for where, name, value in reversed(changed):
            setattr(where, name, value)
        _forget()


def _forget() -> None:
    """Close its connections, and empty what it remembers of the Hub."""
    for cached in (
        mappings._fetch_inference_provider_mapping,
        hf_inference._check_supported_task,
        hf_inference._fetch_recommended_models,
    ):
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    if hasattr(transport, "close_session"):
        transport.close_session()
    if hasattr(hf_api.api, "_whoami_cache"):
        hf_api.api._whoami_cache.clear()
