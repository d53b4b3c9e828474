"""What the routes answer, as models: for the description of the API, and for clients made from it.

The routes write plain values; a test holds every answer against these.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from retia.api.schemas import Scope
from retia.leaderboard.tables import Role
from retia.protocol.findings import Status


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str


class Health(BaseModel):
    """That the server, or its database, answers."""

    status: Literal["ok"]


class TaskSummary(BaseModel):
    """A task of a version."""

    name: str
    type: str
    secrecy: Literal["open", "sealed"]
    primary: str
    num_splits: int


class DatasetSummary(BaseModel):
    """The newest version of a dataset."""

    name: str
    version: str
    digest: str
    title: str
    kind: str
    license: str
    num_nodes: int
    num_edges: int
    tasks: list[TaskSummary]
    synthetic: bool
    created: datetime | None


class DatasetPage(BaseModel):
    """Datasets by name."""

    items: list[DatasetSummary]
    next: str | None


class DatasetVersion(BaseModel):
    """A version that is published."""

    version: str
    digest: str
    created: datetime


class Dataset(BaseModel):
    """A dataset with its versions, oldest first."""

    name: str
    owner: str
    versions: list[DatasetVersion]


class Finding(BaseModel):
    """What a check of a version found."""

    check: str
    subject: str
    status: Status
    detail: str


class AcceptedPublication(BaseModel):
    """That a version has been taken in."""

    state: Literal["received", "checking", "published"]


class Publication(BaseModel):
    """How far a publication is."""

    state: Literal["received", "checking", "published", "refused"]
    problem: str | None
    findings: list[Finding]


class StoredBlob(BaseModel):
    """A blob that is here now."""

    sha256: str
    bytes: int


class NewUserAnswer(BaseModel):
    """The account that was made."""

    name: str
    role: Role


class NewTokenAnswer(BaseModel):
    """A token. It is shown this once."""

    token: str
    id: int
    scopes: list[Scope]
    expires: datetime


class Token(BaseModel):
    """A token, without what makes it one."""

    id: int
    label: str
    scopes: list[Scope]
    created: datetime
    expires: datetime
    last_used: datetime | None
    current: bool


class Tokens(BaseModel):
    """The tokens of an account, newest first."""

    user: str
    items: list[Token]


class Invitation(BaseModel):
    """A link that works once. It is shown this once."""

    link: str
    role: Literal["user", "publisher"]


class PasswordLink(BaseModel):
    """A link that works once. It is shown this once."""

    link: str
    user: str


class AuditLine(BaseModel):
    """What somebody did to accounts or rights."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str


class AuditPage(BaseModel):
    """Lines of the audit log, newest first."""

    items: list[AuditLine]
    next: str | None


class Figure(BaseModel):
    """A measure over the seeds: mean, std (ddof = 1), 95 % t-interval, one value a seed."""

    mean: float
    std: float | None
    low: float | None
    high: float | None
    seeds: list[float]


Scores = dict[str, dict[str, Figure]]
"""By part (valid, test) and measure."""


class AcceptedSubmission(BaseModel):
    """A submission that was taken in."""

    id: str
    state: Literal["received", "scoring", "scored", "failed", "withdrawn"]


class Submission(AcceptedSubmission):
    """A submission, with its scores once it has them."""

    dataset: str
    version: str
    digest: str
    task: str
    method: str
    user: str | None
    baseline: bool
    tier: str
    seeds: list[int]
    meta: dict[str, Any]
    scores: Scores
    evaluator: str | None
    earlier_scores: dict[str, Scores]
    predictions_sha256: str
    problem: str | None
    created: datetime


class BoardRow(BaseModel):
    """An entry of a leaderboard."""

    rank: int | None
    rank_group: int | None
    method: str
    user: str | None
    baseline: bool
    tier: str
    parameters: int | None
    hardware: str | None
    external_data: str | None
    valid_edges_as_input: bool
    deterministic: bool
    seeds: list[int]
    num_seeds: int
    submissions: int
    code_url: str | None
    paper_url: str | None
    created: datetime
    submission: str
    evaluator: str | None
    scores: Scores


class Board(BaseModel):
    """What a leaderboard is ranked by, and a page of its rows."""

    dataset: str
    version: str
    digest: str
    task: str
    secrecy: Literal["open", "sealed"]
    primary: str
    measures: list[str]
    rank_groups: Literal["current", "pending", "failed"]
    items: list[BoardRow]
    next: str | None
