"""Read the classes of branching points: a table of node ids and labels."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.shards.errors import InputError


def read_labels(path: Path, node_id: NDArray[np.int64]) -> NDArray[np.str_]:
    """(n,) the labels of the nodes; empty for a node that the table does not name.

    The table has the columns `id` and `label`, separated by `,` or `;`. Ids of nodes that are not
    in the graph (cropped away, or isolated and dropped) are passed over. Raises `InputError`.
    """
    table = _read(path)
    ids = table["id"].to_numpy()
    order = np.argsort(ids, kind="stable")
    if (again := np.flatnonzero(np.diff(ids[order]) == 0)).size:
        raise InputError(f"{path}: id {ids[order[again[0]]]} stands twice")
    place = np.minimum(np.searchsorted(ids, node_id, sorter=order), len(ids) - 1)
    row = order[place]
    labels = np.array(table["label"].fill_null("").to_pylist(), dtype=np.str_)
    found = ids[row] == node_id
    if not found.any():
        raise InputError(f"{path}: no id in it is a node of this graph")
    return np.where(found, labels[row], "")


def _read(path: Path) -> pa.Table:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            delimiter = ";" if ";" in file.readline() else ","
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                column_types={"id": pa.int64(), "label": pa.string()},
                include_columns=["id", "label"],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error
    if not table.num_rows or table["id"].null_count:
        raise InputError(f"{path}: a row needs an id, and the table a row")
    return table
