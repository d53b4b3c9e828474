"""Send pages, styles and scripts compressed."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

LEAST_BYTES = 1000
PACKED = (".png", ".webp", ".gz")


class Compression:
    """Compress what anybody sees alike.

    The API's files have ETags of their bytes, and stay as they are. So does an answer to a browser
    with a cookie: how short a page gets must not tell what its form holds (the BREACH attack).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._packed = GZipMiddleware(app, minimum_size=LEAST_BYTES, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        app = self._packed if _is_public_page(scope) else self._plain
        await app(scope, receive, send)


def _is_public_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"].startswith("/api/"):
        return False
    is_static = scope["path"].startswith("/static/")
    has_cookie = any(name == b"cookie" for name, _ in scope["headers"])
    return not scope["path"].endswith(PACKED) and (is_static or not has_cookie)
