"""Accounts and tokens. A password is kept as an Argon2id hash, a token as its sha256."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from retia.api.schemas import AccountName, Scope
from retia.leaderboard.tables import Role, Token, User, likeness
from retia.shards.canonical import sha256_bytes
from retia.shards.errors import InputError, NotFoundError

TOKEN_BYTES = 32
NO_PASSWORD = "-"  # noqa: S105
TOUCH_SECONDS = 60.0
SCOPES: dict[str, tuple[Scope, ...]] = {
    "user": ("read", "submit"),
    "publisher": ("read", "submit", "publish"),
    "admin": ("read", "submit", "publish", "admin"),
    "closed": (),
}

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_hex(16))
_hashers = ThreadPoolExecutor(2, "hasher")

T = TypeVar("T")


class TakenError(InputError):
    """A name that somebody has, or one that looks like it."""


async def slowly(work: Callable[[], T]) -> T:
    """Do what hashes passwords in threads of its own.

    It takes memory and time on purpose, and others need not wait for it.
    """
    run = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_hashers, run, work)


@dataclass(frozen=True)
class Account:
    """Who sends a request, and what the token allows."""

    id: int
    name: str
    scopes: frozenset[str]
    token_id: int


def add_user(
    session: Session,
    name: AccountName,
    password: str | None,
    role: Role,
    email: str | None = None,
) -> User:
    """Make an account; raises `TakenError` where the name is taken, or looks like one that is.

    Without a password nobody signs in with one.
    """
    user = User(name=name, password_hash=hash_of(password), role=role, email=email)
    taken = select(User).where(User.likeness == likeness(name))
    other = session.scalars(taken).first()
    if other is not None:
        same = other.name == name
        raise TakenError(
            f"the name {name} is taken" + ("" if same else f": it looks like {other.name}")
        )
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:  # somebody else took it just now
        raise TakenError(f"the name {name} is taken") from error
    return user


def hash_of(password: str | None) -> str:
    """How a password is kept."""
    return NO_PASSWORD if password is None else _hasher.hash(password)


def find_user(session: Session, name: str) -> User | None:
    """The account of that name."""
    return session.scalars(select(User).where(User.name == name)).first()


def password_is(user: User | None, password: str) -> bool:
    """Whether the password is the account's; takes as long where there is no account, or a closed
    one, or one without a password.
    """
    is_usable = user is not None and bool(SCOPES[user.role]) and user.password_hash != NO_PASSWORD
    stored = user.password_hash if user is not None and is_usable else _nobody
    try:
        return _hasher.verify(stored, password) and is_usable
    except (VerificationError, InvalidHashError):
        return False


def add_token(
    session: Session, user: User, scopes: Sequence[Scope], label: str, days: int
) -> tuple[str, Token]:
    """Make a token and return it, once, with its row; the role limits the scopes."""
    allowed = SCOPES[user.role]
    for scope in scopes:
        if scope not in allowed:
            raise InputError(
                f"{user.name} is a {user.role}, whose tokens have the scopes "
                f"{', '.join(allowed)}; '{scope}' is not one of them"
            )
    text = "retia_" + secrets.token_urlsafe(TOKEN_BYTES)
    token = Token(
        user_id=user.id,
        sha256=sha256_bytes(text.encode()),
        label=label,
        scopes=" ".join(sorted(set(scopes))),
        expires=time.time() + days * 86_400,
    )
    session.add(token)
    return text, token


def tokens_of(session: Session, user_id: int) -> list[Token]:
    """The tokens of an account that are neither revoked nor expired, newest first."""
    found = select(Token).where(
        Token.user_id == user_id, Token.revoked.is_(False), Token.expires > time.time()
    )
    return list(session.scalars(found.order_by(Token.id.desc())))


def revoke(session: Session, user_id: int, token_id: int) -> Token:
    """End a token of an account; raises `NotFoundError` for any other, somebody else's too."""
    token = session.get(Token, token_id, with_for_update={"of": Token})
    if token is None or token.user_id != user_id or token.revoked:
        raise NotFoundError(f"you have no token {token_id}")
    token.revoked = True
    return token


def account_of(session: Session, text: str) -> tuple[Account, Token] | None:
    """The account that a token speaks for; none where it is unknown, revoked or expired."""
    token = session.scalars(
        select(Token).where(Token.sha256 == sha256_bytes(text.encode()))
    ).first()
    if token is None or token.revoked or token.expires <= time.time():
        return None
    scopes = frozenset(token.scopes.split()) & frozenset(SCOPES[token.user.role])
    return Account(token.user.id, token.user.name, scopes, token.id), token


def is_stale(token: Token) -> bool:
    """Whether the time of the token's last use should be written anew."""
    return token.last_used is None or token.last_used < time.time() - TOUCH_SECONDS
