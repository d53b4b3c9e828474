"""The files that pages load from this server: styles, scripts, pictures.

An address that names the sum of its file is kept by browsers for ever; a changed file has another.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Response
from starlette.staticfiles import StaticFiles

FOREVER = "public, max-age=31536000, immutable"
FOLDER = Path(__file__).parent / "static"


class Assets(StaticFiles):
    """Files of a folder, to be kept for ever where the address names their sum."""

    def file_response(self, full_path: Any, stat_result: Any, scope: Any, *rest: Any) -> Response:
        """The file, or 304."""
        response = super().file_response(full_path, stat_result, scope, *rest)
        if b"v=" in scope["query_string"]:
            response.headers["Cache-Control"] = FOREVER
        return response


@cache
def asset(name: str) -> str:
    """The address of a file of the folder `static`."""
    sha256 = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={sha256[:12]}"
