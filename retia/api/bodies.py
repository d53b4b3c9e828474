"""Read a request's body by hand: after the token is checked, and never more than allowed."""

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from retia.api.problems import Problem

M = TypeVar("M", bound=BaseModel)

SMALL = 64 << 10


def announced_length(request: Request, limit: int) -> int | None:
    """The Content-Length; 413 where it is over the limit, none where there is none."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not text.isdigit():
        raise Problem(400, "Content-Length is not a number")
    if int(text) > limit:
        raise Problem(413, f"the body has {text} bytes, at most {limit} are allowed")
    return int(text)


async def limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The chunks of the body; 413 as soon as there are more bytes than allowed."""
    announced_length(request, limit)
    total = 0
    async for chunk in request.stream():
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
