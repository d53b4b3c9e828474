"""Give every request an id, a line in the log, and its place in the metrics."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retia.api.logs import request_id
from retia.api.metrics import Metrics

API = "/api/v1"
HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{8,64}")

log = logging.getLogger("retia.request")


class Observe:
    """A proxy may give the id; the answer carries it. No query is logged: it may hold a secret."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if WELL_FORMED.fullmatch(given) else secrets.token_hex(8)
        request_id.set(number)
        start, status, size = time.perf_counter(), 500, 0

        async def noting(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = number
            else:
                size += len(message.get("body", b""))
            await send(message)

        self.metrics.going.inc()
        try:
            await self.app(scope, receive, noting)
        finally:
            self.metrics.going.dec()
            self._note(scope, status, time.perf_counter() - start, size)

    def _note(self, scope: Scope, status: int, seconds: float, size: int) -> None:
        route = _route(scope)
        self.metrics.requests.labels(_known(scope["method"]), route, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        log.info(
            "request",
            extra={
                "method": scope["method"][:20],
                "path": scope["path"][:500],
                "status": status,
                "seconds": round(seconds, 4),
                "bytes": size,
                "client": (scope.get("client") or ("",))[0],
                "user": scope.get("state", {}).get("user"),
            },
        )


def _route(scope: Scope) -> str:
    """The route with its parameters unfilled, so that no stranger can make a new one."""
    path: str = getattr(scope.get("route"), "path", "none")
    is_api = scope["path"].startswith(f"{API}/") and not path.startswith(API)
    return f"{API}{path}" if is_api and path != "none" else path


def _known(method: str) -> str:
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
