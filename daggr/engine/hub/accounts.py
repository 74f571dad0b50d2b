"""Accounts: whose a token is."""

from __future__ import annotations

import asyncio
import time

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError

from daggr.engine.hub.identity import Credential
from daggr.engine.hub.together import Together
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import RemoteError

MOST = 1024
"""Accounts that are remembered."""

KEPT = 300.0
"""Seconds for which a token is its user's: it may be revoked."""

TIMEOUT = 10.0
"""Seconds in which the Hub must answer."""

_REFUSED = (400, 401, 403)


class Accounts:
    """The users behind tokens, each asked for once in a while. Nothing of it leaves memory.

    Args:
        worker: The threads in which the Hub is asked.
    """

    def __init__(self, worker: ThreadWorker) -> None:
        self._worker = worker
        self._names: dict[str, tuple[float, str]] = {}
        self._asking: Together[str, str] = Together()

    async def name(self, credential: Credential) -> str:
        """The user's name on the Hub; empty if the token is not valid.

        Raises:
            RemoteError: the Hub does not answer.
        """
        token = credential.token
        since, known = self._names.get(token, (0.0, ""))
        if known and time.monotonic() - since < KEPT:
            return known

        async def ask() -> str:
            name = await in_thread(self._worker, lambda: _name(token))
            self._names.pop(token, None)
            if name:
                self._names[token] = (time.monotonic(), name)
            while len(self._names) > MOST:
                del self._names[next(iter(self._names))]
            return name

        try:
            return await asyncio.wait_for(self._asking.ask(token, ask), TIMEOUT)
        except asyncio.TimeoutError:
            raise _silent(f"it does not answer within {TIMEOUT:g} s") from None


def _name(token: str) -> str:
    try:
        return str(huggingface_hub.HfApi(token=token).whoami()["name"])
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in _REFUSED:
            return ""
        trouble = f"it answers {error.response.status_code}" if error.response is not None else type(error).__name__
    except Exception as error:  # noqa: BLE001  (the Hub's library speaks over one of two HTTP libraries)
        trouble = type(error).__name__
    raise _silent(trouble)


def _silent(why: str) -> RemoteError:
    return RemoteError(f"The Hugging Face Hub cannot say whose token this is: {why}.", "Try again.", retryable=True)
