"""A place in a quota, held while a submission is on its way.

So that whoever has one submission left for today sends one body at a time, and not a hundred of
which all but one are refused when they are there. A place ends with its request; the place of a
server that was killed ends by itself.
"""

import secrets
import time

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from retia.leaderboard.submissions import QuotaError, used_today
from retia.leaderboard.tables import Reservation, User

SECONDS = 7200.0


def reserve(session: Session, user: User, dataset: str, task: str, quota: int) -> str:
    """Hold a place, and return its id; raises `QuotaError` where none is left.

    The session writes and locks the user, so that of many at once no more than the quota succeed.
    """
    session.get(User, user.id, with_for_update={"of": User, "key_share": True})
    now = time.time()
    session.execute(delete(Reservation).where(Reservation.expires <= now))
    held = session.scalar(
        select(func.count())
        .select_from(Reservation)
        .where(
            Reservation.user_id == user.id,
            Reservation.dataset == dataset,
            Reservation.task == task,
        )
    )
    used = used_today(session, user, dataset, task)
    if used + (held or 0) >= quota:
        raise QuotaError(user.name, dataset, task, used, quota, held or 0)
    row = Reservation(
        id=secrets.token_hex(8), user_id=user.id, dataset=dataset, task=task, expires=now + SECONDS
    )
    session.add(row)
    return row.id


def release(session: Session, reservation: str) -> None:
    """Give a place back, because its submission is there or never comes."""
    session.execute(delete(Reservation).where(Reservation.id == reservation))
