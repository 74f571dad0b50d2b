"""Accounts: whose a token is."""

from __future__ import annotations

from collections import OrderedDict

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError

from daggr.engine.hub.identity import Credential
from daggr.engine.workers.blocking import in_thread
from daggr.engine.workers.thread import ThreadWorker
from daggr.errors import RemoteError

KEPT = 1024
"""Accounts that are remembered."""

_REFUSED = (400, 401, 403)


class Accounts:
    """The users behind tokens, each asked for once. Nothing of it leaves memory.

    Args:
        worker: The threads in which the Hub is asked.
    """

    def __init__(self, worker: ThreadWorker) -> None:
        self._worker = worker
        self._names: OrderedDict[Credential, str] = OrderedDict()

    async def name(self, credential: Credential) -> str:
        """The user's name on the Hub; empty if the token is not valid.

        Raises:
            RemoteError: the Hub does not answer.
        """
        if (known := self._names.get(credential)) is not None:
            self._names.move_to_end(credential)
            return known
        name = await in_thread(self._worker, lambda: _name(credential))
        if name:
            self._names[credential] = name
            if len(self._names) > KEPT:
                self._names.popitem(last=False)
        return name


def _name(credential: Credential) -> str:
    try:
        return str(huggingface_hub.HfApi(token=credential.token).whoami()["name"])
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in _REFUSED:
            return ""
        trouble = f"it answers {error.response.status_code}" if error.response is not None else type(error).__name__
    except Exception as error:  # noqa: BLE001  (the Hub's library speaks over one of two HTTP libraries)
        trouble = type(error).__name__
    raise RemoteError(f"The Hugging Face Hub cannot say whose token this is: {trouble}.", "Try again.", retryable=True)
