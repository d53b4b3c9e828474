"""Answer with a stored file: ETag, ranges, 304."""

from pathlib import Path, PurePosixPath

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.responses import MalformedRangeHeader, RangeNotSatisfiable

from retia.api.problems import Problem

MAX_RANGES = 32
"""More of them at once are ignored, as RFC 9110 14.2 lets a server do: each costs a part's head."""
IMMUTABLE = "public, max-age=31536000, immutable"

MEDIA = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".png": "image/png",
    ".webp": "image/webp",
}


class ShardResponse(FileResponse):
    """A file whose Range errors are what RFC 9110 asks for: 416 as a problem, or no range."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            ranges = super()._parse_range_header(http_range, file_size)
        except RangeNotSatisfiable as error:
            headers = {"Content-Range": f"bytes */{file_size}"}
            raise Problem(416, f"the file has {file_size} bytes", headers) from error
        except MalformedRangeHeader:
            return []
        return ranges if len(ranges) <= MAX_RANGES else []


def file_response(request: Request, path: Path, sha256: str, name: str) -> Response:
    """The file, a range of it, or 304; its sha256 is a strong ETag, the same on every replica.

    The type is told by the suffix of its name.
    """
    headers = {"ETag": f'"{sha256}"', "Cache-Control": IMMUTABLE}
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    media = MEDIA.get(PurePosixPath(name).suffix, "application/octet-stream")
    return ShardResponse(path, headers=headers, media_type=media)


def matches(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names this ETag; the weak comparison, RFC 9110 13.1.2."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags
