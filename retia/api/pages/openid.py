"""Sign in by an OpenID provider that the operator has chosen.

Authlib does the protocol: discovery, state, nonce, PKCE, and the checks of the token. What it has
to remember from one request to the next is in a cookie that the server signs, for these pages.
An account is found by the provider's subject, never by an e-mail address.
"""

import logging
import warnings
from typing import Any

import authlib.deprecate
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware

from retia.api import problems
from retia.api.accounts import SCOPES
from retia.api.audit import note
from retia.api.context import Context, Server
from retia.api.limits import network
from retia.api.pages.forms import SEE_OTHER, first_problem, page, signed_in
from retia.api.problems import Problem
from retia.api.routes.accounts import join
from retia.api.schemas import Person
from retia.api.secret import sign
from retia.api.sessions import Sent, Visitor, visitor
from retia.leaderboard.tables import Identity, User
from retia.shards.errors import InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    from authlib.integrations.starlette_client import OAuth  # it would rather use httpx2

PLACE = "/sign-in/openid"
SECONDS = 900
TIMEOUT_S = 10.0
PENDING = "pending"
UNKNOWN = "No account here belongs to you at that provider."

log = logging.getLogger("retia.openid")


def openid_app(server: Context) -> FastAPI:
    """The pages below `/sign-in/openid`."""
    app = FastAPI(openapi_url=None)
    app.state.context = server
    app.state.provider = _provider(server)
    app.add_api_route("/start", start)
    app.add_api_route("/callback", callback)
    app.add_api_route("/name", name_page)
    app.add_api_route("/name", name_form, methods=["POST"])
    app.add_middleware(
        SessionMiddleware,
        secret_key=sign(server.secret, "openid", "cookie"),
        session_cookie="retia-openid",
        path=PLACE,
        max_age=SECONDS,
        same_site="lax",
        https_only=server.settings.public_url.startswith("https:"),
    )
    problems.install(app)
    return app


async def start(request: Request, server: Server) -> Response:
    """Send the browser to the provider."""
    try:
        answer: Response = await request.app.state.provider.authorize_redirect(
            request, f"{server.settings.public_url}{PLACE}/callback"
        )
    except Exception as error:  # whatever a provider does, a visitor gets a page
        return await _failed(request, server, error)
    return answer


async def callback(request: Request, server: Server) -> Response:
    """The provider has sent the browser back: sign it in, or ask for the name of a new account."""
    try:
        token = await request.app.state.provider.authorize_access_token(request)
        claims = dict(token["userinfo"])
        identity = (str(claims["iss"]), str(claims["sub"]))
    except Exception as error:  # a token that does not fit, an answer that is none
        return await _failed(request, server, error)
    who = await run_in_threadpool(visitor, server, request)
    return await run_in_threadpool(_arrive, server, request, who, identity, claims)


def name_page(request: Request, server: Server) -> Response:
    """Ask a new person for a public name."""
    pending = _pending(request)
    return _name_form(server, visitor(server, request), str(pending.get("name") or ""))


def name_form(request: Request, server: Server, form: Sent) -> Response:
    """Make the account of a new person, without a password."""
    pending = _pending(request)
    name, link = form.one("name"), form.one("link")
    try:
        body = Person.model_validate({"name": name, "invitation": link or None})
        user = join(server, body, network(request), (pending["issuer"], pending["subject"]))
    except ValidationError as error:
        return _name_form(server, form.who, name, first_problem(error), 422)
    except InputError as error:
        return _name_form(server, form.who, name, str(error), 422)
    except Problem as error:
        return _name_form(server, form.who, name, error.detail, error.status_code)
    request.session.clear()
    return signed_in(server, user)


def _provider(server: Context) -> Any:
    settings = server.settings
    return OAuth().register(
        "provider",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile",
            "code_challenge_method": "S256",
            "timeout": TIMEOUT_S,
        },
    )


def _arrive(
    server: Context,
    request: Request,
    who: Visitor,
    identity: tuple[str, str],
    claims: dict[str, Any],
) -> Response:
    with server.database.write() as session:
        known = session.get(Identity, identity)
        if known is None and who.user is not None:
            _link(session, identity, who.user)
        user = known.user if known is not None else who.user
    if user is not None and SCOPES[user.role]:
        return signed_in(server, user)
    if user is not None or server.settings.registration == "closed":
        return _refused(server, who, UNKNOWN, 403)
    request.session[PENDING] = {
        "issuer": identity[0],
        "subject": identity[1],
        "name": str(claims.get("preferred_username") or "")[:40],
    }
    return RedirectResponse(f"{PLACE}/name", SEE_OTHER)


def _link(session: Session, identity: tuple[str, str], user: User) -> None:
    session.add(Identity(issuer=identity[0], subject=identity[1], user_id=user.id))
    note(session, user.name, "identity.add", f"{user.name} {identity[0]}")


def _pending(request: Request) -> dict[str, str]:
    pending: dict[str, str] | None = request.session.get(PENDING)
    if pending is None:
        raise Problem(403, "this took too long; sign in again")
    return pending


def _name_form(
    server: Context, who: Visitor, name: str, problem: str = "", status: int = 200
) -> Response:
    is_invite = server.settings.registration == "invite"
    return page(
        server, who, "openid-name.html", status, problem=problem, name=name, is_invite=is_invite
    )


def _refused(server: Context, who: Visitor, problem: str, status: int) -> Response:
    values = {"problem": problem, "done": "", "name": ""}
    label = server.settings.oidc_label
    return page(server, who, "sign-in.html", status, **values, can_join=False, label=label)


async def _failed(request: Request, server: Context, error: Exception) -> Response:
    log.warning("sign-in by the provider failed: %r", error)
    who = await run_in_threadpool(visitor, server, request)
    label = server.settings.oidc_label
    return _refused(server, who, f"Signing in with {label} did not work. Try again.", 502)
