"""Read a request's body by hand: after the token is checked, never more and never slower than
allowed.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from retia.api.context import context
from retia.api.problems import Problem

M = TypeVar("M", bound=BaseModel)

SMALL = 64 << 10


def check_head(request: Request, limit: int, need_length: bool = False) -> None:
    """Judge a body by its headers: 400, 411, 413 or 415 for one that will not be read."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise Problem(415, "send the body as it is, without Content-Encoding")
    text = request.headers.get("content-length")
    if text is None:
        if need_length:
            raise Problem(411, "Content-Length is required")
        return
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Problem(400, "Content-Length is not a number")
    if int(text) > limit:
        raise Problem(413, f"the body has {text} bytes, at most {limit} are allowed")


async def limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The chunks of the body; 413 as soon as there are more bytes than allowed, 408 for a slow one.

    A body has the settings' patience, and from then on has to come at their least rate.
    """
    check_head(request, limit)
    settings = context(request).settings
    loop = asyncio.get_running_loop()
    start, total = loop.time() + settings.patience, 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(start + total / settings.least_rate):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            detail = f"the body came slower than {settings.least_rate} bytes a second"
            raise Problem(408, detail, {"Connection": "close"}) from error
        if chunk is None:
            return
        total += len(chunk)
        if total > limit:
            raise Problem(413, f"the body has more than {limit} bytes")
        yield chunk


async def read_json(request: Request, model: type[M], limit: int = SMALL) -> M:
    """The body as a model; 422 names what does not fit."""
    content = b"".join([chunk async for chunk in limited(request, limit)])
    return parse(model, content, "the body")


def parse(model: type[M], content: bytes | str, where: str) -> M:
    """JSON as a model; 422 names what does not fit."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "document"
        raise Problem(422, f"{where}: {place}: {first['msg']}") from error


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """How OpenAPI describes a body that is read by hand."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return _request_body({"application/json": {"schema": schema}})


def raw_body() -> dict[str, Any]:
    """How OpenAPI describes a body of bytes."""
    schema = {"type": "string", "format": "binary"}
    return _request_body({"application/octet-stream": {"schema": schema}})


def submission_body() -> dict[str, Any]:
    """How OpenAPI describes a submission."""
    schema = {
        "type": "object",
        "required": ["meta", "predictions"],
        "properties": {
            "meta": {"$ref": "#/components/schemas/Meta"},
            "predictions": {"type": "string", "format": "binary"},
        },
    }
    return _request_body({"multipart/form-data": {"schema": schema}})


def _request_body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}
