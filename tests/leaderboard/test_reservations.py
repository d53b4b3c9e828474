"""Places in a quota, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from retia.leaderboard.database import Database
from retia.leaderboard.reservations import release, reserve
from retia.leaderboard.submissions import QuotaError
from retia.leaderboard.tables import Reservation, User


@pytest.fixture
def user(database: Database) -> User:
    with database.write() as session:
        user = User(name="ada", password_hash="-", role="user")
        session.add(user)
    return user


def take(database: Database, user: User, task: str = "link", quota: int = 3) -> str | None:
    with database.write() as session:
        try:
            return reserve(session, user, "toy", task, quota)
        except QuotaError:
            return None


def test_of_many_at_once_as_many_succeed_as_are_allowed(database: Database, user: User) -> None:
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda _: take(database, user), range(24)))
    assert sum(place is not None for place in places) == 3


def test_a_place_is_of_one_task_and_can_be_given_back(database: Database, user: User) -> None:
    places = [take(database, user) for _ in range(3)]
    assert take(database, user) is None
    assert take(database, user, task="other") is not None
    with database.write() as session:
        release(session, str(places[0]))
    assert take(database, user) is not None


def test_the_place_of_a_killed_server_ends_by_itself(database: Database, user: User) -> None:
    assert take(database, user, quota=1) is not None
    assert take(database, user, quota=1) is None
    with database.write() as session:
        session.execute(update(Reservation).values(expires=1.0))
    assert take(database, user, quota=1) is not None
