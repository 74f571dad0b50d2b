"""What an app refuses, or how it fails, as one sentence that a person can act on. Its pages are never quoted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from daggr.engine.hub.patience import patiently, seconds_of
from daggr.engine.runners.gradio.session import Session
from daggr.errors import RemoteError

BUSY = (429, 503)
"""What an app says that has not begun anything."""

HARMLESS = (*BUSY, 500)
"""After what it is asked again for something that may be done twice."""

QUOTED = 500
"""Characters of its own words at most."""


async def accepted(
    session: Session, ask: Callable[[], Awaitable[httpx.Response]], busy: tuple[int, ...]
) -> httpx.Response:
    """The answer to a question that is asked again as long as it is one of `busy`, or the app cannot be reached.

    Raises:
        RemoteError: it stays so, or the answer is no success.
        httpx.HTTPError: the connection was lost on the way, so nobody knows what was done.
    """

    async def once() -> httpx.Response:
        try:
            answer = await ask()
        except httpx.ConnectError as error:
            raise broken(session, error) from error
        if answer.status_code in busy:
            raise refused(session, answer)
        return answer

    answer = await patiently(once, session.spec.retries, lambda text: session.call.progress(None, text))
    if not answer.is_success:
        raise refused(session, answer)
    return answer


def refused(session: Session, answer: httpx.Response, what: str = "the call") -> RemoteError:
    """An answer that is no success, in words. Its body has been read."""
    status = answer.status_code
    said = _short(session.scrub(words_of(answer)))  # in this order: half a token would not be known as one
    return RemoteError(
        f"{session.spec.source!r} refuses {what} with {status}: {said or _phrase(status)}",
        session.scrub(_advice(session, answer, said)),
        session.spec.where,
        retryable=status in (404, 408, 425, 429) or status >= 500,
        retry_after=seconds_of(answer.headers.get("retry-after")),
    )


def words_of(answer: httpx.Response) -> str:
    """What an app says about a refusal; nothing if that is a page."""
    text = answer.text.strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<" in text[:QUOTED] or "html" in answer.headers.get("content-type", "") else text
    if isinstance(document, dict):
        document = next((document[name] for name in ("detail", "error", "message") if document.get(name)), document)
    if isinstance(document, list):
        return "; ".join(filter(None, map(_complaint, document)))
    return _complaint(document)


def _complaint(part: Any) -> str:
    """What is wrong with one argument, in FastAPI's way to say it or in Gradio's own (`gr.validate`)."""
    if not isinstance(part, Mapping):
        return str(part)
    if part.get("is_valid") is True:
        return ""
    place = part.get("parameter_name") or ".".join(str(step) for step in part.get("loc") or () if step != "body")
    text = next((str(part[name]) for name in ("msg", "message", "error", "detail") if part.get(name)), "")
    return f"{place}: {text}" if place and text else text or json.dumps(part)


def _short(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 1]}…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _advice(session: Session, answer: httpx.Response, said: str) -> str:
    status, spec = answer.status_code, session.spec
    if status in (401, 403):
        if spec.is_space:
            return f"If the Space is private, log in with `hf auth login` as somebody who may use it; see {spec.link}."
        return "It wants to know who asks; daggr cannot log in to apps that have a login of their own."
    if answer.has_redirect_location:
        return f"It has moved: give the address {answer.headers['location']!r}."
    if "queue is full" in said.lower():
        return "Its queue is full; try again later, or let fewer calls run at the same time."
    if status == 429:
        return "It had too many requests; try again later."
    return {
        404: "It was started anew or is another app now; run again, and check the address if it stays so.",
        413: "The app takes no file or value of this size.",
        422: "The app does not take these values; check the inputs of the node.",
    }.get(status, "It is starting, busy or out of order; try again later." if status >= 500 else "")


def broken(session: Session, error: httpx.HTTPError) -> RemoteError:
    """A connection that was not made, or lost, in words."""
    source, where = session.spec.source, session.spec.where
    match error:
        case httpx.ConnectTimeout():
            message = f"{source!r} took no connection within {session.connect:g} s."
            hint = f"Is the app running at {session.app.root}? connect_timeout= of the node sets how long is waited."
        case httpx.ConnectError():
            message = f"{source!r} cannot be reached: {error}".rstrip(": ")
            hint = f"Is the app running at {session.app.root}?"
        case httpx.TimeoutException():
            message = f"{source!r} said nothing for {session.idle:g} s."
            hint = "It is stuck or very busy; idle_timeout= of the node sets how long is waited for a word."
        case _:
            message = f"{source!r} broke off: {type(error).__name__} {error}".rstrip()
            hint = "It was restarted or the network failed; run again, and look at the app's own log if it stays so."
    return RemoteError(session.scrub(message), hint, where, retryable=True)


def odd(session: Session, what: str) -> RemoteError:
    """An answer that no Gradio app gives, in words."""
    return RemoteError(
        session.scrub(f"{session.spec.source!r} {what}."),
        "Something between here and the app changes its answers, or the app was changed just now; run again.",
        session.spec.where,
        retryable=True,
    )


def failed(session: Session, reason: Any) -> RemoteError:
    """A function of the app's that failed, in the app's own words."""
    said = _short(str(reason)) if reason else "it gave no reason (an app tells it only with launch(show_error=True))"
    return RemoteError(f"{session.spec.name!r} failed: {session.spec.source!r} says: {said}", where=session.spec.where)


def gone(session: Session, reason: str) -> RemoteError:
    """An app that ended, or was started anew, while it worked."""
    return RemoteError(
        f"{session.spec.source!r} {reason}.",
        "What it had begun is lost; run again when the app is up.",
        session.spec.where,
        retryable=True,
    )
