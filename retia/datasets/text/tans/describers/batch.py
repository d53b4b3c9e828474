"""Batch files: requests out as JSONL, results in, joined on `custom_id` in any order.

The `custom_id` of a request is its key in the cache, so a result of another prompt, model or
template joins nothing. A file has at most `MOST_LINES` requests and `MOST_BYTES`; what is beyond
that goes into further files.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from retia.datasets.text.tans.describers.answer import (
    Answer,
    MalformedError,
    error_text,
    read_completion,
)
from retia.datasets.text.tans.describers.request import CHAT, Request
from retia.shards.canonical import canonical_json
from retia.shards.errors import InputError
from retia.shards.writer import write_atomically

URL = f"/v1{CHAT}"
MOST_LINES = 50_000
MOST_BYTES = 190_000_000


def write_batch(requests: Iterable[Request], path: Path) -> list[Path]:
    """Write the requests to `path`, or to numbered files beside it; returns those written.

    Raises `InputError` for a file that is there: it may have been sent already.
    """
    parts = list(_parts(requests))
    if len(parts) == 1:
        paths = [path]
    else:
        paths = [path.with_stem(f"{path.stem}-{i:03}") for i in range(1, len(parts) + 1)]
    for target in paths:
        if target.exists():
            raise InputError(f"{target} exists, and may have been sent; give another --batch-out")
    for target, lines in zip(paths, parts, strict=True):
        write_atomically(target, b"".join(lines))
    return paths


def read_batch(path: Path) -> dict[str, Answer]:
    """The answers of a file of results, by `custom_id`; raises `InputError` naming a bad line."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of results")
    answers: dict[str, Answer] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                key, answer = _read_line(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, MalformedError) as error:
                raise InputError(
                    f"{path}: line {number} is no result of a batch; fetch the file again"
                ) from error
            if key in answers:
                raise InputError(f"{path}: line {number} answers {key[:16]} a second time")
            answers[key] = answer
    return answers


def _parts(requests: Iterable[Request]) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    for request in requests:
        line = canonical_json(_line(request)) + b"\n"
        if lines and (len(lines) == MOST_LINES or size + len(line) > MOST_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield lines


def _line(request: Request) -> dict[str, Any]:
    return {"custom_id": request.key, "method": "POST", "url": URL, "body": request.body}


def _read_line(value: Any) -> tuple[str, Answer]:
    key = value["custom_id"]
    if not isinstance(key, str):
        raise TypeError("custom_id")
    if value.get("error"):
        return key, Answer("failed", reason=f"the batch answers: {error_text(value)}")
    status, body = value["response"]["status_code"], value["response"]["body"]
    if status != 200:
        return key, Answer("refused", reason=f"the batch answers {status}: {error_text(body)}")
    return key, read_completion(body)
