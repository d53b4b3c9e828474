"""What is sent to an OpenAI-compatible endpoint, and the name of a request in the cache."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError

DEFAULT_URL = "https://api.openai.com/v1"
NO_URL = "OPENAI_BASE_URL: not an address such as http://127.0.0.1:8000/v1"
CHAT = "/chat/completions"
TEMPERATURE = 0
BYTES_A_TOKEN = 4
EXTRA_TOKENS = 16
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MIN_KEY = 8


@dataclass(frozen=True)
class Endpoint:
    """Where a model is, and how it is asked. The key is never shown, stored or part of a name."""

    base_url: str
    model: str
    max_tokens: int = 300
    _key: str | None = None

    @classmethod
    def from_environment(cls, model: str, max_tokens: int = 300) -> Self:
        """`OPENAI_BASE_URL`, with its `/v1`, and `OPENAI_API_KEY`.

        Raises `InputError` for an address that is none, that has a password in it, or over whose
        plain http a key would leave this machine.
        """
        url = (os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL).strip().rstrip("/")
        key = (os.environ.get("OPENAI_API_KEY") or "").strip() or None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise InputError(NO_URL)
        try:
            httpx.URL(url)
        except httpx.InvalidURL:
            raise InputError(NO_URL) from None
        if "@" in parts.netloc:
            raise InputError("OPENAI_BASE_URL: leave user and password out; use OPENAI_API_KEY")
        if key and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise InputError(
                f"{url}: a key is not sent over plain http to another machine; use https, or unset "
                "OPENAI_API_KEY"
            )
        if key and not (key.isascii() and key.isprintable()):
            raise InputError("OPENAI_API_KEY has characters that no key has")
        return cls(url, model, max_tokens, key)

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r}, {self.model!r})"

    @property
    def parameters(self) -> dict[str, Any]:
        """What the model is asked with, beside the messages; recorded."""
        return {"temperature": TEMPERATURE, "max_tokens": self.max_tokens}

    @property
    def has_key(self) -> bool:
        """Whether there is a key."""
        return self._key is not None

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    def headers(self) -> dict[str, str]:
        """The headers that show the key, if there is one."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    def redact(self, text: str) -> str:
        """A text of the endpoint's without the key, should it send it back."""
        return text.replace(self._key, "***") if self._key and len(self._key) >= MIN_KEY else text


@dataclass(frozen=True)
class Request:
    """One question: its body, and its key, the sha256 of all that the answer depends on."""

    key: str
    body: dict[str, Any]

    @property
    def tokens(self) -> int:
        """About how many tokens the messages have: one for every four bytes."""
        return -(-self._bytes() // BYTES_A_TOKEN) + EXTRA_TOKENS

    @property
    def most_tokens(self) -> int:
        """More tokens than the messages can have: one a byte."""
        return self._bytes() + 4 * EXTRA_TOKENS

    @property
    def max_answer(self) -> int:
        """The most tokens of the answer."""
        return int(self.body["max_tokens"])

    def _bytes(self) -> int:
        return sum(len(message["content"].encode()) for message in self.body["messages"])


def make_request(endpoint: Endpoint, system: str, prompt: str, template: str) -> Request:
    """The request for one prompt."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
    depends = {
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "messages": messages,
        "parameters": endpoint.parameters,
        "template": template,
    }
    body = {"model": endpoint.model, "messages": messages, **endpoint.parameters}
    return Request(sha256_bytes(canonical_json(depends)), body)


def make_requests(
    endpoint: Endpoint, system: str, prompts: Iterable[str], template: str
) -> list[Request]:
    """The requests for some prompts, in their order."""
    return [make_request(endpoint, system, prompt, template) for prompt in prompts]
