"""What every route needs: settings, database, files."""

from dataclasses import dataclass, field
from typing import Annotated, Self

from fastapi import Depends, Request

from retia.api.boards import Boards
from retia.api.secret import signing_secret
from retia.api.settings import Settings
from retia.api.storage import Storage
from retia.leaderboard.database import Database


@dataclass(frozen=True)
class Context:
    """The parts of a running server."""

    settings: Settings
    database: Database
    storage: Storage
    boards: Boards
    secret: bytes = field(repr=False)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open, and where needed make, the data folder and the database."""
        settings.data.mkdir(parents=True, exist_ok=True)
        database = Database(settings.database)
        database.migrate()
        storage, boards = Storage(settings.data), Boards(database)
        return cls(settings, database, storage, boards, signing_secret(database))


def context(request: Request) -> Context:
    """The context of the app that serves this request."""
    found: Context = request.app.state.context
    return found


async def _at_once(request: Request) -> Context:
    """The same, as a dependency that needs no thread."""
    return context(request)


Server = Annotated[Context, Depends(_at_once)]
