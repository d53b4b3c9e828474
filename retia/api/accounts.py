"""Accounts and tokens. A password is kept as an Argon2id hash, a token as its sha256."""

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from retia.api.schemas import AccountName, Scope
from retia.leaderboard.tables import Role, Token, User
from retia.shards.canonical import sha256_bytes
from retia.shards.errors import InputError

TOKEN_BYTES = 32
TOUCH_SECONDS = 60.0
SCOPES: dict[str, tuple[Scope, ...]] = {
    "user": ("read", "submit"),
    "publisher": ("read", "submit", "publish"),
    "admin": ("read", "submit", "publish", "admin"),
}

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_hex(16))
hashers = ThreadPoolExecutor(2, "hasher")
"""Who hashes for the routes: it takes memory and time on purpose, and others need not wait."""


@dataclass(frozen=True)
class Account:
    """Who sends a request, and what the token allows."""

    id: int
    name: str
    scopes: frozenset[str]


def add_user(session: Session, name: AccountName, password: str, role: Role) -> User:
    """Make an account; raises `InputError` where the name is taken, in capitals or not."""
    password_hash = _hasher.hash(password)  # before the session has the lock of the writers
    taken = session.scalars(select(User).where(User.name.ilike(name, escape="\\"))).first()
    if taken is not None:
        raise InputError(f"the name {name} is taken")
    user = User(name=name, password_hash=password_hash, role=role)
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, name: str) -> User | None:
    """The account of that name."""
    return session.scalars(select(User).where(User.name == name)).first()


def password_is(user: User | None, password: str) -> bool:
    """Whether the password is the account's; takes as long where there is no account."""
    stored = user.password_hash if user else _nobody
    try:
        return _hasher.verify(stored, password) and user is not None
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


def account_of(session: Session, text: str) -> tuple[Account, Token] | None:
    """The account that a token speaks for; none where it is unknown, revoked or expired."""
    token = session.scalars(
        select(Token).where(Token.sha256 == sha256_bytes(text.encode()))
    ).first()
    if token is None or token.revoked or token.expires <= time.time():
        return None
    scopes = frozenset(token.scopes.split()) & frozenset(SCOPES[token.user.role])
    return Account(token.user.id, token.user.name, scopes), token


def is_stale(token: Token) -> bool:
    """Whether the time of the token's last use should be written anew."""
    return token.last_used is None or token.last_used < time.time() - TOUCH_SECONDS
