"""Values on their way in: files by the ids that this user was given, and numbers as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from daggr.errors import UnknownInputError
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.interaction import InteractionSpec
from daggr.server.values import Values
from daggr.store.artifacts import FileRef


def file_digest(values: Values, name: str, given: Any) -> bytes:
    """The digest of an uploaded file that is given where a file is asked for.

    Raises:
        UnknownInputError: it is no upload of this user. Paths and URLs never become files.
    """
    digest = values.digest_of(given.get("artifact")) if isinstance(given, dict) else None
    if digest is None:
        raise UnknownInputError(
            f"Input {name!r} takes a file; given: {str(given)[:80]!r}.",
            'Upload it with PUT /api/uploads?name=… and give {"artifact": id} of the answer.',
        )
    return digest


def asks_file(spec: NodeSpec | None) -> bool:
    """Whether an interaction is answered with a file."""
    if not isinstance(spec, InteractionSpec):
        return False
    first = next(iter(spec.outputs.values()), None)
    generic = spec.interaction_type == "generic" and first is not None and first.is_file
    return generic or spec.interaction_type == "image_input"


def as_option(options: Iterable[Any], given: Any) -> Any:
    """An answer as the option it means: JSON from a browser cannot tell 2.0 from 2."""
    if type(given) is not int:
        return given
    equal = [option for option in options if type(option) in (int, float) and option == given]
    return given if not equal or any(type(option) is int for option in equal) else float(given)


def with_files(values: Values, known: Mapping[str, FileRef], given: Any) -> Any:
    """A value with its files: uploads by `{"artifact": id}`, and those that it had before by their URLs."""
    if isinstance(given, str):
        return known.get(given, given)
    if isinstance(given, list):
        return [with_files(values, known, part) for part in given]
    if isinstance(given, dict):
        if set(given) == {"artifact"} and (digest := values.digest_of(given["artifact"])) is not None:
            return FileRef(digest)
        return {name: with_files(values, known, part) for name, part in given.items()}
    return given
