"""The embeddings that a seed of a run leaves: of a fixed probe set, with the head that reads them.

`embeddings.parquet` has `node`, then `z0`, `z1`, ... float32: what the encoder gives. A node task
also leaves `head.parquet`, a row a class: `bias`, then `w0`, `w1`, ... of a linear head on relu(z).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError, IntegrityError
from retia.shards.version import Version
from retia.shards.writer import write_atomically

Floats = NDArray[np.float64]

EMBEDDINGS_FILE = "embeddings.parquet"
HEAD_FILE = "head.parquet"
PROBES = 2000
SEVERAL = b"retia.several"


@dataclass(frozen=True)
class Head:
    """A linear head on relu(z): `weight` (C, d), `bias` (C,).

    With `several`, each class is a question of its own; else the likeliest class is the answer.
    """

    weight: Floats
    bias: Floats
    several: bool

    def answers(self, z: Floats) -> NDArray[np.int64]:
        """The class (n, 1) of each row of z (n, d), or for each class whether it is one (n, C)."""
        logits = np.maximum(z, 0) @ self.weight.T + self.bias
        return (logits > 0).astype(np.int64) if self.several else logits.argmax(1)[:, None]


@dataclass(frozen=True)
class Embedding:
    """Of the probe set `nodes` (n,): `z` (n, d), and the head of a node task."""

    nodes: NDArray[np.int64]
    z: Floats
    head: Head | None = None

    def write(self, folder: Path) -> None:
        """Write the files into the folder of a seed, as float32."""
        columns = {"node": self.nodes} | _numbered("z", self.z)
        if self.head is not None:
            table = pa.table({"bias": _float32(self.head.bias)} | _numbered("w", self.head.weight))
            table = table.replace_schema_metadata({SEVERAL: b"%d" % self.head.several})
            _write(folder / HEAD_FILE, table)
        _write(folder / EMBEDDINGS_FILE, pa.table(columns))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The embeddings of a seed's folder; raises `IntegrityError` where they are unusable."""
        path = folder / EMBEDDINGS_FILE
        table = _read(path)
        if table.column_names[:1] != ["node"] or not pa.types.is_integer(table.schema[0].type):
            raise IntegrityError(f"{path}: its first column is not 'node', an integer")
        z = _matrix(path, table.drop_columns("node"), "z")
        nodes = table["node"].to_numpy().astype(np.int64)
        head = _read_head(folder / HEAD_FILE) if (folder / HEAD_FILE).exists() else None
        if head is not None and head.weight.shape[1] != z.shape[1]:
            raise IntegrityError(
                f"{folder / HEAD_FILE}: {head.weight.shape[1]} weights a class "
                f"for embeddings of {z.shape[1]} dimensions"
            )
        return cls(nodes, z, head)


def probe_nodes(version: Version) -> NDArray[np.int64]:
    """The nodes (<= 2000,) whose embeddings are kept, ascending.

    A function of the dataset's digest alone: the same for every model, task and seed.
    """
    num_nodes = version.manifest.num_nodes
    draw = Randomness(str(version.manifest.digest).encode()).stream("probe")
    return np.sort(draw.choice(num_nodes, min(PROBES, num_nodes), replace=False))


def _read_head(path: Path) -> Head:
    table = _read(path)
    if table.column_names[:1] != ["bias"]:
        raise IntegrityError(f"{path}: its first column is not 'bias'")
    values = _matrix(path, table.drop_columns("bias"), "w")
    several = (table.schema.metadata or {}).get(SEVERAL) == b"1"
    return Head(values, table["bias"].to_numpy().astype(float), several)


def _matrix(path: Path, table: pa.Table, letter: str) -> Floats:
    names = [f"{letter}{i}" for i in range(table.num_columns)]
    if table.column_names != names or not names:
        raise IntegrityError(f"{path}: its other columns are not {letter}0, {letter}1, ...")
    if not all(pa.types.is_floating(field.type) for field in table.schema):
        raise IntegrityError(f"{path}: a column {letter}0, {letter}1, ... is not of numbers")
    values = np.column_stack([column.to_numpy() for column in table.columns]).astype(float)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise IntegrityError(f"{path}: row {bad[0, 0]}, column {letter}{bad[0, 1]} is not finite")
    return values


def _numbered(letter: str, values: Floats) -> dict[str, pa.Array]:
    return {f"{letter}{i}": _float32(column) for i, column in enumerate(values.T)}


def _float32(values: Floats) -> pa.Array:
    return pa.array(values.astype(np.float32))


def _write(path: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", version="2.6")
    write_atomically(path, sink.getvalue().to_pybytes())


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}; run the model again with --embeddings") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(f"{path}: not readable as Parquet ({error})") from error
