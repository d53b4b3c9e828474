"""The local store: a folder of `{name}/{version}/`, and the references that name its versions."""

import os
from pathlib import Path

import platformdirs

from retia.shards.errors import NotFoundError
from retia.shards.version import MANIFEST_FILE, Version


def default_store() -> Path:
    """`RETIA_STORE`, or the user's data folder."""
    path = os.environ.get("RETIA_STORE")
    return Path(path) if path else Path(platformdirs.user_data_dir("retia")) / "store"


def default_cache() -> Path:
    """`RETIA_CACHE`, or the user's cache folder: downloads lie in folders of their own below it."""
    path = os.environ.get("RETIA_CACHE")
    return Path(path) if path else Path(platformdirs.user_cache_dir("retia"))


def versions(store: Path) -> list[Path]:
    """The folders of all versions in a store, sorted by name, then by version number."""
    if not store.is_dir():
        return []
    folders = [manifest.parent for manifest in store.glob(f"*/*/{MANIFEST_FILE}")]
    shown = [folder for folder in folders if not folder.name.startswith(".")]
    return sorted(shown, key=lambda folder: (folder.parent.name, _key(folder.name)))


def resolve(reference: str, store: Path | None = None) -> Version:
    """The version that `name[@version]` or a folder's path names; the newest without `@`.

    Raises `NotFoundError` where there is none.
    """
    folder = Path(reference)
    if (folder / MANIFEST_FILE).is_file():
        return Version.open(folder)
    store = store or default_store()
    name, _, number = reference.partition("@")
    found = [path for path in versions(store) if path.parent.name == name]
    if number:
        found = [path for path in found if path.name == number]
    if not found:
        raise NotFoundError(
            f"no dataset '{reference}' in {store}, and no version's folder at that path; "
            "'retia list' shows what is there"
        )
    return Version.open(found[-1])


def _key(version: str) -> tuple[int, ...]:
    numbers = version.split(".")
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else (-1,)
