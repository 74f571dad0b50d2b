"""Refusals: what it means for a person that a provider did not answer as it was asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, OverloadedError, TextGenerationError

from daggr.engine.hub.identity import Credential
from daggr.engine.hub.patience import seconds_of
from daggr.engine.hub.refusals import page
from daggr.engine.runners.inference.route import Route
from daggr.errors import DaggrError, NodeFailedError, RemoteError
from daggr.graph.nodes.inference import InferenceSpec
from daggr.graph.nodes.remote import Repo

TRANSPORT: type[Exception] = HfHubHTTPError.__mro__[1]
"""What all troubles of huggingface_hub's connections are: an error of httpx, or of what it uses in its place."""

TOKENS = "https://huggingface.co/settings/tokens"
WORDS = 400
"""Characters of a provider's own words that are told."""


@dataclass(frozen=True)
class Trouble:
    """Why a call gave nothing.

    Attributes:
        error: What the person is told.
        began: Whether anything may have been done; if not, it can be asked again.
        loading: Whether the model is on its way.
    """

    error: DaggrError
    began: bool = True
    loading: bool = False


def without_token(spec: InferenceSpec, token: str) -> RemoteError:
    """Nobody is logged in, or not to Hugging Face."""
    if token:
        return RemoteError(
            f"{spec.name!r} calls a model, and the token in use is none of Hugging Face's (they begin with hf_).",
            f"Log in with `hf auth login`, or set HF_TOKEN to a token of {TOKENS}.",
            spec.where,
        )
    return RemoteError(
        f"{spec.name!r} calls a model, and nobody is logged in: inference providers need a Hugging Face token.",
        f"Log in with `hf auth login`, or set HF_TOKEN to a token of {TOKENS}.",
        spec.where,
    )


def trouble(
    error: Exception, spec: InferenceSpec, way: Route, credential: Credential, *, began: bool, answered: bool
) -> Trouble:
    """What an error of huggingface_hub's means.

    Args:
        error: What was raised.
        spec: The node.
        way: Where the call went.
        credential: Whose token must not be told.
        began: Whether an answer had begun to come.
        answered: Whether all of it had come: what fails then is what comes after, such as asking a queue how it goes.
    """
    found = _read(error, spec, way, way.who, answered=answered)
    made = found.error
    made.message, made.hint = credential.scrub(made.message), credential.scrub(made.hint)
    made.args = (made.message,)
    made.where = spec.where
    return replace(found, began=found.began or began or answered)


def _read(error: Exception, spec: InferenceSpec, way: Route, who: str, *, answered: bool) -> Trouble:
    name = spec.name
    said = _first_line(error)
    match error:
        case HfHubHTTPError(response=response) if response is not None:
            return _refused(response, spec, way, who)
        case OverloadedError():
            return Trouble(RemoteError(f"{who} is too busy for {name!r}: {said}", "Try again later.", retryable=True))
        case TextGenerationError():
            return Trouble(RemoteError(f"{name!r} failed: {who} says: {said}"))
        case _ if _is_unreached(error):
            return Trouble(
                RemoteError(
                    f"{who} cannot be reached for {name!r}: {said}",
                    "Is this machine online? Another provider can be named as in 'owner/name:provider'.",
                    retryable=True,
                ),
                began=False,
            )
        case _ if _is_timeout(error):
            return Trouble(
                RemoteError(
                    f"{name!r} got no word from {who} for too long.",
                    "Try again, or give it more time with idle_timeout=.",
                    retryable=True,
                )
            )
        case _ if isinstance(error, TRANSPORT):
            return Trouble(
                RemoteError(
                    f"{who} broke off while it answered {name!r}: {said}",
                    "Try again; if it stays so, name another provider as in 'owner/name:provider'.",
                    retryable=True,
                )
            )
        case _ if answered:
            return Trouble(
                RemoteError(
                    f"The answer of {who} to {name!r} cannot be read: {said}",
                    "Try again; if it stays so, name another provider as in 'owner/name:provider'.",
                )
            )
    return Trouble(
        NodeFailedError(
            f"{way.model!r} cannot be asked so: {said}",
            "Look at the values that the node is given.",
            node=name,
        )
    )


# ---------------------------------------------------------------- statuses


