"""The quota, judged before a body is read and held until it has come."""

from typing import Self

from starlette.concurrency import run_in_threadpool

from retia.api.accounts import Account
from retia.api.context import Context
from retia.leaderboard.reservations import release, reserve
from retia.leaderboard.submissions import key_is_known
from retia.leaderboard.tables import User


class Place:
    """A place in the quota of an account, while its submission is on its way.

    A key that the account has sent before needs none: it is answered once the whole body is known.
    """

    def __init__(self, server: Context, account: Account, key: str | None) -> None:
        self.server, self.account, self.key = server, account, key
        self.id: str | None = None
        self._is_repeated = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.id is not None:
            await run_in_threadpool(self._give_back)

    async def take(self, dataset: str, task: str) -> None:
        """Hold a place, if this has none yet; 429 where none is left."""
        if self.id is None and not self._is_repeated:
            await run_in_threadpool(self._take, dataset, task)

    def _take(self, dataset: str, task: str) -> None:
        with self.server.database.write() as session:
            user = session.get_one(User, self.account.id)
            if self.key is not None and key_is_known(session, user, self.key):
                self._is_repeated = True
                return
            self.id = reserve(session, user, dataset, task, self.server.settings.quota)

    def _give_back(self) -> None:
        assert self.id is not None
        with self.server.database.write() as session:
            release(session, self.id)
