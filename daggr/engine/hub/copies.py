"""Copies: a Space as it was at a commit, under the user's own name, to go on with while the Space itself moves on."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from daggr.engine.hub.answers import api
from daggr.engine.hub.identity import Credential
from daggr.engine.hub.refusals import told
from daggr.errors import DaggrError, EndpointError
from daggr.graph.nodes.remote import Repo

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LONGEST = 96
"""Characters that the name of a repository may have."""


def copy_space(repo: Repo, sha: str, credential: Credential) -> str:
    """The id of a private copy of a Space at a commit; made unless it is there already. This blocks.

    Files are copied; secrets, variables, storage and hardware are not.

    Raises:
        EndpointError: nobody is logged in, or the commit or the Space is gone.
        RemoteError: the Hub does not answer.
    """
    if not credential.token:
        raise EndpointError("A copy of a Space needs an account.", "Log in with `hf auth login`, or set HF_TOKEN.")
    hub = api(credential)
    try:
        ending = f"-{sha[:7]}"
        name = f"{hub.whoami()['name']}/{repo.id.rpartition('/')[2][: LONGEST - len(ending)]}{ending}"
        if not _is_whole(hub, name, repo, sha):
            _copy(hub, name, repo, sha)
        return name
    except DaggrError:
        raise
    except RevisionNotFoundError:
        raise EndpointError(f"Space {repo.id!r} has no commit {sha[:7]} any more.") from None
    except Exception as error:  # noqa: BLE001  (the Hub's library speaks over one of two HTTP libraries)
        raise told(repo, credential, error, ()) from None


def _is_whole(hub: HfApi, name: str, repo: Repo, sha: str) -> bool:
    """Whether there is a copy with all files of the original; one that was broken off is gone on with."""
    try:
        there = set(hub.list_repo_files(name, repo_type="space"))
    except RepositoryNotFoundError:
        return False
    return set(hub.list_repo_files(repo.id, repo_type="space", revision=sha)) <= there


def _copy(hub: HfApi, name: str, repo: Repo, sha: str) -> None:
    with tempfile.TemporaryDirectory(prefix="daggr-") as folder:
        hub.snapshot_download(repo.id, repo_type="space", revision=sha, local_dir=folder)
        hub.create_repo(name, repo_type="space", private=True, space_sdk="gradio", exist_ok=True)
        hub.upload_folder(
            repo_id=name, folder_path=folder, repo_type="space", commit_message=f"{repo.id} as it was at {sha}"
        )
