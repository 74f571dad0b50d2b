"""What the router of inference providers answers: hf-inference, the OpenAI-like ones, fal-ai and replicate."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from daggr.testing.samples import FILMS, PICTURES, SOUNDS, kind_of, sample
from daggr.testing.web import Asked, Reply, said

Answer = Any
"""What `FakeHub.answer` takes: JSON-able, bytes, a `Reply`, an iterator of texts (chat), or a function of `Asked`."""

HF_MODEL = re.compile(r"/hf-inference/models/(?P<model>[^/]+(?:/[^/]+)?)(?:/pipeline/(?P<task>[\w-]+))?")
HF_CHAT = re.compile(r"/hf-inference/models/(?P<model>[^/]+(?:/[^/]+)?)(?:/v1)?/chat/completions")
CHAT = re.compile(r"(?:/(?P<provider>[\w-]+))??(?:/[\w-]+)*?/chat/completions")
PLAIN = re.compile(
    r"/(?P<provider>[\w-]+)(?:/[\w-]+)*?/(?P<what>completions|embeddings|images/generations|audio/speech)"
)
FAL_AFTER = re.compile(r"/fal-ai/requests/(?P<number>\d+)(?P<status>/status)?")
FAL = re.compile(r"/fal-ai/(?P<model>.+)")
REPLICATE = re.compile(r"/replicate/v1/models/(?P<model>.+)/predictions")
MEDIA = re.compile(r"/media/(?P<number>\d+)\.\w+")

CONVERSATION = "conversational"
CHATS = ("text-generation", "image-text-to-text")
POLICIES = ("auto", "fastest", "cheapest", "preferred")
WORDS = re.compile(r"\S+\s*")


class Router:
    """Turns what a model says into what each provider sends. Who may ask is not its matter."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.media: dict[str, bytes] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def answer(self, model: str, task: str, asked: Asked) -> Answer:
        """What the model says: as the test wants it, or a sample."""
        if model not in self.answers:
            return echoed(asked.json() or {}) if task == CONVERSATION else sample(task, asked)
        answer = self.answers[model]
        return answer(asked) if callable(answer) else answer

    def plain(self, answer: Answer) -> Reply:
        """What hf-inference sends: the answer itself."""
        if isinstance(answer, Reply):
            return answer
        if isinstance(answer, bytes):
            return Reply(200, answer, {"Content-Type": kind_of(answer)})
        return said(answer)

    def text(self, answer: Answer, asked: Asked) -> Reply:
        """A text-generation of hf-inference, as TGI sends it."""
        if not isinstance(answer, str):
            if not isinstance(answer, list) or not (asked.json() or {}).get("stream"):
                return self.plain(answer)
            answer = str(answer[0].get("generated_text", "")) if answer else ""
        if not (asked.json() or {}).get("stream"):
            return said([{"generated_text": answer}])
        words = WORDS.findall(answer) or [""]
        return _stream({**_token(word, place), **_ending(place, words)} for place, word in enumerate(words))

    def chat(self, answer: Answer, asked: Asked) -> Reply:
        """A chat completion: whole, or piece by piece if that was asked for."""
        if isinstance(answer, (Reply, dict)):
            return answer if isinstance(answer, Reply) else said(answer)
        question = asked.json() or {}
        pieces = answer if not isinstance(answer, str) else WORDS.findall(answer)
        if question.get("stream"):
            return _stream(_chunks(question, pieces), last="[DONE]")
        message = {"role": "assistant", "content": "".join(pieces), "tool_calls": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return said({**_frame(question, "chat.completion"), "choices": [choice], "usage": _USAGE})

    def openai(self, what: str, answer: Answer) -> Reply:
        """The other routes of the OpenAI-like providers."""
        if isinstance(answer, (Reply, dict)):
            return answer if isinstance(answer, Reply) else said(answer)
        if what == "completions":
            text = answer if isinstance(answer, str) else answer[0]["generated_text"]
            return said({"choices": [{"index": 0, "text": text, "finish_reason": "stop"}], "usage": _USAGE})
        if what == "embeddings":
            return said({"data": [{"index": place, "embedding": row} for place, row in enumerate(answer)]})
        if what == "images/generations":
            return said({"data": [{"b64_json": base64.b64encode(answer).decode()}]})
        return self.plain(answer)

    def fal(self, task: str, answer: Answer, asked: Asked, url: str) -> Reply:
        """fal-ai: media by address; what takes long in a queue that is asked again."""
        if isinstance(answer, Reply):
            return answer
        result = self._fal_result(task, answer, url)
        if asked.query.get("_subdomain") != ["queue"]:
            return said(result)
        number = str(next(self._numbers))
        self._results[number] = result
        address = f"{url}/fal-ai/requests/{number}"
        return said({"request_id": number, "status": "IN_QUEUE", "response_url": address})

    def _fal_result(self, task: str, answer: Answer, url: str) -> dict[str, Any]:
        if not isinstance(answer, bytes):
            if task == "image-segmentation" and isinstance(answer, list):
                return {"image": {"url": f"data:image/png;base64,{answer[0]['mask']}"}}
            return answer if isinstance(answer, dict) else {"text": str(answer)}
        place = {"url": self.keep(answer, url), "content_type": kind_of(answer)}
        if task in SOUNDS:
            return {"audio": place}
        return {"video": place} if task in FILMS else {"images": [place]}

    def after(self, number: str, status: bool) -> Reply:
        """How a call of fal-ai's queue is going, and its end."""
        if number not in self._results:
            return said({"detail": "Request not found"}, 404)
        return said({"status": "COMPLETED"} if status else self._results[number])

    def replicate(self, task: str, answer: Answer, url: str) -> Reply:
        """A prediction of replicate, waited for."""
        if isinstance(answer, Reply):
            return answer
        if isinstance(answer, bytes):
            address = self.keep(answer, url)
            return said({"status": "succeeded", "output": [address] if task in PICTURES else address})
        return said({"status": "succeeded", "output": answer.get("text") if isinstance(answer, dict) else answer})

    def keep(self, content: bytes, url: str) -> str:
        """The address where some bytes can be had from now on, without a token."""
        number = str(next(self._numbers))
        self.media[number] = content
        return f"{url}/media/{number}.{kind_of(content).partition('/')[2]}"

    def fetched(self, number: str) -> Reply:
        """What was kept."""
        return self.plain(self.media[number]) if number in self.media else said({"detail": "Not found"}, 404)


_USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def echoed(question: dict[str, Any]) -> str:
    """What a chat model says of itself: the last message, as it was heard."""
    content = (question.get("messages") or [{}])[-1].get("content") or ""
    if isinstance(content, list):
        content = " ".join(part.get("text") or f"<{part.get('type')}>" for part in content)
    return f"You said: {content}"


def _frame(question: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1_760_000_000, "model": question.get("model", "")} | {
        "system_fingerprint": "daggr-testing"
    }


def _chunks(question: dict[str, Any], pieces: Iterable[str]) -> Iterator[dict[str, Any]]:
    frame = _frame(question, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**frame, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces:
        yield chunk({"role": "assistant", "content": piece})
    yield chunk({"role": "assistant", "content": ""}, "stop")
    if (question.get("stream_options") or {}).get("include_usage"):
        yield {**frame, "choices": [], "usage": _USAGE}


def _token(word: str, place: int) -> dict[str, Any]:
    return {"index": place, "token": {"id": place, "text": word, "logprob": -0.1, "special": False}}


def _ending(place: int, words: list[str]) -> dict[str, Any]:
    if place + 1 < len(words):
        return {"generated_text": None, "details": None}
    details = {"finish_reason": "eos_token", "generated_tokens": len(words), "input_length": 1, "seed": None}
    return {"generated_text": "".join(words), "details": details}


def _stream(events: Iterable[dict[str, Any]], last: str = "") -> Reply:
    def body() -> Iterator[bytes]:
        for event in events:
            yield f"data: {json.dumps(event)}\n\n".encode()
        if last:
            yield f"data: {last}\n\n".encode()

    return Reply(200, body(), {"Content-Type": "text/event-stream"})
