"""The description of the API: what FastAPI knows of the routes, and what they do by hand."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from retia.api import answers
from retia.api.schemas import NewInvitation, NewPublication, NewToken, NewUser
from retia.leaderboard.submissions import Changes, Meta
from retia.shards.manifest import Manifest

DESCRIPTION = """Datasets to download, predictions to score, leaderboards.

A token is sent as `Authorization: Bearer TOKEN`. Every error is a problem document of RFC 9457.
Lists are paged: take `next` of an answer as the `cursor` of the next request, until it is null."""

BODIES: tuple[type[BaseModel], ...] = (
    NewUser, NewToken, NewInvitation, NewPublication, Meta, Changes,
)  # fmt: skip

ANSWERS: dict[str, type[BaseModel]] = {
    "alive": answers.Health,
    "ready": answers.Health,
    "datasets": answers.DatasetPage,
    "dataset": answers.Dataset,
    "manifest": Manifest,
    "publish": answers.AcceptedPublication,
    "publication": answers.Publication,
    "put_blob": answers.StoredBlob,
    "leaderboard": answers.Board,
    "create_user": answers.NewUserAnswer,
    "create_token": answers.NewTokenAnswer,
    "tokens": answers.Tokens,
    "create_invitation": answers.Invitation,
    "create_password_link": answers.PasswordLink,
    "audit": answers.AuditPage,
    "submit": answers.AcceptedSubmission,
    "submission": answers.Submission,
    "change_submission": answers.Submission,
    "withdraw_submission": answers.Submission,
}
"""What an operation answers, by its id."""

BINARY = {"schema": {"type": "string", "format": "binary"}}
PARQUET = {"application/vnd.apache.parquet": BINARY}
TEXT = {"schema": {"type": "string"}}

STATUSES: dict[str, dict[str, str]] = {
    "publish": {"200": "It is published already.", "409": "The version has other content."},
    "create_user": {
        "403": "Registration needs an invitation, or is closed.",
        "409": "The name is taken, or looks like one that is.",
    },
    "create_token": {"401": "The name or the password is wrong."},
    "file": {
        "206": "A range.",
        "304": "It has not changed.",
        "412": "It has another ETag.",
        "416": "There is no such range.",
    },
    "file_head": {"304": "It has not changed.", "412": "It has another ETag."},
    "manifest": {"304": "It has not changed."},
    "leaderboard": {"304": "It has not changed."},
}
"""What an operation may answer besides, by its id."""

LINKS: dict[str, dict[str, dict[str, str]]] = {
    "datasets": {
        "dataset": {"name": "/items/0/name"},
        "manifest": {"name": "/items/0/name", "version": "/items/0/version"},
        "leaderboard": {"dataset": "/items/0/name", "task": "/items/0/tasks/0/name"},
    },
    "dataset": {"manifest": {"name": "/name", "version": "/versions/0/version"}},
    "manifest": {
        "file": {"name": "/name", "version": "/version", "path": "/shards/0/path"},
        "file_head": {"name": "/name", "version": "/version", "path": "/shards/0/path"},
        "publication": {"name": "/name", "version": "/version"},
    },
    "leaderboard": {"submission": {"submission_id": "/items/0/submission"}},
    "submit": {"submission": {"submission_id": "/id"}},
    "submission": {
        "change_submission": {"submission_id": "/id"},
        "withdraw_submission": {"submission_id": "/id"},
    },
    "put_blob": {"has_blob": {"sha256": "/sha256"}},
    "create_token": {"revoke_token": {"token_id": "/id"}},
    "create_user": {"create_password_link": {"name": "/name"}},
}
"""Where in an answer the parameters of another operation stand."""

ERRORS = {
    "400": "The request is not readable.",
    "401": "The token is missing, unknown, revoked or expired.",
    "403": "The token does not allow this.",
    "404": "There is no such thing.",
    "410": "The version was withdrawn.",
    "408": "The body came too slowly.",
    "411": "Content-Length is required.",
    "413": "The body is too large.",
    "415": "The body has another type.",
    "422": "A value does not fit; the detail names it.",
    "429": "Too often, or over a quota.",
    "503": "The database does not answer; try again.",
    "507": "The server has no room left.",
}
WITH_BODY = ("408", "411", "413", "415", "429", "507")


def operation_id(route: APIRoute) -> str:
    """The name of the function: what a client's method is called."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
        )
        components = document.setdefault("components", {})
        components["schemas"] = _schemas()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _complete(path, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _schemas() -> dict[str, Any]:
    models: set[type[BaseModel]] = {*BODIES, *ANSWERS.values(), answers.Problem}
    _, definitions = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add what an operation answers, and every error that it may give."""
    name, responses = operation["operationId"], operation["responses"]
    success = next(status for status in responses if status.startswith("2"))
    if name in ANSWERS:
        content = {"application/json": {"schema": _reference(ANSWERS[name])}}
        if name == "leaderboard":
            content |= {"text/csv": TEXT} | PARQUET
        responses[success]["content"] = content
    elif name in ("file", "file_head", "has_blob"):
        responses[success]["content"] = PARQUET if name == "file" else {}
    for status, text in STATUSES.get(name, {}).items():
        responses[status] = {"description": text}
        if status == "206":
            responses[status]["content"] = PARQUET | {"multipart/byteranges": BINARY}
        elif status == "200":
            responses[status]["content"] = responses[success]["content"]
    for other, parameters in LINKS.get(name, {}).items():
        found = {key: f"$response.body#{place}" for key, place in parameters.items()}
        link = {"operationId": other, "parameters": found}
        responses[success].setdefault("links", {})[other] = link
    for status in _errors(path, operation):
        responses.setdefault(status, {"description": ERRORS[status]})
    for status, response in responses.items():
        if status >= "400":
            schema = {"schema": _reference(answers.Problem)}
            is_head = name in ("file_head", "has_blob")
            response["content"] = {} if is_head else {"application/problem+json": schema}


def _errors(path: str, operation: dict[str, Any]) -> list[str]:
    found = ["400", "422", "503"]
    if "security" in operation:
        found += ["401", "403"]
    if "{" in path:
        found += ["404"]
    if "{version}" in path or "{dataset}" in path:
        found += ["410"]
    if "requestBody" in operation:
        found += WITH_BODY
    if operation["operationId"] == "submit":
        found += ["404"]
    return sorted(found)


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
