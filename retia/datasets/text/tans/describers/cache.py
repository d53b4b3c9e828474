"""Answers that were paid, and the attempts at them: nothing is paid twice, also after a kill.

A SQLite file with a write-ahead log. An attempt is on disk before it is sent, and its answer before
the next one is: so of every request that was under way when a run was killed, it is known that it
was, and that it may have been paid. The endpoint's key is no part of the file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from retia.datasets.text.tans.describers.answer import Answer
from retia.shards.errors import InputError, IntegrityError

FILE = "answers.sqlite"
COLUMNS = tuple(field.name for field in fields(Answer))
TABLES = (
    f"CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, {', '.join(COLUMNS)}, created TEXT)"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS attempts (number INTEGER PRIMARY KEY, key TEXT NOT NULL, "
    "lost TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, sent TEXT)",
    "CREATE INDEX IF NOT EXISTS attempts_by_key ON attempts (key)",
)
UNDER_WAY = "in flight when interrupted"


@dataclass(frozen=True)
class Attempt:
    """A request that was sent and has, or may have, been paid.

    `lost` says why there is no answer, and is empty where there is one. The tokens are as the
    endpoint stated them.
    """

    lost: str
    prompt_tokens: int | None
    completion_tokens: int | None


class AnswerCache:
    """The answers in a folder; one process at a time, as two would ask the same twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        for table in TABLES:
            self._base.execute(table)

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
            (key, *astuple(answer), _now()),
        )

    def begin(self, key: str) -> int:
        """Note that a request is about to be sent; it is on disk when this returns its number."""
        number = self._base.execute(
            "INSERT INTO attempts (key, lost, sent) VALUES (?, ?, ?)", (key, UNDER_WAY, _now())
        ).lastrowid
        assert number is not None
        return number

    def answered(self, number: int, key: str, answer: Answer) -> None:
        """Keep the answer that an attempt brought."""
        with self._base:
            self._base.execute("BEGIN")
            self.put(key, answer)
            self._base.execute(
                "UPDATE attempts SET lost = '', prompt_tokens = ?, completion_tokens = ? "
                "WHERE number = ?",
                (answer.prompt_tokens, answer.completion_tokens, number),
            )

    def lost(self, number: int, reason: str) -> None:
        """Note why an attempt that may have been paid brought no answer."""
        self._base.execute("UPDATE attempts SET lost = ? WHERE number = ?", (reason, number))

    def unpaid(self, number: int) -> None:
        """Strike out an attempt that cost nothing."""
        self._base.execute("DELETE FROM attempts WHERE number = ?", (number,))

    def attempts(self, key: str) -> list[Attempt]:
        """The attempts at a request that were or may have been paid, the latest last."""
        found = self._base.execute(
            "SELECT lost, prompt_tokens, completion_tokens FROM attempts WHERE key = ? "
            "ORDER BY number",
            (key,),
        )
        return [Attempt(*row) for row in found]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
