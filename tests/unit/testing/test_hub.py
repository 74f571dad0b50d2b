"""The fake Hub says what the Hub says: huggingface_hub is the judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from daggr.testing.hub import FakeHub

FILES = {"README.md": b"# hello", "app.py": b"import gradio", "deep/er/file.txt": b"text"}


@pytest.fixture
def api(hub: FakeHub) -> HfApi:
    return HfApi(token=hub.token)


def test_a_space_is_described(hub: FakeHub, api: HfApi) -> None:
    space = hub.add_space("ada/app", "http://127.0.0.1:9/", sha="a" * 40, files=FILES)
    found = api.space_info("ada/app")
    assert (found.id, found.host, found.sha, found.author) == ("ada/app", "http://127.0.0.1:9", "a" * 40, "ada")
    assert found.runtime is not None
    assert found.runtime.stage == "RUNNING"
    assert [file.rfilename for file in found.siblings or ()] == sorted(FILES)
    space.stage, space.error = "RUNTIME_ERROR", "no memory"
    runtime = api.get_space_runtime("ada/app")
    assert (runtime.stage, runtime.raw["errorMessage"]) == ("RUNTIME_ERROR", "no memory")


def test_a_host_of_the_hub_is_given_if_none_is_named(hub: FakeHub, api: HfApi) -> None:
    hub.add_space("Ada/My_App.2")
    assert api.space_info("Ada/My_App.2").host == "https://ada-my-app-2.hf.space"


def test_a_model_is_described(hub: FakeHub, api: HfApi) -> None:
    hub.add_model("x/chat", tags=["conversational"], providers={"groq": None, "novita": "text-generation"})
    found = api.model_info("x/chat", expand=["inferenceProviderMapping"])
    assert found.inference_provider_mapping is not None
    served = [(one.provider, one.task, one.status) for one in found.inference_provider_mapping]
    assert served == [("groq", "conversational", "live"), ("novita", "text-generation", "live")]
    whole = api.model_info("x/chat")
    assert (whole.pipeline_tag, whole.inference_provider_mapping) == ("text-generation", None)
    assert "conversational" in (whole.tags or [])


@pytest.mark.parametrize(("known", "status"), [(True, 404), (False, 401)])
def test_what_is_not_there(hub: FakeHub, known: bool, status: int) -> None:
    hub.add_space("eve/secret", private=True)
    api = HfApi(token=hub.token if known else False)
    for look in (lambda: api.model_info("no/such"), lambda: api.space_info("eve/secret")):
        with pytest.raises(RepositoryNotFoundError) as raised:
            look()
        assert raised.value.response.status_code == status


def test_private_is_seen_by_its_owner_and_guests(hub: FakeHub, api: HfApi) -> None:
    hub.add_space("ada/mine", private=True)
    hub.add_space("eve/shared", private=True).allowed.add("ada")
    assert api.space_info("ada/mine").private
    assert api.space_info("eve/shared").private


@pytest.mark.parametrize(("known", "status"), [(True, 403), (False, 401)])
def test_gated_is_seen_by_all_and_opened_by_few(hub: FakeHub, tmp_path: Path, known: bool, status: int) -> None:
    model = hub.add_model("x/gated", gated=True)
    model.files["weights"] = b"1"
    token = hub.token if known else False
    assert HfApi(token=token).model_info("x/gated").gated == "auto"
    with pytest.raises(GatedRepoError) as raised:
        hf_hub_download("x/gated", "weights", token=token, cache_dir=tmp_path)
    assert raised.value.response.status_code == status
    model.allowed.add("ada")
    assert Path(hf_hub_download("x/gated", "weights", token=hub.token, cache_dir=tmp_path)).read_bytes() == b"1"


def test_a_wrong_token_is_refused_everywhere(hub: FakeHub) -> None:
    hub.add_space("ada/app")
    with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
        HfApi(token="hf_wrong").space_info("ada/app")
    with pytest.raises(HfHubHTTPError) as raised:
        HfApi(token="hf_wrong").whoami()
    assert raised.value.response.status_code == 401


def test_a_snapshot_of_any_commit(hub: FakeHub, api: HfApi, tmp_path: Path) -> None:
    space = hub.add_space("ada/app", files=FILES)
    first = space.sha
    folder = Path(api.snapshot_download("ada/app", repo_type="space", cache_dir=tmp_path))
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == FILES
    second = space.commit({**FILES, "app.py": b"changed"})
    for sha, text in ((first, FILES["app.py"]), (second, b"changed")):
        folder = Path(snapshot_download("ada/app", repo_type="space", revision=sha, cache_dir=tmp_path))
        assert (folder / "app.py").read_bytes() == text
    assert api.space_info("ada/app").sha == second
    with pytest.raises(RevisionNotFoundError):
        api.space_info("ada/app", revision="b" * 40)
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download("ada/app", "none.py", repo_type="space", cache_dir=tmp_path)


def test_a_space_is_made_and_filled(hub: FakeHub, api: HfApi, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    secrets = [{"key": "KEY", "value": "value"}]
    url = api.create_repo("ada/new", repo_type="space", space_sdk="gradio", private=True, space_secrets=secrets)
    assert url == f"{hub.url}/spaces/ada/new"
    space = hub.spaces["ada/new"]
    assert (space.private, space.secrets, space.stage) == (True, {"KEY": "value"}, "NO_APP_FILE")
    commit = api.upload_folder(repo_id="ada/new", repo_type="space", folder_path=tmp_path)
    assert (space.files, space.sha, space.stage) == (FILES, commit.oid, "BUILDING")
    api.delete_file("app.py", "ada/new", repo_type="space")
    assert sorted(space.files) == ["README.md", "deep/er/file.txt"]
    api.create_repo("ada/new", repo_type="space", space_sdk="gradio", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo("ada/new", repo_type="space", space_sdk="gradio")
    api.delete_repo("ada/new", repo_type="space")
    assert hub.spaces == {}


def test_nobody_writes_what_is_not_theirs(hub: FakeHub, api: HfApi) -> None:
    hub.add_space("eve/app")
    for write in (
        lambda: api.create_repo("eve/new", repo_type="space", space_sdk="gradio"),
        lambda: api.add_space_secret("eve/app", "KEY", "value"),
        lambda: api.upload_file(path_or_fileobj=b"", path_in_repo="a", repo_id="eve/app", repo_type="space"),
        lambda: api.restart_space("eve/app"),
    ):
        with pytest.raises(HfHubHTTPError, match="403"):
            write()
    hub.add_user(hub.token, "ada", ["eve"])
    api.create_repo("eve/new", repo_type="space", space_sdk="gradio")


def test_secrets_and_variables(hub: FakeHub, api: HfApi) -> None:
    space = hub.add_space("ada/app")
    api.add_space_secret("ada/app", "S", "hidden")
    api.add_space_variable("ada/app", "V", "seen")
    assert (space.secrets, space.variables) == ({"S": "hidden"}, {"V": "seen"})
    assert api.get_space_variables("ada/app")["V"].value == "seen"
    api.delete_space_secret("ada/app", "S")
    assert space.secrets == {}
    assert api.pause_space("ada/app").stage == "PAUSED"
    assert api.restart_space("ada/app").stage == "RUNNING"


def test_a_space_is_duplicated(hub: FakeHub, api: HfApi) -> None:
    hub.add_space("eve/app", "http://127.0.0.1:9", files=FILES)
    assert api.duplicate_repo("eve/app", repo_type="space", private=True).repo_id == "ada/app"
    copy = hub.spaces["ada/app"]
    assert (copy.files, copy.private, copy.stage, copy.url) == (FILES, True, "BUILDING", "")


def test_searching(hub: FakeHub, api: HfApi) -> None:
    hub.add_space("ada/cat-painter")
    hub.add_space("eve/cat-secret", private=True)
    hub.add_model("ada/cats")
    assert [space.id for space in api.list_spaces(search="cat")] == ["ada/cat-painter"]
    assert [model.id for model in api.list_models(search="cat")] == ["ada/cats"]


def test_requests_are_kept_and_can_fail(hub: FakeHub, api: HfApi) -> None:
    hub.add_space("ada/app")
    hub.fail("/api/spaces/", 503, b"busy", {"Retry-After": "7"}, times=2)
    for _ in range(2):
        with pytest.raises(HfHubHTTPError) as raised:
            api.space_info("ada/app")
        assert raised.value.response.headers["Retry-After"] == "7"
    api.space_info("ada/app")
    assert [one.token for one in hub.asked("^/api/spaces/ada/app$", "GET")] == [hub.token] * 3


def test_it_leaves_huggingface_hub_as_it_was() -> None:
    before: Callable[[], list[Any]] = lambda: [  # noqa: E731
        constants.ENDPOINT,
        constants.INFERENCE_PROXY_TEMPLATE,
        constants.HF_HUB_OFFLINE,
        HfApi().endpoint,
    ]
    was = before()
    with FakeHub() as hub, hub.patched():
        url = hub.url
        assert was != before()
        HfApi(token=hub.add_user("hf_x", "x")).whoami()
    assert was == before()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with pytest.raises(RuntimeError, match="not running"):
        _ = hub.url
