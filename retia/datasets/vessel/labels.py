"""Read the classes of branching points: a table of node ids and labels."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.shards.errors import InputError


def read_labels(path: Path, node_id: NDArray[np.int64]) -> NDArray[np.str_]:
    """(n,) the labels of the nodes; empty for a node that the table does not name.

    The table has the columns `id` and `label`, separated by `,` or `;`, or is the `truth.csv` of a
    generated network (`element`, `id`, `kind`). Raises `InputError`.
    """
    return labels_of(_read(path), node_id, str(path))


def labels_of(table: pa.Table, node_id: NDArray[np.int64], where: str) -> NDArray[np.str_]:
    """(n,) the labels that a table gives to nodes; `where` names the table in errors.

    Ids of nodes that are not in the graph (cropped away, or isolated and dropped) are passed over.
    """
    if "element" in table.column_names:
        table = table.filter(pc.equal(pc.cast(table["element"], pa.string()), "node"))
    names = table["label" if "label" in table.column_names else "kind"]
    ids = table["id"].to_numpy()
    if not len(ids) or table["id"].null_count:
        raise InputError(f"{where}: a row needs an id, and the table a row")
    order = np.argsort(ids, kind="stable")
    if (again := np.flatnonzero(np.diff(ids[order]) == 0)).size:
        raise InputError(f"{where}: id {ids[order[again[0]]]} stands twice")
    place = np.minimum(np.searchsorted(ids, node_id, sorter=order), len(ids) - 1)
    row = order[place]
    found = ids[row] == node_id
    if not found.any():
        raise InputError(f"{where}: no id in it is a node of this graph")
    labels = np.array(pc.cast(names, pa.string()).fill_null("").to_pylist(), dtype=np.str_)
    return np.where(found, labels[row], "")


def _read(path: Path) -> pa.Table:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline()
        wanted = ["element", "id", "kind"] if "element" in header else ["id", "label"]
        types = {name: pa.int64() if name == "id" else pa.string() for name in wanted}
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(delimiter=";" if ";" in header else ","),
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=wanted, strings_can_be_null=True
            ),
        )
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error
