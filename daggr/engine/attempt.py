"""An attempt: one execution on its way, from the slot it waits for to the record of its run."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from daggr.digest import Digest, UnencodableError, digest
from daggr.engine.bindings import is_lenient
from daggr.engine.hub.identity import NOBODY, Credential, local
from daggr.engine.keys import identity_of
from daggr.engine.order import Order
from daggr.engine.outputs import Taken
from daggr.engine.plan import Step
from daggr.engine.program import Program
from daggr.engine.runners.base import Call, Returned
from daggr.engine.workers.usercode import UserCode
from daggr.errors import NodeFailedError
from daggr.filename import readable
from daggr.graph.nodes.remote import RemoteSpec
from daggr.graph.port import SampledSource
from daggr.store import runs
from daggr.store.artifacts import Staged
from daggr.store.codecs.fileref import FilePath
from daggr.store.codecs.registry import decode_value, encode_value
from daggr.store.records import Binding, Run, RunStatus, new_id
from daggr.store.store import Store
from daggr.store.tables import Txn

LOG_LIMIT = 64 * 1024
NOTHING = Taken((), (), "")
VOID = Returned({})
_PLAIN = (str, int, float, bool, bytes, type(None))


class Attempt:
    """What is known of an execution so far. Its folder is made when something is put there."""

    def __init__(
        self, program: Program, step: Step, order: Order, store: Store, allowed: tuple[Path, ...] = ()
    ) -> None:
        self.id = new_id()
        self.program = program
        self.step = step
        self.definition = program.definitions[step.node]
        self.spec = self.definition.spec
        self.order = order
        self.started = 0.0
        self.staged: list[Staged] = []
        self.handed: dict[str, bytes] = {}
        """The paths that the call was given, and whose files they are."""
        self.folder = store.attendance.path()
        self._store = store
        self._allowed = allowed
        self._bindings: list[Binding] = []
        self._samples: dict[str, Any] = {}
        self._ending = threading.Lock()
        self._given_up = False
        self._record: Future[Run] | None = None
        self._clock = 0.0
        self._log: list[str] = []
        self._logged = 0

    @property
    def bindings(self) -> list[Binding]:
        """What it is given, as far as that is known."""
        return self._bindings or [binding for binding in self.step.bindings if not is_undrawn(binding)]

    def stand_for_samples(self) -> None:
        """The samples of a group are its items' own; the group has a name for all of them."""
        named = digest("daggr/samples", self.id)
        self._bindings = [
            msgspec.structs.replace(binding, digest=named) if is_undrawn(binding) else binding
            for binding in self.step.bindings
        ]

    def begin(self) -> None:
        """It has its slot: time runs from now on."""
        self.started, self._clock = time.time(), time.perf_counter()
        self.order.started(self.started)

    def conclude(self, record: Callable[[], Future[Run]]) -> Future[Run] | None:
        """Record it, in whichever thread; None if it was given up."""
        with self._ending:
            if not self._given_up:
                self._record = record()
            return self._record

    def give_up(self) -> Future[Run] | None:
        """Record nothing any more; gives the record that is on its way already, if there is one."""
        with self._ending:
            self._given_up = self._record is None
            return self._record

    def write_log(self, text: str) -> None:
        """Take what it prints."""
        if self._logged < LOG_LIMIT:
            text = readable(text)
            if len(text) > LOG_LIMIT - self._logged:
                text = text[: LOG_LIMIT - self._logged] + "\n… (cut)\n"
            self._log.append(text)
            self._logged += len(text)
            self.order.log(text)

    def remove_folder(self) -> None:
        """What was not taken goes."""
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ what it is given

    def draw(self, user: UserCode | None) -> None:
        """Sample the callables that have not been drawn yet. To be called in a worker if there are any."""
        self._bindings = [
            self._drawn(binding, user) if user is not None and is_undrawn(binding) else binding
            for binding in self.step.bindings
        ]

    def _drawn(self, binding: Binding, user: UserCode) -> Binding:
        source = self.spec.inputs[binding.port]
        if not isinstance(source, SampledSource):
            raise AssertionError(f"{binding.port} is not sampled")
        value = self._sample(source, user)
        try:
            staged = self._store.artifacts.stage(value)
            identity = staged.digest
            self.staged.append(staged)
        except UnencodableError:
            identity = digest("volatile", self.id, binding.port.encode())
        self._samples[binding.port] = value
        return Binding(binding.port, identity, "sampled", provider=binding.provider)

    def _sample(self, source: SampledSource, user: UserCode) -> Any:
        try:
            with user.code():
                return source.provider()
        except Exception as error:
            raise NodeFailedError(
                readable(f"{source.name}, which {self.spec.name!r} samples, failed: {type(error).__name__}: {error}"),
                where=self.spec.where,
                node=self.spec.name,
            ) from error

    def call(self) -> Call:
        """What the runner gets: values of its own to change, files as paths in the attempt's folder."""
        own = self.step.values or {}
        if all(type(own.get(binding.port, ...)) in _PLAIN for binding in self._bindings):
            inputs = dict(own)
        else:
            with self._store.read() as txn:
                inputs = {binding.port: self._load(txn, binding) for binding in self._bindings}
        return Call(
            self.spec,
            inputs,
            self.folder,
            self.write_log,
            self.order.progress,
            self.order.partial,
            self.definition.exact,
            self.program.selected.get(self.spec.name, ""),
            self._credential(),
            self.handed,
            int(self.started * 1e9),
            self._allowed,
        )

    def _credential(self) -> Credential:
        if not isinstance(self.spec, RemoteSpec):
            return NOBODY
        return local() if self.order.credential is None else self.order.credential

    def _load(self, txn: Txn, binding: Binding) -> Any:
        port, own = binding.port, self.step.values
        constant = self.definition.fixed.get(port)
        if port in self._samples:
            return self._samples[port]
        if own is not None and port in own:
            return self._own(txn, own[port])
        if constant is not None and constant.volatile:
            return constant.value
        value = self._value(txn, binding)
        self._note_handed(txn, binding.digest, value)
        return value

    def _value(self, txn: Txn, binding: Binding) -> Any:
        """The value that a binding stands for; of a lenient gather only the items that are there."""
        artifacts = self._store.artifacts
        run = runs.get(txn, binding.run) if binding.run else None
        source = run.output(binding.source_port) if run is not None else None
        lenient = is_lenient(self.program.drawing.takes.get((self.step.node, binding.port)))
        if lenient and source is not None and source != binding.digest:
            return artifacts.load_items(txn, source, self.folder, skip_absent=True)
        return artifacts.load(txn, binding.digest, self.folder)

    def _own(self, txn: Txn, value: Any) -> Any:
        """A copy of an item."""
        if type(value) in _PLAIN:
            return value
        try:
            encoded = encode_value(value)
        except UnencodableError:
            return value
        copied = self._store.artifacts.resolve(
            txn, decode_value(encoded.codec, bytearray(b"".join(encoded.chunks))), self.folder
        )
        self._handed_within(copied)
        return copied

    def _note_handed(self, txn: Txn, identity: Digest | bytes, value: Any) -> None:
        if isinstance(value, FilePath):
            self.handed[str(value)] = bytes(identity)
        elif isinstance(value, (list, tuple, dict)):
            self._handed_within(value)

    def _handed_within(self, value: Any) -> None:
        for path in _file_paths(value):
            self.handed[str(path)] = path.digest

    # ------------------------------------------------------------ what it was

    def run(self, status: RunStatus, taken: Taken = NOTHING, error: str = "", returned: Returned = VOID) -> Run:
        """The record of the run, as it has ended."""
        spec, fingerprint = self.spec, self.definition.fingerprint
        identity = identity_of(fingerprint.digest, self.bindings)
        uncached = fingerprint.uncached or taken.uncached
        if spec.cache is False:
            uncached = uncached or "not cached: cache=False"
        if changed := fingerprint.changed_source():  # it ran with something else than its fingerprint says
            uncached = f"not cached: the module {changed} was changed after the script was loaded; load it again"
            identity = identity_of(digest("daggr/changed", fingerprint.digest, self.id), self.bindings)
        return Run(
            id=self.id,
            graph=self.program.graph,
            node=spec.name,
            kind=spec.kind,
            owner=self.order.owner,
            scope=self.order.scope(spec),
            fingerprint=identity.fingerprint,
            key=identity.action,
            lookup=identity.lookup,
            inputs=tuple(self.bindings),
            outputs=taken.outputs,
            status=status,
            started=self.started,
            seconds=time.perf_counter() - self._clock,
            error=error,
            log="".join(self._log),
            uncached=uncached,
            notes=returned.notes,
            soft={**fingerprint.soft, **returned.soft},
            variant=self.program.selected.get(spec.name, ""),
            is_item=self.step.values is not None,
        )

    def put(self, txn: Txn, run: Run) -> None:
        """Record the run, and what its definition is."""
        fingerprint = self.definition.fingerprint
        runs.put(txn, run, fingerprint.leaves, fingerprint.sources)


def is_undrawn(binding: Binding) -> bool:
    """Whether this is a sampled input without a value."""
    return binding.source == "sampled" and not binding.digest


def _file_paths(value: Any) -> Iterator[FilePath]:
    """The files within lists and dicts."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, FilePath):
            yield item
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
