"""Published datasets: search, versions, manifests, files."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from retia.api.context import Server
from retia.api.files import file_response
from retia.api.queries import (
    published_version,
    published_versions,
    search_datasets,
    shard_of,
)
from retia.api.wire import page, stamp

router = APIRouter(tags=["datasets"])

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/datasets")
def datasets(
    server: Server, q: str = "", kind: str = "", limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """Published datasets by name, the newest version of each."""
    with server.database.read() as session:
        found = search_datasets(session, q, kind)
    return page([row.summary for row in found], lambda item: str(item["name"]), limit, cursor)


@router.get("/datasets/{name}")
def dataset(name: str, server: Server) -> dict[str, Any]:
    """The versions of a dataset, oldest first."""
    with server.database.read() as session:
        rows = published_versions(session, name)
    versions = [
        {"version": row.version, "digest": row.digest, "created": stamp(row.published)}
        for row in rows
    ]
    return {"name": name, "owner": rows[0].dataset.owner.name, "versions": versions}


@router.get("/datasets/{name}/{version}")
def manifest(name: str, version: str, request: Request, server: Server) -> Response:
    """The manifest of a version, byte for byte as its digest was made."""
    with server.database.read() as session:
        row = published_version(session, name, version)
        content = row.manifest
    headers = {"ETag": f'"{row.digest}"', "Cache-Control": "public, max-age=31536000, immutable"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@router.head("/datasets/{name}/{version}/files/{path:path}", operation_id="file_head")
@router.get("/datasets/{name}/{version}/files/{path:path}", operation_id="file")
def file(name: str, version: str, path: str, request: Request, server: Server) -> Response:
    """A shard: its sha256 is a strong ETag; ranges are honoured."""
    with server.database.read() as session:
        shard = shard_of(session, name, version, path)
    return file_response(request, server, shard)