def _refused(response: Any, spec: InferenceSpec, way: Route, who: str) -> Trouble:
    """What a status means. `response` is one of httpx's, or of what is used in its place."""
    status, said = response.status_code, words(response)
    if status == 400 and _is_about_the_model(response):
        status = 404
    told = f": {said}" if said else "."
    name, model = spec.name, way.info.id
    message, hint, busy = f"{name!r} failed: {who} answers {status}{told}", "", False
    match status:
        case 401:
            message = f"{name!r} may not call {model!r}: the Hugging Face token in use is not valid{told}"
            hint = f"Log in anew with `hf auth login`, or set HF_TOKEN to a token of {TOKENS}."
        case 402:
            message = f"{name!r} was not carried out: {who} wants to be paid{told}"
            hint = "See https://huggingface.co/settings/billing for what is left, or name another provider."
        case 403 if way.info.gated:
            message = f"{name!r} may not call {model!r}: the model is gated{told}"
            hint = f"Ask for access at {page(Repo('model', model))}."
        case 403:
            message = f"{name!r} may not call {model!r}: the Hugging Face token in use does not allow it{told}"
            hint = f'Give it the right to "Make calls to Inference Providers" at {TOKENS}.'
        case 404 | 410:
            message = f"{model!r} is not served by {who} now{told}"
            hint = f"See {page(Repo('model', model))} for who serves it, and name one as in 'owner/name:provider'."
        case 400 | 405 | 415 | 422:
            message = f"{name!r} failed: {who} does not take what it was given{told}"
            hint = f"It was given: {', '.join(spec.inputs)}."
        case 413:
            message = f"{name!r} failed: what it was given is too large for {who}{told}"
        case 429:
            message, hint, busy = f"{who} has had too many calls to answer {name!r}{told}", "Try again later.", True
        case 503:
            message, hint, busy = f"{model!r} is not ready at {who}{told}", "Try again later.", True
        case _ if status >= 500:
            hint = "The trouble is the provider's. Try again later, or name another one as in 'owner/name:provider'."
    error = RemoteError(
        message, hint, retryable=busy or status >= 500, retry_after=seconds_of(response.headers.get("retry-after"))
    )
    seconds = _loading(response) if status == 503 else None
    if seconds is not None:
        error.retry_after = error.retry_after if error.retry_after is not None else seconds
    return Trouble(error, began=not busy, loading=seconds is not None)


def words(response: Any) -> str:
    """What a provider says of its refusal; empty if that is nothing for people."""
    document = _document(response)
    said = document
    for _ in range(4):  # such as {"error": {"message": …}}
        if isinstance(said, dict):
            said = next((said[key] for key in ("error", "message", "detail", "msg", "errors") if said.get(key)), "")
        elif isinstance(said, list):
            said = next(iter(said), "")
    text = said if isinstance(said, str) else ""
    if document is None and "html" not in response.headers.get("content-type", ""):
        text = _text(response)
    text = "" if text.lstrip().startswith("<") else " ".join(text.split())
    return text if len(text) <= WORDS else f"{text[:WORDS].rpartition(' ')[0]}…"  # never within a token


def _is_about_the_model(response: Any) -> bool:
    """Whether the router refuses the model itself, not what it was given."""
    document = _document(response)
    error = document.get("error") if isinstance(document, dict) else None
    return isinstance(error, dict) and error.get("code") in ("model_not_supported", "model_not_found")


def _loading(response: Any) -> float | None:
    """In how many seconds a model is expected that is being loaded; None if it is not."""
    document = _document(response)
    if not isinstance(document, dict):
        return None
    seconds = document.get("estimated_time")
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
        return min(max(float(seconds), 0.0), 10.0)
    return 2.0 if "loading" in str(document.get("error", "")).lower() else None


def _document(response: Any) -> Any:
    try:
        return response.json()
    except (ValueError, RuntimeError, RecursionError):  # no JSON, or it was not read
        return None


def _text(response: Any) -> str:
    try:
        return str(response.text)
    except (ValueError, RuntimeError):
        return ""


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0].strip()[:WORDS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, InferenceTimeoutError) or type(error).__name__.endswith("Timeout")


def _is_unreached(error: Exception) -> bool:
    """Whether no connection came about: nothing has been done then."""
    chain = (error, error.__cause__) if isinstance(error, InferenceTimeoutError) else (error,)
    return any(type(one).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout") for one in chain)
