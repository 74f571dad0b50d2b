"""What comes in from outside: defaults and constants of a script, and values that people and callers give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daggr.digest import Digest, UnencodableError
from daggr.engine.program import Program, default_value
from daggr.errors import UnknownInputError, did_you_mean
from daggr.graph.drawing import UiInput
from daggr.store.artifacts import FileRef, Staged
from daggr.store.store import Store


@dataclass(frozen=True)
class Stored:
    """An input that is an artifact of the store already, such as an upload."""

    digest: bytes


def keep_program(store: Store, define: Callable[[Callable[[UiInput], Digest]], Program]) -> Program:
    """Define a program, and keep its constants, its defaults and the names of its variants."""
    staged: list[Staged] = []

    def stage(value: Any, *, is_file: bool = False) -> Digest:
        item = (
            store.artifacts.stage_file(Path(value)) if is_file and value is not None else store.artifacts.stage(value)
        )
        staged.append(item)
        return item.digest

    program = define(lambda field: stage(default_value(field), is_file=field.component.is_file))
    variants = [(name, found) for choice in program.variants.values() for name, found in choice.items()]
    for definition in [*program.definitions.values(), *(found for _, found in variants)]:
        for constant in definition.fixed.values():
            if not constant.volatile:
                stage(constant.value)
    for name, _ in variants:
        stage(name)
    _keep_new(store, staged)
    return program


def stage_inputs(store: Store, program: Program, values: Mapping[str, Any]) -> dict[str, bytes]:
    """Keep values for inputs, by any of their ids. Returns their digests by the inputs' own ids.

    Raises:
        UnknownInputError: an id that the graph does not have, with the closest one that it has.
    """
    digests: dict[str, bytes] = {}
    staged: list[Staged] = []
    selecting = {field.id for field in program.drawing.choices.values()}
    chosen: dict[str, Any] = {}
    for given in values:
        known = program.drawing.inputs.get(given)
        if known is not None and known.id in selecting and not isinstance(values[given], Stored):
            chosen[known.id] = _normal(given, known, values[given])
    if chosen:  # what a variant asks is known once it is selected
        program = program.choose({c: chosen[f.id] for c, f in program.drawing.choices.items() if f.id in chosen})
    for given, (own, field) in [(name, _field(program, name)) for name in values]:
        value = values[given]
        if isinstance(value, Stored):
            digests[own] = value.digest
            continue
        try:
            staged.append(store.artifacts.stage(_normal(given, field, value)))
        except UnencodableError as error:
            raise UnknownInputError(f"Input {given!r} cannot be kept: {error.message}.") from None
        digests[own] = staged[-1].digest
    _keep_new(store, staged)
    return digests


def stage_file(store: Store, name: str, path: Any) -> Stored:
    """Keep a file for an input.

    Raises:
        UnknownInputError: there is no file at this path.
    """
    source = Path(path) if isinstance(path, (str, Path)) else None
    if source is None or not source.is_file():
        raise UnknownInputError(f"Input {name!r} takes the path of a file; given: {path!r}.")
    item = store.artifacts.stage_file(source)
    _keep_new(store, [item])
    return Stored(item.digest)


def with_files(store: Store, name: str, value: Any) -> Any:
    """A value for an input of several files, such as a gallery: paths in it become files.

    Raises:
        UnknownInputError: there is no file at one of the paths.
    """
    staged: list[Staged] = []

    def kept(item: Any, *, is_path: bool) -> Any:
        if isinstance(item, (list, tuple)):  # of a pair within a list the second is a caption
            pair = item is not value and len(item) == 2 and (isinstance(item, tuple) or not _is_file(item[1]))
            return type(item)(kept(part, is_path=not (pair and index)) for index, part in enumerate(item))
        if not is_path or not isinstance(item, (str, Path)):
            return item
        if not Path(item).is_file():
            raise UnknownInputError(f"Input {name!r} takes paths of files; there is no file at {str(item)!r}.")
        staged.append(store.artifacts.stage_file(Path(item)))
        return FileRef(staged[-1].digest)

    made = kept(value, is_path=False) if isinstance(value, (str, Path)) else kept(value, is_path=True)
    _keep_new(store, staged)
    return made


def _is_file(path: Any) -> bool:
    return isinstance(path, (str, Path)) and Path(path).is_file()


def _keep_new(store: Store, staged: Iterable[Staged]) -> None:
    """Put what the store does not have yet: most calls bring nothing new, and then nothing is written."""
    staged = list(staged)
    with store.read() as txn:
        new = [item for item in staged if not store.artifacts.is_fresh(txn, item.digest)]
    for item in staged:
        if item not in new:
            store.artifacts.discard(item)
    if new:
        store.put(new)


def _field(program: Program, given: str) -> tuple[str, UiInput | None]:
    """The own id of an input, and the input; None for the answer to an interaction."""
    if given in program.answers:
        return given, None
    field = program.drawing.inputs.get(given)
    if field is None:
        valid = [*program.drawing.inputs, *program.answers]
        raise UnknownInputError(
            f"There is no input {given!r}. Inputs: {', '.join(valid) or 'none'}. {did_you_mean(given, valid)}".rstrip()
        )
    return field.id, field


def _normal(given: str, field: UiInput | None, value: Any) -> Any:
    """A value as functions get it; of a choice the name of a variant, which may be given by its index."""
    if field is None:
        return value
    if field.component.type != "choice":
        return field.component.normalise(value)
    names = list(field.component.config["choices"])
    if isinstance(value, str) and value in names:
        return value
    if type(value) is int and 0 <= value < len(names):
        return names[value]
    raise UnknownInputError(
        f"{given!r} takes the name of a variant: {', '.join(names)}; given: {value!r}. "
        f"{did_you_mean(str(value), names)}".rstrip()
    )
