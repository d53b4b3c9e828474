"""Count motifs in many draws of a null model: in parallel, and kept so that a stop loses little.

Draw i takes its randomness from the stream ("null", name, i), so it is the same for any number of
workers and of draws. Draws are kept in blocks of 20, a Parquet file with checksums each, in a
folder named for all that they depend on. A block that is there and whole is read, not drawn again.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as library_version
from pathlib import Path
from threading import Event
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.datasets.connectome.motifs.nulls import NULLS, SWAPS
from retia.datasets.connectome.motifs.wiring import Floats, Ints, Wiring
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

BLOCK = 20
HALFWAY = 100
MAX_DRAWS = 1_000_000

Counts: TypeAlias = Mapping[str, Callable[[csr_array], NDArray[np.int64]]]
"""What is counted in each graph: a family's name to a function from a graph to counts (K,)."""


@dataclass(frozen=True)
class Draws:
    """D draws of a null model.

    `counts` maps a family to its counts (D, K). `accepted` (D,) are the steps that changed the
    graph, `overlap` (D,) the shares of edges that the wiring has too. For the first H draws of a
    chain, `halfway_counts` (by family, (H, K)) and `halfway_overlap` (H,) hold the same after half
    of the steps; for graphs drawn outright they are empty.
    """

    null: str
    seed: int
    steps: int
    counts: dict[str, Ints]
    accepted: Ints
    overlap: Floats
    halfway_counts: dict[str, Ints]
    halfway_overlap: Floats


@dataclass(frozen=True)
class Plan:
    """What is drawn and counted, and where it is kept."""

    wiring: Wiring
    null: str
    counts: Counts
    folder: Path
    seed: int = 0
    swaps: int = SWAPS

    @property
    def steps(self) -> int:
        """Steps of a chain; none where graphs are drawn outright."""
        return self.swaps * len(self.wiring.strong) if NULLS[self.null].is_chain else 0

    @property
    def place(self) -> Path:
        """The folder of the blocks, named for all that a draw depends on."""
        drawn = (self.wiring.digest(), self.null, self.seed, self.steps)
        parts = (library_version("retia"), *drawn, *self.counts)
        key = sha256("/".join(map(str, parts)).encode()).hexdigest()
        return self.folder / f"{self.null}-{key[:16]}"


def draw(
    plan: Plan, number: int, workers: int = 1, on_draw: Callable[[int], None] = lambda _: None
) -> Draws:
    """The counts of `number` draws; `on_draw` is told how many more are done.

    Raises `InputError` for a null model that the wiring lacks the data for, and for a wiring
    without edges. Passes an interrupt on once the draws that run are done; what is kept is not
    drawn again.
    """
    if not 2 <= number <= MAX_DRAWS:
        raise InputError(f"{number} draws: give 2 to {MAX_DRAWS:,}")
    if plan.null not in NULLS:
        raise InputError(f"no null model '{plan.null}'; there are: {', '.join(NULLS)}")
    if not len(plan.wiring.strong):
        raise InputError("a graph without edges has no random graphs; lower the least weight")
    plan.place.mkdir(parents=True, exist_ok=True)
    sizes = [min(BLOCK, number - start) for start in range(0, number, BLOCK)]
    stop = Event()
    with ThreadPoolExecutor(workers) as pool:
        blocks = [
            pool.submit(_block, plan, index, size, stop, on_draw)
            for index, size in enumerate(sizes)
        ]
        try:
            tables = [block.result() for block in blocks]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return _gather(plan, pa.concat_tables(tables))


def _block(
    plan: Plan, index: int, size: int, stop: Event, on_draw: Callable[[int], None]
) -> pa.Table:
    """The first `size` draws of a block, read if they are there."""
    path = plan.place / f"{index:05}.parquet"
    kept = _read(path)
    if kept is not None and kept.num_rows >= size:
        on_draw(size)
        return kept.slice(0, size)
    rows = []
    for number in range(index * BLOCK, index * BLOCK + size):
        if stop.is_set():
            raise InterruptedError
        rows.append(_row(plan, number))
        on_draw(1)
    table = pa.Table.from_pylist(rows, schema=_schema(plan))
    _write(table, path)
    return table


def _row(plan: Plan, number: int) -> dict[str, object]:
    """One draw, and what is counted in it."""
    rng = Randomness.from_seed(plan.seed).stream("null", plan.null, number)
    made = NULLS[plan.null].draw(plan.wiring, plan.steps, rng)
    row: dict[str, object] = {"accepted": made.accepted, "overlap": _overlap(plan, made.pairs)}
    row |= _count(plan, made.pairs)
    if made.halfway is not None and number < HALFWAY:
        row["halfway_overlap"] = _overlap(plan, made.halfway)
        halfway = _count(plan, made.halfway)
        row |= {f"halfway_{family}": counts for family, counts in halfway.items()}
    return row


def _count(plan: Plan, pairs: Ints) -> dict[str, Ints]:
    graph = plan.wiring.graph(pairs)
    return {family: count(graph) for family, count in plan.counts.items()}


def _overlap(plan: Plan, pairs: Ints) -> float:
    """The share of the edges that the wiring has."""
    drawn, given = (_keys(plan.wiring, edges) for edges in (pairs, plan.wiring.strong))
    return float(np.isin(drawn, given, assume_unique=True).mean())


def _keys(wiring: Wiring, pairs: Ints) -> Ints:
    return pairs[:, 0] * wiring.num_nodes + pairs[:, 1]


def _schema(plan: Plan) -> pa.Schema:
    families = [*plan.counts, *(f"halfway_{family}" for family in plan.counts)]
    return pa.schema(
        [
            ("accepted", pa.int64()),
            ("overlap", pa.float64()),
            ("halfway_overlap", pa.float64()),
            *((family, pa.list_(pa.int64())) for family in families),
        ]
    )


def _read(path: Path) -> pa.Table | None:
    """A block, or none where it is not there or not whole."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read()
    except (OSError, pa.ArrowException):
        return None


def _write(table: pa.Table, path: Path) -> None:
    unfinished = path.with_suffix(".part")
    pq.write_table(table, unfinished, write_page_checksum=True)
    unfinished.replace(path)


def _gather(plan: Plan, table: pa.Table) -> Draws:
    halfway = table.filter(pa.compute.is_valid(table["halfway_overlap"]))
    return Draws(
        null=plan.null,
        seed=plan.seed,
        steps=plan.steps,
        counts={family: _matrix(table[family]) for family in plan.counts},
        accepted=table["accepted"].to_numpy(),
        overlap=table["overlap"].to_numpy(),
        halfway_counts={
            family: _matrix(halfway[f"halfway_{family}"])
            for family in (plan.counts if halfway.num_rows else ())
        },
        halfway_overlap=halfway["halfway_overlap"].to_numpy(),
    )


def _matrix(column: pa.ChunkedArray) -> Ints:
    """Lists of one length as rows."""
    values = column.combine_chunks()
    return np.asarray(values.flatten().to_numpy()).reshape(len(values), -1)
