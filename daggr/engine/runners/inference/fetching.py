"""What huggingface_hub asks by itself to read an answer: how a call in a queue goes, and files at an address in it.

It asks in a thread, where no cancellation comes, through the client that all of the process shares, which waits without
an end. So this client is watched: what it asks for a call of ours takes its time only, is over when the call is, and
does not go where nobody but this machine can go. What others ask through it is left alone.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from huggingface_hub import constants, get_session

_CALL: ContextVar[Fetching | None] = ContextVar("_CALL", default=None)


class Fetching:
    """What is asked for one call, in its task and in threads that this begins. Use it in a `with` statement.

    Args:
        waits: The seconds of each wait, as the client names them.
    """

    def __init__(self, waits: dict[str, float | None]) -> None:
        self.waits = waits
        self.over = False

    def __enter__(self) -> None:
        self._token = _CALL.set(self)

    def __exit__(self, *raised: object) -> None:
        self.over = True
        _CALL.reset(self._token)


def watch() -> None:
    """See to it that the client is watched. It may be another one than the last time."""
    hooks: list[Any] = get_session().event_hooks["request"]
    if _look not in hooks:
        hooks.append(_look)


def _look(request: Any) -> None:
    """Before anything is asked, also where a redirect leads."""
    call = _CALL.get()
    if call is None:
        return
    if call.over:
        raise ValueError("nobody waits for it any more")
    check_address(str(request.url))
    request.extensions["timeout"] = dict(call.waits)


def check_address(url: str) -> None:
    """See to it that an address out of an answer is none within this machine or its network.

    Names are not looked up: only what says so itself is found.

    Raises:
        ValueError: it is, and neither the Hub nor its router is there.
    """
    place = urlsplit(url)
    ours = (constants.ENDPOINT, constants.INFERENCE_ENDPOINT, constants.INFERENCE_PROXY_TEMPLATE)
    if _is_inner(place.hostname or "") and place.netloc not in [urlsplit(one).netloc for one in ours]:
        raise ValueError(f"it names {place.hostname!r}, which is no address of the internet's")


def _is_inner(host: str) -> bool:
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with contextlib.suppress(OSError, UnicodeError):  # 127.1, 0x7f000001 and the like: they are connected to as well
        host = socket.inet_ntoa(socket.inet_aton(host))
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not (getattr(address, "ipv4_mapped", None) or address).is_global
