"""The manifest of a dataset version: schema `retia.shards/1`.

Unknown keys are refused. The digest is the sha256 of the canonical JSON of everything but the
digest itself and the times, and so it is the content address of the version.
"""

import hmac
from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError, NotFoundError

SCHEMA: Final = "retia.shards/1"
SEALED_SCHEMA: Final = "retia.sealed/1"
ENCODINGS: Final = "encodings/"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
SemVer = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$")
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
Prose = Annotated[str, StringConstraints(max_length=20_000)]
Url = Annotated[str, StringConstraints(max_length=500, pattern=r"^https?://[^\s<>\"]+$")]
FilePath = Annotated[
    str,
    StringConstraints(
        max_length=200,
        pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9@.+_-]*[a-z0-9])*\.parquet$",
    ),
]
Count = Annotated[int, Field(ge=0, le=1 << 40)]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]

Role = Literal["feature", "position", "label", "text", "weight", "id"]
Part = Literal["valid", "test"]


def _writable(value: JsonValue) -> JsonValue:
    canonical_json(value)
    return value


Json = Annotated[JsonValue, AfterValidator(_writable)]
"""A JSON value without NaN and infinity, which no canonical JSON can hold."""


class Model(BaseModel):
    """Immutable, and with no key that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipe(Model):
    """How a derived column is made: a registered function and its parameters."""

    function: Name
    parameters: dict[str, Json] = {}


class Column(Model):
    """A column of the node table or of an edge table."""

    name: ColumnName
    dtype: Literal[
        "bool", "int8", "int16", "int32", "int64", "uint8", "float32", "float64", "string"
    ]
    shape: tuple[Annotated[int, Field(ge=1, le=65_536)], ...] = ()
    unit: Line | None = None
    description: Line
    role: Role
    recipe: Recipe | None = None


class Relation(Model):
    """A kind of edge. The edges of an undirected relation stand once, src < dst."""

    name: Name
    directed: bool
    num_edges: Count
    columns: tuple[Column, ...] = ()


class Split(Model):
    """How the parts of a task were drawn."""

    scheme: Literal["random", "grouped", "block"]
    parameters: dict[str, Json] = {}


class CandidateSet(Model):
    """A choice of items that a metric is computed on. Grouped: each positive against its group."""

    name: Literal["uniform", "box", "matched", "hard"]
    grouped: bool
    description: Line
    parameters: dict[str, Json] = {}


class Measure(Model):
    """A metric of the registry, on a candidate set where the task has candidate sets."""

    metric: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9@-]{1,40}$")]
    candidates: str | None = None

    @property
    def key(self) -> str:
        """The name of the measure in every table of scores: `matched.rocauc`, `accuracy`."""
        return f"{self.candidates}.{self.metric}" if self.candidates else self.metric


class PartCounts(Model):
    """Rows of one split: training pairs or nodes, items to be predicted, positives among them."""

    train: Count
    valid: Count
    test: Count
    valid_positives: Count | None = None
    test_positives: Count | None = None


class Task(Model):
    """What is predicted, on which items, and how it is measured."""

    name: Name
    type: Literal["link", "edge-regression", "node", "node-multilabel"]
    description: Prose
    relation: Name | None = None
    label: ColumnName | None = None
    classes: tuple[Line, ...] = ()
    split: Split
    counts: tuple[PartCounts, ...] = Field(min_length=1, max_length=100)
    candidates: tuple[CandidateSet, ...] = ()
    primary: Measure
    secondary: tuple[Measure, ...] = ()
    secrecy: Literal["open", "sealed"]
    dropped: dict[str, Count] = {}

    @property
    def num_splits(self) -> int:
        """The number of splits; seed i uses split i modulo this."""
        return len(self.counts)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The primary measure, then the secondary ones."""
        return (self.primary, *self.secondary)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names: set[str | None] = {candidates.name for candidates in self.candidates}
        if len(names) != len(self.candidates):
            raise ValueError(f"task {self.name} names a candidate set twice")
        for measure in self.measures:
            if measure.candidates not in (names or {None}):
                raise ValueError(f"measure {measure.key} names no candidate set of {self.name}")
        if self.type == "link" and (self.relation is None or not names):
            raise ValueError(f"link task {self.name} needs a relation and candidate sets")
        if self.type == "edge-regression" and (self.relation is None or self.label is None):
            raise ValueError(f"edge-regression task {self.name} needs a relation and its label")
        of_nodes = self.type in ("node", "node-multilabel")
        if of_nodes and (self.label is None or len(self.classes) < 2):
            raise ValueError(f"node task {self.name} needs a label and at least two classes")
        return self


class Encoding(Model):
    """The card of a set of encodings: the table `encodings/{name}`, row i is node i.

    Its one column `vector` is a list of `dimensions` numbers of `dtype`. `encoder` and `revision`
    name what encoded, `texts` which texts, `texts_sha256` is the sum of these in the order of the
    nodes; `fitted_on` says what the encoder was fitted on: `nothing`, `these texts`, or another
    graph by reference and digest.
    """

    name: Name
    encoder: Line
    revision: Line | None = None
    parameters: dict[str, Json] = {}
    texts: Line
    texts_sha256: Sha256
    fitted_on: Line
    pooling: Line | None = None
    max_length: Annotated[int, Field(ge=1, le=1 << 20)] | None = None
    normalised: bool
    dtype: Literal["float16", "float32"]
    dimensions: Annotated[int, Field(ge=1, le=65_536)]


class Shard(Model):
    """A file of a version."""

    path: FilePath
    table: Line
    rows: Count
    bytes: Count
    sha256: Sha256


