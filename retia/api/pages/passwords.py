"""The pages of a forgotten password. Nothing in them tells whether there is such an account."""

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from retia.api.accounts import SCOPES, hash_of, slowly
from retia.api.audit import note
from retia.api.context import Context, Server
from retia.api.limits import Allowance, network, spend
from retia.api.links import look, password_link, use
from retia.api.mail import post, send
from retia.api.pages.forms import checked, page, signed_in
from retia.api.problems import Problem
from retia.api.schemas import Password
from retia.api.sessions import Sent, Visitor, end_sessions, visitor
from retia.api.signin import remember
from retia.leaderboard.tables import User
from retia.shards.errors import InputError

router = APIRouter(include_in_schema=False)

SENT = "If there is such an account and it has an e-mail address, a link is on its way."
MAILS = Allowance("forgotten passwords from a network", 10, 3600)
MAILS_TO = Allowance("forgotten passwords of a name", 3, 3600)


@router.get("/forgotten")
def forgotten_page(request: Request, server: Server) -> Response:
    """Ask who has forgotten a password."""
    return _forgotten(server, visitor(server, request))


@router.post("/forgotten")
def forgotten_form(request: Request, server: Server, form: Sent) -> Response:
    """Send a link, if there is where to. The answer does not tell."""
    asked = form.one("name").strip()[:300]
    if not server.settings.mail_from:
        return _forgotten(server, form.who)
    try:
        spend(server, MAILS, network(request))
        spend(server, MAILS_TO, asked.lower())
    except Problem as problem:
        return _forgotten(server, form.who, problem.detail, status=problem.status_code)
    post.submit(_send_links, server, asked)
    return _forgotten(server, form.who, done=SENT)


@router.get("/new-password")
def new_password_page(request: Request, server: Server, link: str = "") -> Response:
    """Ask for a new password, where the link is good."""
    who = visitor(server, request)
    try:
        with server.database.read() as session:
            look(session, "password", link)
    except InputError as error:
        return page(server, who, "new-password.html", 404, problem=str(error), link="")
    return page(server, who, "new-password.html", problem="", link=link)


@router.post("/new-password")
async def new_password_form(request: Request, server: Server, form: Sent) -> Response:
    """Set a new password, and sign the browser in."""
    link, where = form.one("link"), network(request)
    try:
        password = checked(Password, form.one("password"))
    except InputError as error:
        return page(server, form.who, "new-password.html", 422, problem=str(error), link=link)
    try:
        return await slowly(lambda: _reset(server, link, password, where))
    except InputError as error:
        return page(server, form.who, "new-password.html", 404, problem=str(error), link="")


def _forgotten(
    server: Context, who: Visitor, problem: str = "", done: str = "", status: int = 200
) -> Response:
    by_mail = bool(server.settings.mail_from)
    return page(server, who, "forgotten.html", status, problem=problem, done=done, by_mail=by_mail)


def _reset(server: Context, link: str, password: str, where: str) -> Response:
    hashed = hash_of(password)
    with server.database.write() as session:
        user = session.get_one(User, use(session, "password", link).user_id)
        user.password_hash = hashed
        end_sessions(session, user)
        remember(server, session, user, where)
        note(session, user.name, "password.reset", user.name)
    return signed_in(server, user)


def _send_links(server: Context, asked: str) -> None:
    """Send a link to every account of that address, or to the account of that name."""
    column = User.email if "@" in asked else User.name
    with server.database.write() as session:
        users = session.scalars(select(User).where(column == asked)).all()
        found = [
            (user.email, user.name, password_link(session, server.settings, user))
            for user in users
            if user.email and SCOPES[user.role]
        ]
        for _, name, _ in found:
            note(session, name, "password.mail", name)
    for email, name, link in found:
        text = (
            f"Somebody asked for a new password for the account {name} at\n"
            f"{server.settings.public_url}. If that was you, choose one here within a day:\n\n"
            f"{link}\n\nIf not, there is nothing to do."
        )
        send(server.settings, email, f"A new password for {name}", text)
