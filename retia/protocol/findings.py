"""What a check of the audit has found."""

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["passed", "failed", "not checked", "accepted"]

SEALED = "the answers are sealed, and not here"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check on one subject.

    `accepted` is a probe that failed, and that the publisher has accepted with a reason.
    """

    check: str
    subject: str
    status: Status
    detail: str

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values."""
        return asdict(self)


def exact(check: str, subject: str, problems: list[str], fine: str) -> Finding:
    """The finding of an exact check: failed where there are problems."""
    if problems:
        return Finding(check, subject, "failed", "; ".join(problems))
    return Finding(check, subject, "passed", fine)
