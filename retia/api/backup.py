"""Back a server up while it runs, and restore it elsewhere.

The database comes first, as of one moment; the files come after it. Files are written before the
rows that name them, and nothing is removed meanwhile, so that every file of the moment is there.
"""

import json
import secrets
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from retia.api.context import Context
from retia.api.settings import Settings
from retia.api.storage import Storage
from retia.api.verify import missing_files, stored_parts
from retia.leaderboard.database import Database
from retia.leaderboard.dump import dump, load
from retia.leaderboard.locks import STORAGE, locked
from retia.leaderboard.tables import Board, Publication, Submission
from retia.shards.canonical import sha256_file
from retia.shards.errors import CheckError, InputError, IntegrityError
from retia.shards.manifest import Manifest
from retia.shards.writer import write_atomically

FORM = "retia.backup/1"
CARD, TABLES, FILES = "backup.json", "database", "files"
PATIENCE_S = 600.0

Step = Callable[[int, int], None]
"""Told after each file how many are done, and of how many."""


def back_up(server: Context, out: Path, step: Step = lambda *_: None) -> dict[str, Any]:
    """Write a backup to a folder; files that an earlier backup left there are not copied again.

    Raises `CheckError` where a stored file is damaged or missing.
    """
    if out.exists() and any(out.iterdir()) and not (out / FILES).is_dir():
        raise InputError(f"{out}: neither empty nor a backup")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    (out / CARD).unlink(missing_ok=True)  # what is not whole has no card
    shutil.rmtree(out / TABLES, ignore_errors=True)
    with locked(server.database, STORAGE, PATIENCE_S):
        revision, rows = dump(server.database, out / TABLES)
        keys = list(server.storage.all_keys())
        for number, key in enumerate(keys, 1):
            _copy(server.storage, key, out / FILES / key)
            step(number, len(keys))
    card = {"form": FORM, "retia": version("retia"), "revision": revision, "rows": rows}
    lacking = missing_files(out / TABLES, set(keys))
    if lacking:
        raise CheckError(f"{lacking[0]}: a row names it, and it is not stored; see 'admin verify'")
    write_atomically(out / CARD, json.dumps(card, indent=2).encode())
    return card | {"files": len(keys)}


def restore(settings: Settings, source: Path, step: Step = lambda *_: None) -> dict[str, Any]:
    """Make a server from a backup, where there is none yet: an empty folder, an empty database.

    Jobs that were going on are done again.
    """
    card = _card(source)
    storage = Storage(settings.data)
    if next(storage.all_keys(), None) is not None:
        raise InputError(f"{settings.data}: there are files already; restore into an empty one")
    database = Database(settings.database)
    keys = [
        str(path.relative_to(source / FILES))
        for path in sorted((source / FILES).rglob("*"))
        if path.is_file()
    ]
    for number, key in enumerate(keys, 1):
        path = source / FILES / key
        if sha256_file(path) != path.name:
            raise IntegrityError(f"{path}: damaged; its sha256 is not its name")
        storage.put(key, path)
        step(number, len(keys))
    load(database, source / TABLES, str(card["revision"]))
    _start_anew(database)
    _lay_out(database, storage)
    database.close()
    return card | {"files": len(keys)}


def _card(source: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((source / CARD).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: not a whole backup; it has no {CARD}") from error
    if card.get("form") != FORM:
        raise InputError(f"{source / CARD}: the form is {card.get('form')!r}, not {FORM}")
    return card


def _copy(storage: Storage, key: str, place: Path) -> None:
    name = place.name
    if place.exists() and sha256_file(place) == name:
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = place.with_name(f".{name}.tmp")
    with storage.open(key) as source, draft.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    if sha256_file(draft) != name:
        draft.unlink()
        raise CheckError(f"{key}: damaged; its sha256 is not its name, see 'retia admin verify'")
    draft.replace(place)


def _start_anew(database: Database) -> None:
    """End the leases of the old server's workers, and give boards ETags that it never gave."""
    jump = 10**6 + secrets.randbelow(10**8)
    with database.write() as session:
        for table in (Publication, Submission, Board):
            session.execute(update(table).values(lease_until=0.0))
        session.execute(update(Board).values(revision=Board.revision + jump))


def _lay_out(database: Database, storage: Storage) -> None:
    """Make the folders of the published versions."""
    with database.read() as session:
        published = select(Publication).where(Publication.state == "published")
        for row in session.scalars(published).all():
            manifest = Manifest.model_validate_json(row.manifest)
            with storage.workplace(row.name, row.version, row.fence) as folder:
                storage.lay_out(folder, manifest, stored_parts(storage, row), row.dataset.owner_id)
                storage.install(folder, row.name, row.version)
