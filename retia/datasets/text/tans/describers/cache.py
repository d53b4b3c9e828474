"""Answers that were paid, kept by the sha256 of what was asked: a killed run pays none twice.

A SQLite file with a write-ahead log; every answer is on disk before the next request is sent. The
endpoint's key is no part of it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from retia.datasets.text.tans.describers.answer import Answer
from retia.shards.errors import InputError, IntegrityError

FILE = "answers.sqlite"
COLUMNS = tuple(field.name for field in fields(Answer))


class AnswerCache:
    """The answers in a folder; one process at a time, as two would ask the same twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.execute(
            f"CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, {', '.join(COLUMNS)}, "
            "created TEXT) WITHOUT ROWID"
        )

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[Self]:
        """The cache in a folder, locked while it is open.

        Raises `InputError` where another process has it, `IntegrityError` for a file that is none.
        """
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(folder / "lock").acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"{folder}: another `retia describe` uses this cache; wait for it, or give another "
                "--cache"
            ) from error
        with lock:
            try:
                cache = cls(folder / FILE)
            except sqlite3.DatabaseError as error:
                raise IntegrityError(
                    f"{folder / FILE}: not a cache of answers ({error})"
                ) from error
            try:
                yield cache
            finally:
                cache._base.close()

    def get(self, key: str) -> Answer | None:
        """The answer to a request, or none."""
        found = self._base.execute(
            f"SELECT {', '.join(COLUMNS)} FROM answers WHERE key = ?",  # noqa: S608
            (key,),
        ).fetchone()
        return Answer(*found) if found else None

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; it is on disk when this returns."""
        marks = ", ".join("?" * (len(COLUMNS) + 2))
        self._base.execute(
            f"INSERT OR REPLACE INTO answers VALUES ({marks})",  # noqa: S608
            (key, *astuple(answer), datetime.now(UTC).isoformat(timespec="seconds")),
        )
