"""A token is sent to the Hub and to Spaces, and is to be found nowhere else."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from pathlib import Path

import pytest

from daggr import DaggrError
from daggr.engine.hub.identity import NOBODY, Credential
from daggr.engine.hub.revisions import Revisions
from daggr.engine.hub.settling import KEEP, Settling
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.nodes.remote import Repo
from daggr.testing.hub import FakeHub
from tests.unit.engine.hub.rooms import TOKEN, SmallApp, node, opened
from tests.unit.engine.hub.test_revisions import caller, drawing

IP_TOKEN = "ip-token-that-nobody-may-see"


def test_no_token_is_left_on_disk_in_logs_or_in_errors(
    hub: FakeHub, tmp_path: Path, own_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hub.add_user(TOKEN, "ada")
    credential = Credential(TOKEN, IP_TOKEN)
    echo = json.dumps({"error": f"what is {TOKEN}?"}).encode()
    failures: list[DaggrError] = []
    said: list[str] = []

    async def everything() -> None:
        worker = ThreadWorker()
        async with opened(tmp_path) as catalogue:
            spec = node("ada/secret")
            await catalogue.check(spec, credential)
            await catalogue.app(spec, credential)
            await catalogue.hub.model("ada/model", credential)
            for status in (400, 401, 403, 404, 418, 429, 500, 503):
                hub.fail("/api/", status, echo, {"X-Error-Message": f"no {TOKEN}"})
                for ask in (catalogue.hub.space, catalogue.hub.model):
                    try:
                        await ask("ada/secret", credential, fresh=True)
                    except DaggrError as error:
                        failures.append(error)
            hub.add_space("ada/broken", "http://127.0.0.1:1", stage="RUNTIME_ERROR", error=f"bad token {TOKEN}")
            try:
                await catalogue.check(node("ada/broken"), credential)
            except DaggrError as error:
                failures.append(error)
            revisions = Revisions(tmp_path / "revisions.json")
            revisions.record("g", {Repo("space", "ada/secret"): space.sha})
            space.commit({"app.py": b"2"})
            settling = Settling(catalogue.hub, revisions, worker, credential, said.append, lambda _, __: KEEP)
            await settling.settle(drawing(caller("ada/secret", "n")), "ask")
        worker.close()

    with SmallApp() as app:
        space = hub.add_space("ada/secret", app.url, private=True, files={"app.py": b"1", "README.md": b"---\n---\n"})
        hub.add_model("ada/model", private=True)
        asyncio.run(everything())
        assert any(TOKEN in str(asked.headers) for asked in app.requests), "the Space is sent it"
    assert any("From now on" in text for text in said)
    assert len(failures) > 8

    kept = {path: path.read_bytes() for root in (tmp_path, own_home) for path in root.rglob("*") if path.is_file()}
    assert len(kept) > 3
    told = [str(error) + repr(error) + "".join(traceback.format_exception(error)) for error in failures]
    for secret in (TOKEN, IP_TOKEN):
        assert [path for path, content in kept.items() if secret.encode() in content] == []
        assert [line for text in [*said, *told, caplog.text] for line in text.splitlines() if secret in line] == []


def test_nobody_sends_nothing(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the machine has a token: whose it is used for is said with each call."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add_user(TOKEN, "ada")

    async def ask() -> None:
        async with opened(tmp_path) as catalogue:
            await catalogue.check(node("owner/name"), NOBODY)
            await catalogue.app(node("owner/name"), NOBODY)

    with SmallApp() as app:
        hub.add_space("owner/name", app.url)
        asyncio.run(ask())
        assert not [one for one in [*app.requests, *hub.requests] if TOKEN in str(one)]
