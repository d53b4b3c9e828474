"""Search a graph for a motif, within limits of time and of matches."""

import time
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.connectome.query.graph import NAME, Graph
from retia.datasets.connectome.query.plan import Plan, plan
from retia.datasets.connectome.query.program import Program
from retia.datasets.connectome.query.syntax import Query
from retia.shards.errors import InputError, MissingExtraError

MAX_ROWS: Final = 1_000_000
MAX_SECONDS: Final = 10.0
STEPS: Final = 500_000
CAPACITY: Final = 65_536
NO_LIMIT: Final = 1 << 62


@dataclass(frozen=True)
class Matches:
    """What a search found.

    count: the matches; where `complete` is not true the search was stopped, and `message` says why.
    searched: the share of the first variable's nodes that the search is through with.
    table: a row a match, a column of nodes for each variable, and `A.name` where nodes have names.
    roles: the variables, those that the query's symmetries exchange in one.
    participation (num_nodes, roles): the matches that have a node in a role.
    """

    query: Query
    count: int
    complete: bool
    message: str
    searched: float
    seconds: float
    table: pa.Table | None
    roles: tuple[str, ...]
    participation: NDArray[np.int64] | None

    def participation_table(self, graph: Graph) -> pa.Table:
        """A row a node that is in a match: its number, its name, its matches in each role."""
        assert self.participation is not None, "search with participation=True"
        node = np.flatnonzero(self.participation.any(axis=1))
        name = {NAME: words.take(pa.array(node))} if (words := _names(graph)) is not None else {}
        counts = dict(zip(self.roles, self.participation[node].T, strict=True))
        return pa.table({"node": node, **name, **counts})


def search(
    query: Query,
    graph: Graph,
    *,
    limit: int | None = None,
    seconds: float = MAX_SECONDS,
    table: bool = True,
    participation: bool = False,
) -> Matches:
    """Find the matches of a query.

    limit: most matches; by default `MAX_ROWS` for a table, and none where `table` is not wanted and
    matches are but counted. seconds: most time. Raises `InputError` where the query names what the
    graph lacks.
    """
    if limit is not None and limit < 1:
        raise InputError(f"a limit of {limit} matches; it is at least 1")
    if not seconds > 0:
        raise InputError(f"a limit of {seconds:g} seconds; it is more than 0")
    planned = plan(query, graph)
    most = limit or (MAX_ROWS if table else NO_LIMIT)
    run = _run(
        planned.program,
        most,
        seconds,
        capacity=min(most, CAPACITY) if table else 0,
        parts=graph.num_nodes if participation else 0,
    )
    names = [
        ", ".join(
            name for name, role in zip(query.variables, planned.roles, strict=True) if role == first
        )
        for first in sorted(set(planned.roles))
    ]
    return Matches(
        query=query,
        count=run.count,
        complete=run.stopped_by is None,
        message=_message(run, most, seconds),
        searched=run.searched,
        seconds=run.seconds,
        table=_table(query, graph, planned, run.rows) if table else None,
        roles=tuple(names),
        participation=_by_role(planned, run.part) if participation else None,
    )


@dataclass(frozen=True)
class _Run:
    """A search that is over: matches (rows, levels), and how it ended."""

    rows: NDArray[np.int32]
    part: NDArray[np.int64]
    count: int
    stopped_by: Literal["time", "limit"] | None
    searched: float
    seconds: float


def _run(program: Program, limit: int, seconds: float, *, capacity: int, parts: int) -> _Run:
    try:
        from retia.datasets.connectome.query import kernel
    except ImportError as error:
        raise MissingExtraError("build", str(error.name)) from error
    state = kernel.start(program, capacity, parts)
    kernel.advance(program, state, 0, limit)  # compiles it, where that is not done, off the clock
    begin = time.monotonic()
    status, passed, blocks = kernel.PAUSED, 0.0, [state.rows[:0]]
    while status not in (kernel.DONE, kernel.LIMIT) and passed < seconds:
        status = kernel.advance(program, state, STEPS, limit)
        blocks.append(state.rows[: state.filled[0]].copy())
        state.filled[0] = 0
        passed = time.monotonic() - begin
    stopped_by: Literal["time", "limit"] = "limit" if status == kernel.LIMIT else "time"
    first, end = program.roots.tolist()
    return _Run(
        rows=np.concatenate(blocks),
        part=state.part,
        count=int(state.found[0]),
        stopped_by=None if status == kernel.DONE else stopped_by,
        searched=1.0 if status == kernel.DONE else (int(state.at[0]) - first) / (end - first),
        seconds=passed,
    )


def _message(run: _Run, limit: int, seconds: float) -> str:
    if run.stopped_by is None:
        return ""
    bound = f"{limit:,} matches" if run.stopped_by == "limit" else f"{seconds:g} seconds"
    return (
        f"stopped at the limit of {bound}, with {run.searched:.1%} of the first nodes searched: "
        f"{run.count:,} is a part of the matches; narrow the motif, or raise the limit"
    )


def _table(query: Query, graph: Graph, planned: Plan, rows: NDArray[np.int32]) -> pa.Table:
    nodes: dict[str, Any] = {
        name: rows[:, planned.order.index(variable)]
        for variable, name in enumerate(query.variables)
    }
    words = _names(graph)
    named = (
        {}
        if words is None
        else {f"{name}.{NAME}": words.take(pa.array(found)) for name, found in nodes.items()}
    )
    return pa.table(nodes | named)


def _names(graph: Graph) -> pa.Array | None:
    """The name of each node, where the graph has names."""
    column = graph.columns.get(NAME)
    if column is None or column.words is None:
        return None
    place = pa.array(column.values, from_pandas=True).cast(pa.int32())
    return pa.array(column.words, pa.string()).take(place)


def _by_role(planned: Plan, part: NDArray[np.int64]) -> NDArray[np.int64]:
    """The counts of levels as those of roles, (num_nodes, roles)."""
    roles, column = np.unique(planned.roles, return_inverse=True)
    found = np.zeros((part.shape[1], len(roles)), dtype=np.int64)
    np.add.at(found.T, column[list(planned.order)], part)
    return found
