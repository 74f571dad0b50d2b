"""What `tests/conftest.py` gives: a Hub, an app, and a proxy before it."""

from __future__ import annotations

import urllib.request

import pytest
from huggingface_hub import HfApi, get_token

from daggr.testing.apps import GradioApp
from daggr.testing.hub import FakeHub
from daggr.testing.proxy import FaultProxy


def test_the_hub_is_the_one_that_is_spoken_with(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_token() is None
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert HfApi().whoami()["name"] == "ada"
    assert [one.path for one in hub.requests] == ["/api/whoami-v2"]


def test_the_proxy_stands_before_the_app(proxy: FaultProxy, gradio_app: GradioApp) -> None:
    with urllib.request.urlopen(f"{proxy.url}/config") as answer:
        assert b'"dependencies"' in answer.read()
    assert proxy.upstream == gradio_app.url
    assert proxy.requests == [("GET", "/config")]
