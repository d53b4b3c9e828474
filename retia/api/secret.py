"""The signing secret: made by the first start, kept in the database, shared by all replicas."""

import hashlib
import hmac
import secrets

from sqlalchemy import text

from retia.leaderboard.database import Database
from retia.leaderboard.tables import Secret

NAME = "signing"
MAKE = text("INSERT INTO secrets (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING")


def signing_secret(database: Database) -> bytes:
    """The secret of this server. Whichever start comes first makes it."""
    with database.read() as session:
        row = session.get(Secret, NAME)
    if row is None:
        with database.write() as session:
            values = {"name": NAME, "value": secrets.token_hex(32)}
            session.execute(MAKE, values)
            row = session.get_one(Secret, NAME)
    return bytes.fromhex(row.value)


def sign(secret: bytes, purpose: str, text: str) -> str:
    """What only this server can make of a text, in hexadecimal digits; another for each purpose."""
    return hmac.new(secret, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()
