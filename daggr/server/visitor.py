"""Visitors: on whose behalf a request calls remote apps and models."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.exceptions import NotAuthorizedException

from daggr.engine.hub.identity import Credential, local
from daggr.server.served import Served


@dataclass(frozen=True)
class Visitor:
    """Who asks. The credential is None for who is logged in on this machine."""

    user: str
    credential: Credential | None = None


async def visitor_of(served: Served, request: Request[Any, Any, Any]) -> Visitor:
    """The visitor behind a request: `Authorization: Bearer hf_…` is a Hugging Face token of theirs.

    What a Space's own door says of its visitor (`x-ip-token`) is passed on to the Spaces that are called.

    Raises:
        NotAuthorizedException: the token is not valid.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    ip_token = request.headers.get("x-ip-token", "")
    if scheme.lower() != "bearer" or not token.startswith("hf_"):
        return Visitor(served.user, Credential(local().token, ip_token) if ip_token else None)
    credential = Credential(token.strip(), ip_token, personal=True)
    name = await asyncio.wrap_future(served.engine.account(credential))
    if not name:
        raise NotAuthorizedException("The Hugging Face token of this request is not valid.")
    return Visitor(f"hf:{name}", credential)  # nobody else has such a name, whatever it is on the Hub
