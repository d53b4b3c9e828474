"""RFC 9457 problem documents: the one form of every error below `/api`."""

import errno
import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from retia.api.accounts import TakenError
from retia.api.logs import request_id
from retia.api.pages.render import error_page
from retia.api.queries import GoneError
from retia.leaderboard.submissions import DuplicateError, QuotaError
from retia.shards.errors import NotFoundError, RetiaError

MAX_DETAIL = 1000
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
RETRY_SECONDS = "2"
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


log = logging.getLogger("retia.api")


class Problem(HTTPException):
    """An error with a status and a sentence that says what to do."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)


def problem_response(
    status: int, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """The problem document itself."""
    title = HTTPStatus(status).phrase
    if len(detail) > MAX_DETAIL:
        detail = f"{detail[:MAX_DETAIL]} ..."
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document, or a page where a person asks."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(RetiaError, _retia)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(OperationalError, _no_database)
    app.add_exception_handler(PoolTimeoutError, _no_database)
    app.add_exception_handler(OSError, _no_room)
    app.add_exception_handler(Exception, _unexpected)


def _answer(
    request: Request, status: int, detail: str, headers: dict[str, str] | None = None
) -> Response:
    is_page = not request.url.path.startswith("/api/")
    if is_page and "text/html" in request.headers.get("accept", ""):
        return error_page(status, detail)
    return problem_response(status, detail, headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"there is nothing at {request.url.path}"
    headers = dict(error.headers) if error.headers else None
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed(request))
        headers, detail = {"Allow": allowed}, f"{request.url.path} takes {allowed}"
    return _answer(request, error.status_code, detail, headers)


def _allowed(request: Request) -> list[str]:
    """The methods that some route takes at this address."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"])
    return _answer(request, 422, f"{place}: {first['msg']}")


async def _retia(request: Request, error: Exception) -> Response:
    if isinstance(error, GoneError):
        return _answer(request, 410, str(error))
    if isinstance(error, NotFoundError):
        return _answer(request, 404, str(error))
    if isinstance(error, TakenError):
        return _answer(request, 409, str(error))
    if isinstance(error, QuotaError):
        return _answer(request, 429, str(error))
    if isinstance(error, DuplicateError):
        return _answer(request, 409, str(error))
    return _answer(request, 422, str(error))


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client left in the middle of its body; nobody reads this."""
    return Response(status_code=400)


async def _no_database(request: Request, error: Exception) -> Response:
    log.error("the database failed: %s", error)
    detail = "the database does not answer; try again"
    return _answer(request, 503, detail, {"Retry-After": RETRY_SECONDS})


async def _no_room(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error
    log.error("the disk failed: %s", error)
    return _answer(request, 507, "the server has no room left; its operator has to make some")


async def _unexpected(request: Request, error: Exception) -> Response:
    """No middleware sees this answer, so its headers are set here."""
    number = request_id.get() or ""
    response = _answer(request, 500, f"the server failed; its log says more at request {number}")
    response.headers.update(SECURITY | {"X-Request-ID": number})
    return response
