"""Secret links that work once: an invitation, and a new password for an account."""

import secrets
import time
from typing import Literal

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from retia.api.settings import Settings
from retia.leaderboard.tables import Link, Role, User
from retia.shards.canonical import sha256_bytes
from retia.shards.errors import InputError

Purpose = Literal["invitation", "password"]
SECONDS: dict[Purpose, int] = {"invitation": 14 * 86_400, "password": 86_400}
PAGES: dict[Purpose, str] = {"invitation": "join", "password": "new-password"}
UNKNOWN = "this link is unknown, used or expired; ask for a new one"


def invite(session: Session, settings: Settings, role: Role) -> str:
    """The address of an invitation, to be shown this once."""
    return _make(session, settings, Link(purpose="invitation", role=role))


def password_link(session: Session, settings: Settings, user: User) -> str:
    """The address at which this account gets a new password; an older one ends."""
    session.execute(
        delete(Link).where(Link.user_id == user.id, Link.purpose == "password", Link.used.is_(None))
    )
    return _make(session, settings, Link(purpose="password", user_id=user.id))


def look(session: Session, purpose: Purpose, secret: str) -> Link:
    """The link, if it still works; raises `InputError` that does not say why it does not."""
    link = session.scalars(
        select(Link).where(Link.sha256 == sha256_bytes(secret.encode()), Link.purpose == purpose)
    ).first()
    if link is None or link.used is not None or link.expires <= time.time():
        raise InputError(UNKNOWN)
    return link


def use(session: Session, purpose: Purpose, secret: str) -> Link:
    """The link, which has been used now; of several who use it at once, one succeeds."""
    link = look(session, purpose, secret)
    used = session.execute(
        update(Link).where(Link.id == link.id, Link.used.is_(None)).values(used=time.time())
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]
        raise InputError(UNKNOWN)
    return link


def _make(session: Session, settings: Settings, link: Link) -> str:
    secret = secrets.token_urlsafe(32)
    purpose: Purpose = link.purpose  # type: ignore[assignment]
    link.sha256 = sha256_bytes(secret.encode())
    link.expires = time.time() + SECONDS[purpose]
    session.add(link)
    return f"{settings.public_url}/{PAGES[purpose]}?link={secret}"
