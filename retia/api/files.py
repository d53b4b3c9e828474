"""Answer with a stored file: ETag, ranges, 304.

The app sends it, or nginx does, told by `X-Accel-Redirect`; what a client sees is the same.
"""

import os
from pathlib import PurePosixPath

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.responses import MalformedRangeHeader, RangeNotSatisfiable

from retia.api.context import Context
from retia.api.problems import Problem
from retia.api.storage import blob_key
from retia.leaderboard.tables import PublicShard

MAX_RANGES = 32
"""More of them at once are ignored, as RFC 9110 14.2 lets a server do: each costs a part's head."""
IMMUTABLE = "public, max-age=31536000, immutable"

MEDIA = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".png": "image/png",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


class ShardResponse(FileResponse):
    """A file that is named by its content: its one validator is the ETag.

    Range errors are what RFC 9110 asks for: 416 as a problem, or no range.
    """

    chunk_size = 1 << 20

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        """Say the length. When the file was written differs between replicas, and says nothing."""
        self.headers["content-length"] = str(stat_result.st_size)

    def _should_use_range(self, http_if_range: str) -> bool:
        return http_if_range == self.headers["etag"]

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

    @classmethod
    def _parse_ranges(cls, range_: str, file_size: int) -> list[tuple[int, int]]:
        """The ranges; of several, those that begin within the file."""
        ranges = super()._parse_ranges(range_, file_size)
        return [part for part in ranges if part[0] < file_size] or ranges

    @classmethod
    def check_range(cls, request: Request, size: int, etag: str) -> None:
        """416 for a Range that whoever sends the file will not be able to give."""
        asked, condition = request.headers.get("range"), request.headers.get("if-range")
        if asked is not None and condition in (None, etag):
            cls._parse_range_header(asked, size)


def file_response(request: Request, server: Context, shard: PublicShard) -> Response:
    """A public file, ranges of it, or 304; its sha256 is a strong ETag, the same on every replica.

    The type is told by the suffix of its path.
    """
    etag = f'"{shard.sha256}"'
    headers = {"ETag": etag, "Cache-Control": IMMUTABLE}
    if_match = request.headers.get("if-match")
    if if_match is not None and not _names(if_match, etag):
        raise Problem(412, "the file has another ETag", {"ETag": etag})
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    media = MEDIA.get(PurePosixPath(shard.path).suffix, "application/octet-stream")
    if request.method == "HEAD":  # for which RFC 9110 14.2 knows no ranges
        headers |= {"Content-Length": str(shard.bytes), "Accept-Ranges": "bytes"}
        return Response(headers=headers, media_type=media)
    accel = server.settings.accel_location
    if accel and if_match is None:  # nginx knows no ETag that it could hold If-Match against
        ShardResponse.check_range(request, shard.bytes, etag)
        headers["X-Accel-Redirect"] = f"{accel}/{blob_key(shard.sha256)}"
        return Response(headers=headers, media_type=media)
    return ShardResponse(server.storage.blob(shard.sha256), headers=headers, media_type=media)


def matches(header: str | None, etag: str) -> bool:
    """Whether If-None-Match names this ETag; the weak comparison, RFC 9110 13.1.2."""
    return header is not None and _names(header.replace("W/", ""), etag)


def _names(header: str, etag: str) -> bool:
    tags = [tag.strip() for tag in header.split(",")]
    return "*" in tags or etag in tags
