"""How often something may be done: counted in the database, so for all replicas together."""

import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from fastapi import Request
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from retia.api.context import Context
from retia.api.problems import Problem
from retia.api.secret import sign
from retia.leaderboard.tables import Limit

COUNT = text(
    "INSERT INTO limits (key, count, until) VALUES (:key, 1, :later) "
    "ON CONFLICT (key) DO UPDATE SET "
    "count = CASE WHEN limits.until <= :now THEN 1 ELSE limits.count + 1 END, "
    "until = CASE WHEN limits.until <= :now THEN :later ELSE limits.until END "
    "RETURNING count, until"
)


@dataclass(frozen=True)
class Allowance:
    """So many times in so many seconds."""

    name: str
    times: int
    seconds: int


def ensure(server: Context, allowance: Allowance, who: str) -> None:
    """429 where nothing of an allowance is left; nothing is counted."""
    with server.database.read() as session:
        limit = session.get(Limit, _key(server, allowance, who))
    if limit is not None and limit.count >= allowance.times and limit.until > time.time():
        raise _too_often(allowance, limit.until)


def spend(server: Context, allowance: Allowance, who: str) -> None:
    """Count one more for this somebody or something; 429 where that is too often.

    It is counted before what it allows is done, so that many at once are not more than allowed.
    """
    now = time.time()
    values = {"key": _key(server, allowance, who), "now": now, "later": now + allowance.seconds}
    with server.database.write() as session:
        count, until = session.execute(COUNT, values).one()
        if count == 1:
            session.execute(delete(Limit).where(Limit.until <= now - allowance.seconds))
    if count > allowance.times:
        raise _too_often(allowance, until)


def forgive(server: Context, session: Session, allowance: Allowance, who: str) -> None:
    """Forget what was counted for this somebody."""
    session.execute(delete(Limit).where(Limit.key == _key(server, allowance, who)))


def network(request: Request) -> str:
    """Where a request comes from: an IPv4 address, or the /64 that an IPv6 address is in."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def _too_often(allowance: Allowance, until: float) -> Problem:
    seconds = max(1, round(until - time.time()))
    return Problem(
        429,
        f"too often: {allowance.times} times in {allowance.seconds} seconds are allowed; "
        f"try again in {seconds} seconds",
        {"Retry-After": str(seconds)},
    )


def _key(server: Context, allowance: Allowance, who: str) -> str:
    """A keyed hash: neither names nor addresses are kept for this."""
    return f"{allowance.name} {sign(server.secret, 'limit', who)[:32]}"
