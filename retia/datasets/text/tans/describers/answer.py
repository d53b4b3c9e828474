"""What comes back: an answer, or why there is none."""

import json
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal[
    "ok", "empty", "truncated", "filtered", "interrupted", "refused", "failed", "not-asked"
]
MAX_REASON = 300


class MalformedError(Exception):
    """An answer that is not the JSON of a chat completion."""


@dataclass(frozen=True)
class Answer:
    """An answer to one request.

    `status` is `ok`; `empty`, `truncated` or `filtered` for an answer that was paid and is of no
    use; `interrupted` for a request that was sent, may have been paid, and whose answer got lost;
    `refused` for one that the endpoint does not take; `failed` where all attempts did; `not-asked`.
    All but `ok` have a reason and no text.
    """

    status: Status
    text: str = ""
    reason: str = ""
    model: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether the model has answered, so that asking again would be paid again."""
        return self.status in ("ok", "empty", "truncated", "filtered")


def parse_completion(content: str) -> Answer:
    """The answer in the body of a chat completion; raises `MalformedError`."""
    try:
        body = json.loads(content)
    except ValueError as error:
        raise MalformedError("the answer is not whole JSON") from error
    return read_completion(body)


def read_completion(body: Any) -> Answer:
    """The answer in a chat completion; raises `MalformedError` where it is none."""
    if isinstance(body, dict) and body.get("error"):
        return Answer("failed", reason=f"the endpoint answers: {error_text(body)}")
    try:
        choice = body["choices"][0]
        text = choice["message"].get("content") or ""
        finish = choice.get("finish_reason") or "stop"
        usage = body.get("usage") or {}
        tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
        model = body.get("model") or ""
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise MalformedError("the answer is not a chat completion") from error
    if not (isinstance(text, str) and isinstance(model, str) and isinstance(finish, str)):
        raise MalformedError("the answer is not a chat completion")
    prompt, completion = (n if isinstance(n, int) and n >= 0 else None for n in tokens)
    status, reason = _judge(text, finish)
    return Answer(
        status, text.strip() if status == "ok" else "", reason, model, finish, prompt, completion
    )


def error_text(body: Any) -> str:
    """The message of an error document, on one line."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    return one_line(str(message))


def one_line(text: str) -> str:
    """Text of another machine, fit for one line: no control characters, not long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_REASON]


def _judge(text: str, finish: str) -> tuple[Status, str]:
    if finish == "length":
        return "truncated", "cut at the most tokens of an answer; give more --max-tokens"
    if finish == "content_filter":
        return "filtered", "withheld by the endpoint's filter"
    if not text.strip():
        return "empty", "the model answered with nothing"
    return "ok", ""
