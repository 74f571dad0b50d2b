"""The line to the providers: huggingface_hub's client, in an event loop of its own.

Its coroutines look things up without leaving the loop to others: in the engine's, everything would wait for that. The
connections are kept for all calls; a call has a client of its own, so that its stream ends with it.

This takes longer to import than all the rest of the engine: who needs it asks for it then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

from huggingface_hub import AsyncInferenceClient, get_async_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.inference._common import MimeBytes  # the only way to say what bytes are
from huggingface_hub.inference._providers import get_provider_helper

from daggr.engine.hub.identity import Credential
from daggr.engine.hub.refusals import told
from daggr.engine.hub.tasks import EXTRA, Task
from daggr.engine.loop import LoopThread
from daggr.engine.runners.inference.fetching import Fetching, watch
from daggr.engine.runners.inference.media import Content
from daggr.engine.runners.inference.refusals import TRANSPORT, trouble
from daggr.engine.runners.inference.route import Route
from daggr.engine.runners.inference.talk import Question, listen
from daggr.engine.workers.blocking import in_thread, unheard
from daggr.engine.workers.thread import ThreadWorker
from daggr.engine.workers.usercode import UserCode
from daggr.errors import EndpointError, RemoteError
from daggr.graph.nodes.inference import InferenceSpec
from daggr.graph.nodes.remote import Repo

T = TypeVar("T")
CONNECT, IDLE = 10.0, 300.0
"""Seconds that a provider has to answer at all, and to say a word, unless the node says otherwise."""

LOOKUP = 20.0
"""Seconds in which the Hub must tell how a provider calls a model."""


class Line:
    """Asks providers.

    Args:
        worker: The threads for what blocks.
    """

    def __init__(self, worker: ThreadWorker) -> None:
        self._worker = worker
        self._loop: LoopThread | None = None
        self._connections: _Connections | None = None
        self._known: set[tuple[str, str, str]] = set()

    def can_ask(self, task: Task, provider: str) -> bool:
        """Whether the huggingface_hub that is installed can ask a provider for a task."""
        chosen: Any = provider
        try:
            get_provider_helper(chosen, task=task.name, model="any/model")
        except ValueError:
            return False
        return True

    async def prepare(self, spec: InferenceSpec, way: Route, credential: Credential) -> None:
        """Have huggingface_hub learn how the provider calls the model, outside of its loop: it waits without an end.

        Raises:
            EndpointError: it cannot ask this provider for this.
            RemoteError: the Hub does not answer.
        """
        asked = (way.provider, way.task.name, way.info.id)
        if way.provider == "auto" or asked in self._known:
            return
        try:
            await asyncio.wait_for(in_thread(self._worker, lambda: _look_up(*asked)), LOOKUP)
        except ValueError as error:
            raise EndpointError(
                credential.scrub(f"{way.info.id!r} cannot be asked for {way.task.name!r}: {error}"),
                "Name another provider as in 'owner/name:provider'.",
                spec.where,
            ) from None
        except asyncio.TimeoutError:
            raise RemoteError(
                f"The Hub does not tell who serves {way.info.id!r}.", "Try again later.", spec.where, retryable=True
            ) from None
        except (HfHubHTTPError, TRANSPORT) as error:
            made = told(Repo("model", way.info.id), credential, error, ())
            made.where = spec.where
            raise made from None  # what the library raised holds the request
        self._known.add(asked)

    async def ask(self, question: Question) -> Any:
        """Ask once. Gives what the method of huggingface_hub gives, or `Said` of a conversation; or a `Trouble`."""
        if self._loop is None:
            self._loop = LoopThread()
        return await asyncio.wrap_future(self._loop.submit(self._ask(question)))

    async def close(self) -> None:
        """Close the connections, and end the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        if self._connections is not None:
            await asyncio.wrap_future(loop.submit(self._connections.close()))
            self._connections = None
        await in_thread(self._worker, loop.close)

    # ------------------------------------------------------------ within the loop

    def _open(self) -> _Connections:
        """The connections, made when they are first needed."""
        if self._connections is None:
            asyncio.get_running_loop().set_default_executor(_Threads(self._worker))
            self._connections = _Connections()
        return self._connections

    async def _ask(self, question: Question) -> Any:
        spec, way = question.spec, question.way
        connect, idle = spec.connect_timeout or CONNECT, spec.idle_timeout or IDLE
        client = _Client(
            self._open(),
            provider=way.provider,
            token=question.credential.token,
            timeout=(connect, idle, idle, None),
        )
        began = False
        async with client:
            try:
                arguments = {name: _sent(value) for name, value in question.arguments.items()}
                if way.task.is_talk:
                    stream = await client.chat_completion(model=way.model, stream=True, **arguments)
                    began = True
                    return await listen(stream, question.growing)
                if EXTRA in way.task.more:
                    arguments = {**arguments.pop(EXTRA, {}), **arguments}
                with Fetching({"connect": connect, "read": idle, "write": idle, "pool": None}):
                    return await getattr(client, way.task.method)(model=way.model, **arguments)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is told in words)
                return trouble(error, spec, way, question.credential, began=began, answered=client.answered)


class _Connections:
    """The connections of all calls, as huggingface_hub makes them. They keep no cookies: those would be everybody's.

    It sends bytes under a name that httpx has given up, and warns of.
    """

    def __init__(self) -> None:
        self._http: Any = get_async_session()
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def post(self, url: str, *, data: bytes | None = None, **rest: Any) -> Any:
        return self._http.post(url, content=data, **rest)

    @asynccontextmanager
    async def stream(self, method: str, url: str, *, data: bytes | None = None, **rest: Any) -> AsyncIterator[Any]:
        async with self._http.stream(method, url, content=data, **rest) as response:
            if response.is_error:  # huggingface_hub looks into it, and reads only one that says how long it is
                await response.aread()
            yield response

    async def close(self) -> None:
        """Close them."""
        await self._http.aclose()


class _Client(AsyncInferenceClient):
    """The client of one call. The connections are everybody's, and stay open when it is closed.

    Attributes:
        answered: Whether an answer has come.
    """

    def __init__(self, connections: _Connections, **settings: Any) -> None:
        super().__init__(**settings)
        self._async_client: Any = connections
        self.answered = False

    async def _inner_post(self, *args: Any, **kwargs: Any) -> Any:
        answer = await super()._inner_post(*args, **kwargs)
        self.answered = True
        return answer


def _sent(value: Any) -> Any:
    return MimeBytes(value, mime_type=value.mime) if isinstance(value, Content) else value


def _look_up(provider: str, task: str, model: str) -> None:
    """Fill the caches of huggingface_hub, which it looks into when it calls."""
    chosen: Any = provider
    get_provider_helper(chosen, task=task, model=model)._prepare_mapping_info(model)


class _Threads(ThreadPoolExecutor):
    """Threads for the loop, as many as are needed. asyncio's own are few, and keep the program from ending."""

    def __init__(self, worker: ThreadWorker) -> None:
        super().__init__(1)
        self._worker = worker

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begin something."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run(user: UserCode) -> None:
            try:
                watch()
                future.set_result(work(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  (it is raised again where the result is awaited)
                future.set_exception(error)

        self._worker.submit(run, unheard)
        return future
