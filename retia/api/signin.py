"""Judge a name and a password: slowly, the same for everybody, and not too often.

Guesses are counted for a name from a network, for a network, and for a name from all networks that
the account has never been used from. So whoever guesses is stopped, and where the owner has been
before, the owner is not.
"""

import time

from sqlalchemy.orm import Session

from retia.api.accounts import find_user, password_is
from retia.api.context import Context
from retia.api.limits import Allowance, forgive, spend
from retia.api.secret import sign
from retia.leaderboard.tables import Place, User

HERE = Allowance("password of a name from a network", 10, 900)
NETWORK = Allowance("passwords from a network", 300, 900)
ELSEWHERE = Allowance("password of a name from new networks", 100, 3600)

WRONG = "the name or the password is wrong"


def judge(server: Context, name: str, password: str, network: str) -> User | None:
    """The account, or none; 429 after too many guesses, whether this one is right or not."""
    shown = name.lower()
    spend(server, NETWORK, network)
    spend(server, HERE, f"{shown} {network}")
    with server.database.read() as session:
        user = find_user(session, name)
        known = user is not None and session.get(Place, _place(server, user, network)) is not None
    if not known:
        spend(server, ELSEWHERE, shown)
    if not password_is(user, password) or user is None:
        return None
    with server.database.write() as session:
        forgive(server, session, HERE, f"{shown} {network}")
        remember(server, session, user, network)
    return user


def remember(server: Context, session: Session, user: User, network: str) -> None:
    """Note that the account has been used from this network, which is kept as a keyed hash."""
    key = _place(server, user, network)
    place = session.get(Place, key)
    if place is None:
        session.add(Place(user_id=key[0], network=key[1]))
    else:
        place.seen = time.time()


def _place(server: Context, user: User, network: str) -> tuple[int, str]:
    return user.id, sign(server.secret, f"place of {user.id}", network)[:32]
