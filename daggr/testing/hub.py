"""A Hugging Face Hub on loopback: users, models, Spaces, files, inference. It speaks what huggingface_hub understands.

    with FakeHub() as hub, hub.patched():
        hub.add_user("hf_test", "ada")
        hub.add_model("ada/painter", task="text-to-image")
        InferenceClient("ada/painter", token="hf_test").text_to_image("a cat")

No pytest is needed, and no request leaves the machine. What is not there is answered as the Hub answers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from daggr.testing import inference
from daggr.testing.files import FilesOfTheHub
from daggr.testing.inference import CONVERSATION, Answer, Router
from daggr.testing.patching import environment, patched
from daggr.testing.repos import WHEN, FakeModel, FakeRepo, FakeSpace, sha_of
from daggr.testing.web import Asked, Reply, Web, said

__all__ = ["Asked", "FakeHub", "FakeModel", "FakeSpace", "Reply"]

REPO = r"/api/(?P<kind>model|space)s/(?P<id>[^/]+/[^/]+)"
Route = tuple[str, "re.Pattern[str]", Callable[..., Reply]]


@dataclass
class _Failure:
    path: re.Pattern[str]
    reply: Reply
    left: int


@dataclass(frozen=True)
class _User:
    name: str
    organizations: tuple[str, ...] = ()


class FakeHub(FilesOfTheHub, Web):
    """A Hub. Use it in a `with` statement, and `patched()` to make huggingface_hub speak with it.

    Attributes:
        url: Where it answers.
        requests: All that it was asked, the latest at the end.
        models, spaces: What there is, by id. The objects may be changed while it runs.
        token: The token of the user added last; an empty text if there is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, FakeModel] = {}
        self.spaces: dict[str, FakeSpace] = {}
        self.token = ""
        self._users: dict[str, _User] = {}
        self._router = Router()
        self._failures: list[_Failure] = []
        self._routes: list[Route] = [
            (method, re.compile(pattern), answer) for method, pattern, answer in (*self._own_routes(), *self.files())
        ]

    # ------------------------------------------------------------ what a test says

    def add_user(self, token: str, name: str, organizations: Sequence[str] = ()) -> str:
        """Somebody with a token; the token. Tokens of the Hub start with "hf_"."""
        self._users[token] = _User(name, tuple(organizations))
        self.token = token
        return token

    def add_space(
        self,
        id: str,
        url: str = "",
        *,
        sha: str = "",
        stage: str = "RUNNING",
        error: str = "",
        private: bool = False,
        files: Mapping[str, bytes] | None = None,
    ) -> FakeSpace:
        """A Space whose app answers at `url`. Change what is returned as the test goes on."""
        sha = sha or sha_of("space", id)
        space = FakeSpace(id, sha, dict(files or {}), private, url=url.rstrip("/"), stage=stage, error=error)
        self.spaces[id] = space
        return space

    def add_model(
        self,
        id: str,
        *,
        task: str = "text-generation",
        tags: Sequence[str] = (),
        sha: str = "",
        providers: Mapping[str, str | None] | None = None,
        private: bool = False,
        gated: bool = False,
    ) -> FakeModel:
        """A model and who serves it: provider → the task there, None if it is the model's own."""
        sha = sha or sha_of("model", id)
        served: dict[str, str | None] = {"hf-inference": None} if providers is None else dict(providers)
        model = FakeModel(id, sha, {}, private, gated, task=task, tags=tuple(tags), providers=served)
        self.models[id] = model
        return model

    def answer(self, model_id: str, reply: Answer) -> None:
        """What a model says from now on, whoever serves it.

        Args:
            model_id: The model.
            reply: What is sent as JSON, bytes (media), a `Reply` as it is, or a function of `Asked` that gives one of
                these. For chats and text generation also a text; for chats also the pieces of one, an iterator's
                being sent as they come.
        """
        self._router.answers[model_id] = reply

    def fail(
        self, path: str, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, times: int = 1
    ) -> None:
        """Answer the next so many requests whose path fits a regular expression with a failure."""
        self._failures.append(_Failure(re.compile(path), Reply(status, body, dict(headers or {})), times))

    def asked(self, path: str, method: str = "") -> list[Asked]:
        """The requests until now whose path fits a regular expression."""
        return [one for one in list(self.requests) if re.search(path, one.path) and method in ("", one.method)]

    # ------------------------------------------------------------ who speaks with it

    def patched(self, through: str = "") -> AbstractContextManager[None]:
        """Within this, huggingface_hub speaks with this Hub, in this process; `through` a proxy, if one is named."""
        return patched(through or self.url)

    def environment(self, through: str = "") -> dict[str, str]:
        """Variables under which other processes speak with the Hub (not with its inference router)."""
        return environment(through or self.url)

    # ------------------------------------------------------------ answers

    def reply(self, asked: Asked) -> Reply:
        """What is said to a request: a failure that was wished for, or what is true."""
        for failure in self._failures:
            if failure.left > 0 and failure.path.search(asked.path):
                failure.left -= 1
                return failure.reply
        if asked.token and asked.token not in self._users:
            message = "Invalid credentials in Authorization header"
            return said({"error": message}, 401, X_Error_Message=message)
        for method, pattern, answer in self._routes:
            if method in (asked.method, "ANY") and (match := pattern.fullmatch(asked.path)):
                return answer(asked, **match.groupdict())
        return said({"error": "Sorry, we can't find the page you are looking for."}, 404)

    def _own_routes(self) -> list[tuple[str, str, Callable[..., Reply]]]:
        return [
            ("GET", "/api/whoami-v2", self._whoami),
            ("GET", r"/api/(?P<kind>model|space)s", self._search),
            ("GET", "/api/tasks", self._tasks),
            ("GET", rf"{REPO}(?:/revision/(?P<revision>[^/]+))?", self._described),
            ("GET", rf"{REPO}/auth-check", self._allowed),
            ("GET", rf"{REPO}/(?P<what>runtime|host)", self._running),
            ("POST", rf"{REPO}/(?P<what>restart|pause|hardware|sleeptime)", self._turned),
            ("GET", inference.MEDIA.pattern, lambda asked, number: self._router.fetched(number)),
            ("GET", inference.FAL_AFTER.pattern, self._fal_after),
            ("POST", inference.HF_CHAT.pattern, self._hf_chat),
            ("POST", inference.HF_MODEL.pattern, self._hf),
            ("POST", inference.CHAT.pattern, self._chat),
            ("POST", inference.PLAIN.pattern, self._openai),
            ("POST", inference.FAL.pattern, self._fal),
            ("POST", inference.REPLICATE.pattern, self._replicate),
        ]

    def user(self, asked: Asked) -> str:
        """Who asks; an empty text for nobody."""
        return self._users[asked.token].name if asked.token in self._users else ""

    def namespaces(self, asked: Asked) -> tuple[str, ...]:
        """Where who asks may write."""
        user = self._users.get(asked.token)
        return (user.name, *user.organizations) if user else ()

    def repo(self, asked: Asked, kind: str, id: str) -> FakeRepo | Reply:
        """A repository, or why who asks does not get to know it."""
        repo = (self.models if kind == "model" else self.spaces).get(id)
        if repo is None or (repo.private and not repo.opens_to(self.user(asked))):
            if not self.user(asked):  # the Hub does not tell strangers what there is
                return said({"error": "Invalid username or password."}, 401, X_Error_Code="RepoNotFound")
            message = "Repository not found"
            return said({"error": message}, 404, X_Error_Code="RepoNotFound", X_Error_Message=message)
        return repo

    def gate(self, asked: Asked, repo: FakeRepo) -> Reply | None:
        """Why who asks does not get at the files and answers of what is gated; None if they do."""
        user = self.user(asked)
        if not repo.gated or repo.opens_to(user):
            return None
        message = f"Access to {repo.kind} {repo.id} is restricted"
        if user:
            message += f" and you are not in the authorized list. Visit {self.url}/{repo.id} to ask for access."
        else:
            message += ". You must have access to it and be authenticated to access it. Please log in."
        return said({"error": message}, 403 if user else 401, X_Error_Code="GatedRepo", X_Error_Message=message)

    def _whoami(self, asked: Asked) -> Reply:
        user = self._users.get(asked.token)
        if user is None:
            return said({"error": "Invalid username or password."}, 401)
        token = {"displayName": "test", "role": "write", "createdAt": WHEN}
        return said(
            {
                "type": "user",
                "id": sha_of(user.name)[:24],
                "name": user.name,
                "fullname": user.name.title(),
                "email": f"{user.name}@example.com",
                "emailVerified": True,
                "isPro": False,
                "canPay": False,
                "avatarUrl": f"{self.url}/avatars/{user.name}.svg",
                "orgs": [{"type": "org", "name": name, "roleInOrg": "write"} for name in user.organizations],
                "auth": {"type": "access_token", "accessToken": token},
            }
        )

    def _search(self, asked: Asked, kind: str) -> Reply:
        words = " ".join(asked.query.get("search", [])).lower().split()
        limit = int((asked.query.get("limit") or ["1000"])[0])
        repos: list[FakeRepo] = [*(self.models if kind == "model" else self.spaces).values()]
        seen = [repo for repo in repos if not repo.private or repo.opens_to(self.user(asked))]
        found = [repo.described(repo.sha) for repo in seen if all(word in repo.id.lower() for word in words)]
        return said(found[:limit])

    def _tasks(self, asked: Asked) -> Reply:
        tasks: dict[str, dict[str, Any]] = {}
        for model in self.models.values():
            tasks.setdefault(model.task, {"widgetModels": []})["widgetModels"].append(model.id)
        return said(tasks)

    def _described(self, asked: Asked, kind: str, id: str, revision: str | None = None) -> Reply:
        repo = self.repo(asked, kind, id)
        if isinstance(repo, Reply):
            return repo
        at = repo.at(revision or "main")
        if at is None:
            return self.no_revision(revision or "main")
        whole = repo.described(at[0])
        expand = asked.query.get("expand") or asked.query.get("expand[]") or []
        if not expand:
            whole.pop("inferenceProviderMapping", None)  # the Hub gives it to those who ask for it
            return said(whole)
        return said({name: whole[name] for name in ("_id", "id", *expand) if name in whole})

    def _allowed(self, asked: Asked, kind: str, id: str) -> Reply:
        repo = self.repo(asked, kind, id)
        return repo if isinstance(repo, Reply) else self.gate(asked, repo) or said({})

    def _running(self, asked: Asked, kind: str, id: str, what: str) -> Reply:
        repo = self.repo(asked, kind, id)
        if not isinstance(repo, FakeSpace):
            return repo if isinstance(repo, Reply) else said({"error": "Not found"}, 404)
        return said(repo.runtime() if what == "runtime" else {"subdomain": repo.subdomain, "host": repo.host})

    def _turned(self, asked: Asked, kind: str, id: str, what: str) -> Reply:
        space = self.repo(asked, kind, id)
        if not isinstance(space, FakeSpace):
            return space if isinstance(space, Reply) else said({"error": "Not found"}, 404)
        if space.owner not in self.namespaces(asked):
            return said({"error": "You don't have the rights for this."}, 403)
        space.stage = "PAUSED" if what == "pause" else "RUNNING"
        space.hardware = (asked.json() or {}).get("flavor", space.hardware) if what == "hardware" else space.hardware
        return said(space.runtime())

    # ------------------------------------------------------------ inference

    def _served(self, asked: Asked, id: str, provider: str, openai: bool = False) -> tuple[FakeModel, str] | Reply:
        """A model and the task that a provider serves it for, or why who asks gets no answer."""

        def refusal(message: str, code: str) -> Reply:
            error = {"message": message, "type": "invalid_request_error", "param": "model", "code": code}
            return said({"error": error if openai else message}, 400 if openai else 404)

        if not self.user(asked):
            return said({"error": "Invalid username or password."}, 401)
        model = self.models.get(id)
        if model is None or (model.private and not model.opens_to(self.user(asked))):
            return refusal(f"The requested model '{id}' does not exist", "model_not_found")
        if blocked := self.gate(asked, model):
            return blocked
        task = model.served_as(provider)
        if not task:
            return refusal(
                f"The requested model '{id}' is not supported by provider '{provider}'", "model_not_supported"
            )
        return model, task

    def _hf_chat(self, asked: Asked, model: str) -> Reply:
        return self._talk(asked, model, "hf-inference")

    def _chat(self, asked: Asked, provider: str | None) -> Reply:
        id, _, named = str((asked.json() or {}).get("model", "")).partition(":")
        known = self.models.get(id)
        chats = [name for name in known.providers if known.served_as(name) == CONVERSATION] if known else []
        chosen = named if named not in ("", *inference.POLICIES) else next(iter(chats), "any")
        return self._talk(asked, id, provider or chosen)

    def _talk(self, asked: Asked, id: str, provider: str) -> Reply:
        served = self._served(asked, id, provider, openai=True)
        if isinstance(served, Reply):
            return served
        if served[1] not in (CONVERSATION, *inference.CHATS):
            error = {"message": f"The requested model '{id}' is not a chat model", "code": "model_not_supported"}
            return said({"error": {**error, "type": "invalid_request_error"}}, 400)
        return self._router.chat(self._router.answer(id, CONVERSATION, asked), asked)

    def _hf(self, asked: Asked, model: str, task: str | None) -> Reply:
        served = self._served(asked, model, "hf-inference")
        if isinstance(served, Reply):
            return served
        task = task or served[1]
        if task in (CONVERSATION, "text-generation", "text2text-generation"):
            return self._router.text(self._router.answer(model, "text-generation", asked), asked)
        return self._router.plain(self._router.answer(model, task, asked))

    def _openai(self, asked: Asked, provider: str, what: str) -> Reply:
        id = str((asked.json() or {}).get("model", ""))
        served = self._served(asked, id, provider, openai=True)
        if isinstance(served, Reply):
            return served
        return self._router.openai(what, self._router.answer(id, served[1], asked))

    def _fal(self, asked: Asked, model: str) -> Reply:
        served = self._served(asked, model, "fal-ai")
        if isinstance(served, Reply):
            return served
        return self._router.fal(served[1], self._router.answer(model, served[1], asked), asked, self.url)

    def _fal_after(self, asked: Asked, number: str, status: str | None) -> Reply:
        return self._router.after(number, bool(status))

    def _replicate(self, asked: Asked, model: str) -> Reply:
        served = self._served(asked, model, "replicate")
        if isinstance(served, Reply):
            return served
        return self._router.replicate(served[1], self._router.answer(model, served[1], asked), self.url)