class Source(Model):
    """What a version was built from."""

    uri: Line
    sha256: Sha256
    bytes: Count
    license: Line
    retrieved: datetime | None = None


class Provenance(Model):
    """Who built a version, from what, with which parameters."""

    builder: Line
    retia_version: Line
    libraries: dict[str, Line] = {}
    parameters: dict[str, Json] = {}
    sources: tuple[Source, ...]
    lineage: Sha256
    synthetic: bool = False


class Acceptance(Model):
    """A probe of the audit that fails, and why the publisher publishes all the same."""

    check: Line
    subject: Line
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")
    ]


class SealedManifest(Model):
    """The files that never leave the server, and the version they belong to."""

    schema_: Literal["retia.sealed/1"] = Field(SEALED_SCHEMA, alias="schema")
    name: Name
    version: SemVer
    lineage: Sha256
    shards: tuple[Shard, ...]

    def commitment(self, secret: bytes) -> str:
        """HMAC-SHA256 of this manifest under the secret: binds without telling."""
        return hmac.new(secret, canonical_json(dump(self)), "sha256").hexdigest()


class Manifest(Model):
    """Everything public about a dataset version."""

    schema_: Literal["retia.shards/1"] = Field(SCHEMA, alias="schema")
    name: Name
    version: SemVer
    kind: Literal["vessel", "connectome", "text"]
    title: Line
    description: Prose
    license: Line
    citation: Prose
    homepage: Url | None = None
    directed: bool
    num_nodes: Count
    relations: tuple[Relation, ...]
    columns: tuple[Column, ...]
    tasks: tuple[Task, ...] = Field(max_length=20)
    shards: tuple[Shard, ...] = Field(max_length=20_000)
    provenance: Provenance
    accepted: Annotated[tuple[Acceptance, ...], Field(max_length=100)] | None = None
    encodings: Annotated[tuple[Encoding, ...], Field(max_length=100)] | None = None
    sealed_commitment: Sha256 | None = None
    created: datetime | None = None
    digest: Sha256 | None = None

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def relation(self, name: str) -> Relation:
        """The relation of that name."""
        return _named(self.relations, name, "relation", self.reference)

    def task(self, name: str | None = None) -> Task:
        """The task of that name; the only one where none is named."""
        if name is not None:
            return _named(self.tasks, name, "task", self.reference)
        if len(self.tasks) != 1:
            known = ", ".join(task.name for task in self.tasks) or "none"
            raise InputError(f"{self.reference}: name one of its tasks: {known}")
        return self.tasks[0]

    def encoding(self, name: str) -> Encoding:
        """The card of the encoding of that name."""
        return _named(self.encodings or (), name, "encoding", self.reference)

    def files_with(self, encodings: Collection[str]) -> tuple[Shard, ...]:
        """The shards but for those of encodings that are not named.

        Raises `NotFoundError` for an encoding that the version does not have.
        """
        wanted = {encoding_table(self.encoding(name).name) for name in encodings}
        return tuple(
            shard
            for shard in self.shards
            if not shard.table.startswith(ENCODINGS) or shard.table in wanted
        )

    def files(self, table: str) -> tuple[Shard, ...]:
        """The shards of a table, in order; none where the version lacks the table."""
        return tuple(shard for shard in self.shards if shard.table == table)

    def content_digest(self) -> str:
        """The sha256 of the canonical JSON of everything but the digest and the times."""
        value = dump(self)
        value.pop("digest", None)
        value.pop("created", None)
        for source in value["provenance"]["sources"]:
            source.pop("retrieved", None)
        return sha256_bytes(canonical_json(value))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        kinds: dict[str, tuple[Relation | Task | Encoding, ...]] = {
            "relation": self.relations,
            "task": self.tasks,
            "encoding": self.encodings or (),
        }
        for kind, items in kinds.items():
            if len({item.name for item in items}) != len(items):
                raise ValueError(f"a {kind} is named twice")
        if len({shard.path for shard in self.shards}) != len(self.shards):
            raise ValueError("a shard is named twice")
        if any(task.secrecy == "sealed" for task in self.tasks) != bool(self.sealed_commitment):
            raise ValueError("a sealed task and a sealed commitment come together")
        self._check_encodings()
        for task in self.tasks:
            if task.relation is not None:
                relation = self.relation(task.relation)
                names = {column.name for column in relation.columns}
                if task.type == "edge-regression" and task.label not in names:
                    raise ValueError(f"task {task.name}: {relation.name} has no '{task.label}'")
        return self

    def _check_encodings(self) -> None:
        """A card has a table of one row a node, and a table of vectors has a card."""
        rows = {encoding_table(card.name): 0 for card in self.encodings or ()}
        for shard in self.shards:
            if shard.table.startswith(ENCODINGS):
                if shard.table not in rows:
                    raise ValueError(f"the table {shard.table} has no card")
                rows[shard.table] += shard.rows
        for table, count in rows.items():
            if count != self.num_nodes:
                raise ValueError(f"the table {table} has {count} rows for {self.num_nodes} nodes")


def encoding_table(name: str) -> str:
    """The logical name of the table of an encoding."""
    return f"{ENCODINGS}{name}"


def dump(model: Model) -> dict[str, Any]:
    """A model as plain JSON values; absent optional keys are left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


N = TypeVar("N", Relation, Task, Encoding)


def _named(items: tuple[N, ...], name: str, kind: str, where: str) -> N:
    for item in items:
        if item.name == name:
            return item
    known = ", ".join(item.name for item in items) or "none"
    raise NotFoundError(f"{where} has no {kind} '{name}'; it has: {known}")
