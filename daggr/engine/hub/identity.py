"""Who calls: a token for the Hugging Face Hub and its Spaces, which is sent there and never shown.

A token is no part of keys, records, logs, events or errors. What is sent back goes through `Credential.scrub`: an app
could repeat what it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import huggingface_hub

HIDDEN = "hf_***"
"""What is shown in the place of a token."""

_SHORTEST = 8


@dataclass(frozen=True)
class Credential:
    """Who calls remote apps and models.

    Attributes:
        token: A Hugging Face token; empty for nobody.
        ip_token: What a Space is told of its visitor, for the quotas of ZeroGPU; empty if there is nothing.
        personal: Whether the token is a visitor's own: what it made serves that visitor only.
    """

    token: str = field(default="", repr=False)
    ip_token: str = field(default="", repr=False)
    personal: bool = False

    def headers(self) -> Mapping[str, str]:
        """The headers for a Space. Nobody else is sent them."""
        sent: dict[str, str] = {}
        if self.token:
            sent["x-hf-authorization"] = f"Bearer {self.token}"  # the Hub's door takes it off; the app does not see it
        if self.ip_token:
            sent["x-ip-token"] = self.ip_token
        return sent

    def scrub(self, text: str) -> str:
        """A text without the tokens."""
        for secret in (self.token, self.ip_token):
            if len(secret) >= _SHORTEST and secret in text:
                text = text.replace(secret, HIDDEN)
        return text


NOBODY = Credential()


def local() -> Credential:
    """Who is logged in on this machine (`HF_TOKEN`, `hf auth login`), as huggingface_hub knows it."""
    return Credential(huggingface_hub.get_token() or "")


def may_know(url: str) -> bool:
    """Whether an address is a Space's, which may be sent a token of Hugging Face's."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(".hf.space")
