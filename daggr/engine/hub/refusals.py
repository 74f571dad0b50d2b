"""Refusals: what it means for a person that the Hub did not answer as it was asked."""

from __future__ import annotations

from collections.abc import Iterable

from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from daggr.engine.hub.identity import Credential
from daggr.engine.hub.patience import seconds_of
from daggr.errors import DaggrError, EndpointError, RemoteError, did_you_mean
from daggr.graph.nodes.remote import Repo

BUSY = (408, 425, 429)
"""Statuses after which asking again can help, beside all from 500 on."""


def page(repo: Repo) -> str:
    """The address of its page."""
    return f"{constants.ENDPOINT}/{'spaces/' if repo.kind == 'space' else ''}{repo.id}"


def what(repo: Repo) -> str:
    """`Space 'owner/name'`."""
    return f"{repo.kind.capitalize()} {repo.id!r}"


def told(repo: Repo, credential: Credential, error: Exception, known: Iterable[str]) -> DaggrError:
    """What the Hub's answer means for a person."""
    match error:
        case GatedRepoError():
            return EndpointError(
                f"{what(repo)} is gated: its owner decides who may use it.",
                f"Ask for access at {page(repo)}"
                + ("." if credential.token else ", then log in with `hf auth login`."),
            )
        case DisabledRepoError():
            return EndpointError(f"{what(repo)} was disabled by Hugging Face.", f"See {page(repo)}")
        case RepositoryNotFoundError() | HFValidationError():
            return _not_found(repo, credential, known)
        case HfHubHTTPError():
            return _refused(repo, credential, error)
        case OfflineModeIsEnabled():
            return RemoteError(
                f"{what(repo)} is not looked up: HF_HUB_OFFLINE is set.", "Unset it to go online.", retryable=True
            )
        case _:
            return silent(repo, credential.scrub(f"{type(error).__name__}: {error}".partition("\n")[0])[:300])


def silent(repo: Repo, why: str) -> RemoteError:
    """The Hub cannot be reached."""
    return RemoteError(
        f"{what(repo)} cannot be looked up: {why}",
        f"Is this machine online? {constants.ENDPOINT} does not answer.",
        retryable=True,
    )


def _not_found(repo: Repo, credential: Credential, known: Iterable[str]) -> EndpointError:
    private = (
        f"If it is private, the token in use may not see it: {page(repo)}"
        if credential.token
        else "If it is private, log in with `hf auth login`, or set HF_TOKEN."
    )
    hint = f"{did_you_mean(repo.id, known)} {private}".strip()
    if repo.kind == "space":
        return EndpointError(f"Space {repo.id!r} not found on Hugging Face.", hint)
    return EndpointError(
        f"Model {repo.id!r} not found on Hugging Face Hub. "
        "Please check the model name is correct (format: 'username/model-name').",
        hint,
    )


def _refused(repo: Repo, credential: Credential, error: HfHubHTTPError) -> DaggrError:
    status = error.response.status_code
    if status == 401:
        return RemoteError(
            f"{what(repo)} cannot be looked up: the Hugging Face token in use is not valid.",
            "Log in anew with `hf auth login`, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens.",
        )
    if status == 403:
        return EndpointError(
            f"{what(repo)} cannot be looked up: the Hugging Face token in use may not read it.",
            f"Give the token the right to read it, at https://huggingface.co/settings/tokens, or see {page(repo)}",
        )
    said = credential.scrub(error.server_message or "").strip()[:300]
    if said.startswith("<"):
        said = ""  # a page, of whatever stands before the Hub
    is_busy = status in BUSY or status >= 500
    return RemoteError(
        f"{what(repo)} cannot be looked up: Hugging Face answers {status}{': ' + said if said else ''}.",
        "It is busy or out of order; try again later." if is_busy else "",
        retryable=is_busy,
        retry_after=seconds_of(error.response.headers.get("retry-after")),
    )
