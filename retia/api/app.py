"""The application: routes, pages, errors, and the headers that every answer has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy import text
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retia.api import problems
from retia.api.context import Context, Server
from retia.api.metrics import Metrics
from retia.api.observe import Observe
from retia.api.openapi import describe, operation_id
from retia.api.pages.accounts import router as account_pages
from retia.api.pages.assets import FOLDER, Assets
from retia.api.pages.catalogue import router as catalogue_pages
from retia.api.pages.compression import Compression
from retia.api.pages.dataset import router as dataset_pages
from retia.api.pages.docs import pictures
from retia.api.pages.docs import router as docs_pages
from retia.api.pages.pages import router as pages_router
from retia.api.pages.passwords import router as password_pages
from retia.api.routes.accounts import router as accounts
from retia.api.routes.blobs import router as blobs
from retia.api.routes.datasets import router as datasets
from retia.api.routes.leaderboards import router as leaderboards
from retia.api.routes.own_submissions import router as own_submissions
from retia.api.routes.publications import router as publications
from retia.api.routes.submissions import router as submissions
from retia.api.settings import Settings

ROUTERS = (datasets, leaderboards, accounts, blobs, publications, submissions, own_submissions)
PAGES = (catalogue_pages, dataset_pages, pages_router, docs_pages, account_pages, password_pages)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application on the data folder and the database of the settings."""
    context = Context.open(settings or Settings.from_environment())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        context.database.close()

    app = FastAPI(
        title="Retia",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
    )
    app.state.context = context
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1")
    if context.settings.oidc_issuer:
        from retia.api.pages.openid import PLACE, openid_app  # it takes a while to load

        app.mount(PLACE, openid_app(context))
    for router in PAGES:
        app.include_router(router)
    for address, files in {"/static": Assets(directory=FOLDER), **pictures}.items():
        app.mount(address, files)
    app.add_api_route("/healthz", alive, tags=["operators"])
    app.add_api_route("/readyz", ready, tags=["operators"])
    app.add_api_route("/metrics", measured, tags=["operators"], response_class=PlainTextResponse)
    app.add_middleware(Compression)
    app.add_middleware(RefuseNul)
    app.add_middleware(SecurityHeaders)
    app.state.metrics = Metrics(context.database)
    app.add_middleware(Observe, metrics=app.state.metrics)
    problems.install(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def measured(request: Request) -> Response:
    """The metrics, for Prometheus."""
    metrics: Metrics = request.app.state.metrics
    return metrics.response()


def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


def ready(server: Server) -> dict[str, str]:
    """The database answers too."""
    with server.database.read() as session:
        session.execute(text("SELECT 1 FROM users LIMIT 1"))
    return {"status": "ok"}


class RefuseNul:
    """No address has a NUL: one database takes it for the end of a text, the other fails on it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400."""
        is_bad = scope["type"] == "http" and (
            "\x00" in scope["path"] or b"%00" in scope["query_string"]
        )
        if is_bad:
            refusal = problems.problem_response(400, "the address has a NUL, which no value has")
            await refusal(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class SecurityHeaders:
    """Add the headers that forbid a browser everything a page of Retia does not need."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(problems.SECURITY)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
