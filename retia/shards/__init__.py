"""The shard set on disk: manifest, writer, reader, OGB export."""

from retia.shards.errors import (
    CheckError,
    InputError,
    IntegrityError,
    MissingExtraError,
    NotFoundError,
    RetiaError,
    ServiceError,
)
from retia.shards.manifest import Manifest
from retia.shards.store import resolve
from retia.shards.version import Version
from retia.shards.writer import write_version

__all__ = [
    "CheckError",
    "InputError",
    "IntegrityError",
    "Manifest",
    "MissingExtraError",
    "NotFoundError",
    "RetiaError",
    "ServiceError",
    "Version",
    "resolve",
    "write_version",
]
