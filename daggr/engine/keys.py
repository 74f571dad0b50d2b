"""Keys: what makes a result reusable.

The action key K stands for a definition and the digests of all inputs. The lookup key L is the same with the
fingerprint of the provider in place of every sampled value, so it can be known before anything is drawn. A key is 16
bytes of xxh3 and only finds candidates; `same_action` and `same_lookup` compare what the keys stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daggr.digest import Digest, Key, encode, key
from daggr.store.records import Binding, Run

KEY_VERSION = 1
"""Changed with the meaning of keys: a cold cache, never a wrong hit."""


@dataclass(frozen=True)
class Identity:
    """What keys stand for: a fingerprint and, by port, a digest of each input (or of its provider, if `sampled`)."""

    fingerprint: Digest
    values: Mapping[str, bytes]
    providers: Mapping[str, bytes]

    @property
    def action(self) -> Key:
        """K. Every sampled value must be among `values`."""
        return key(encode([KEY_VERSION, "action", self.fingerprint, _pairs(self.values)]))

    @property
    def lookup(self) -> Key:
        """L."""
        fixed = {port: value for port, value in self.values.items() if port not in self.providers}
        return key(encode([KEY_VERSION, "lookup", self.fingerprint, _pairs(fixed), _pairs(self.providers)]))


def _pairs(by_port: Mapping[str, bytes]) -> list[list[object]]:
    return [[port, by_port[port]] for port in sorted(by_port)]


def identity_of(fingerprint: Digest, inputs: Iterable[Binding]) -> Identity:
    """The identity of recorded or resolved inputs."""
    inputs = list(inputs)
    return Identity(
        fingerprint,
        {binding.port: binding.digest for binding in inputs},
        {binding.port: binding.provider for binding in inputs if binding.source == "sampled"},
    )


def same_action(run: Run, identity: Identity) -> bool:
    """Whether a run is of exactly this definition and these inputs."""
    return run.fingerprint == identity.fingerprint and {b.port: b.digest for b in run.inputs} == dict(identity.values)


def same_lookup(run: Run, identity: Identity) -> bool:
    """Whether a run is of this definition and these inputs, sampled values aside."""
    recorded = identity_of(identity.fingerprint, run.inputs)
    return (
        run.fingerprint == identity.fingerprint
        and dict(recorded.providers) == dict(identity.providers)
        and {port: value for port, value in recorded.values.items() if port not in recorded.providers}
        == {port: value for port, value in identity.values.items() if port not in identity.providers}
    )
