"""Note who did what with accounts and rights, in a log to which the database only ever adds."""

from sqlalchemy.orm import Session

from retia.api.logs import request_id
from retia.leaderboard.tables import Audit

OPERATOR = "(operator)"
"""Who works at the server's own command line; no account can have this name."""


def note(session: Session, actor: str, action: str, subject: str) -> None:
    """Add a line, in the same transaction as what it tells of."""
    session.add(Audit(actor=actor, action=action, subject=subject, request=request_id.get()))
