"""Keep the exhibit of a version among its public files, and find it again."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from retia.api.exhibits.exhibit import Exhibit, make_exhibit
from retia.api.storage import Storage
from retia.leaderboard.tables import Publication, PublicShard
from retia.shards.version import Version

FOLDER = "pages"
INDEX = f"{FOLDER}/exhibit.json"


@dataclass(frozen=True)
class Kept:
    """A file of an exhibit that stands in the storage."""

    path: str
    sha256: str
    bytes: int


def keep_exhibit(storage: Storage, version: Version) -> list[Kept]:
    """Compute the exhibit of a version and store its files."""
    made = make_exhibit(version)
    kept = [Kept(f"{FOLDER}/{name}", *storage.keep(file)) for name, file in made.files.items()]
    files = {file.path: (file.sha256, file.bytes) for file in kept}
    index = made.exhibit.model_copy(update={"files": files}).model_dump_json().encode()
    return [*kept, Kept(INDEX, *storage.keep(index))]


def show(session: Session, publication: Publication, files: list[Kept]) -> None:
    """Let everyone read the files of an exhibit, at `pages/` among those of the version."""
    session.add_all(
        PublicShard(
            publication_id=publication.id, path=file.path, sha256=file.sha256, bytes=file.bytes
        )
        for file in files
    )


def find_exhibit(session: Session, storage: Storage, publication: Publication) -> Exhibit:
    """The exhibit of a version; an empty one for a version that was published without."""
    index = session.get(PublicShard, (publication.id, INDEX))
    return Exhibit() if index is None else _read(storage.blob(index.sha256))


@lru_cache(maxsize=64)
def _read(path: Path) -> Exhibit:
    return Exhibit.model_validate_json(path.read_bytes())
