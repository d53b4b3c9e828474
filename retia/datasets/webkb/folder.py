"""Read a graph as Geom-GCN publishes it: Texas, Cornell and Wisconsin of WebKB, and their like.

Read are, below `raw/`, `out1_node_feature_label.txt` (tab-separated: node_id, features joined by
commas, label), `out1_graph_edges.txt` (tab-separated: two node_ids) and the splits,
`NAME_split_0.6_0.2_0.npz` and on, each with `train_mask`, `val_mask` and `test_mask` (n,). The
names of the splits are wrong: 48 % of the nodes are for training, 32 % for validation.
"""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.datasets.sources import FetchedFile, LocalFile, fetch
from retia.protocol.node_parts import Parts
from retia.shards.errors import InputError

NODES: Final = "out1_node_feature_label.txt"
EDGES: Final = "out1_graph_edges.txt"
MASKS: Final = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}
LONGEST_ROW: Final = 1 << 24

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class WebkbFolder:
    """A graph of Geom-GCN: features (n, F) float32, labels (n,), links (E, 2) as they stand in the
    file, the parts of each split, and the name that the splits have in common."""

    name: str
    features: NDArray[np.float32]
    labels: Ints
    edges: Ints
    splits: list[Parts]
    scheme: str
    files: tuple[FetchedFile, ...]


def read_webkb(folder: Path, license_: str) -> WebkbFolder:
    """Read the folder of one graph, such as `webkb/texas`, which holds `raw/`.

    Raises `InputError` that names the file and what is wrong.
    """
    raw = folder / "raw"
    if not raw.is_dir():
        raise InputError(f"{folder}: no folder raw/ here; give the folder of one graph")
    features, labels = _read_nodes(raw / NODES)
    edges = _read_edges(raw / EDGES, len(labels))
    scheme, paths = _find_splits(raw)
    splits = [_read_split(path, len(labels)) for path in paths]
    files = [fetch(LocalFile(path, license_))[0] for path in (raw / NODES, raw / EDGES, *paths)]
    name = folder.resolve().name
    return WebkbFolder(name, features, labels, edges, splits, scheme, tuple(files))


def _read_nodes(path: Path) -> tuple[NDArray[np.float32], Ints]:
    types = {"node_id": pa.int64(), "feature": pa.string(), "label": pa.int64()}
    table = _read_table(path, types)
    nodes, labels = table["node_id"].to_numpy(), table["label"].to_numpy()
    order = np.argsort(nodes, kind="stable")
    wrong = np.flatnonzero(nodes[order] != np.arange(len(nodes)))
    if len(wrong):
        raise InputError(
            f"{path}: node_id has to hold 0 to {len(nodes) - 1}, each once; {wrong[0]} is not "
            "there or stands twice"
        )
    if labels.min() < 0:
        raise InputError(f"{path}: node {nodes[labels.argmin()]} has the label {labels.min()}")
    words = pc.split_pattern(table["feature"].combine_chunks(), ",")
    width = pc.list_value_length(words).to_numpy()
    if (uneven := np.flatnonzero(width != width[0])).size:
        raise InputError(
            f"{path}: node {nodes[uneven[0]]} has {width[uneven[0]]} features, and node "
            f"{nodes[0]} has {width[0]}; a value for each feature is needed"
        )
    try:
        values = pc.cast(words.flatten(), pa.float32()).to_numpy()
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: a feature is no number ({_line(error)})") from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: a feature is not a finite number")
    return values.reshape(len(nodes), -1)[order], labels[order]


def _read_edges(path: Path, num_nodes: int) -> Ints:
    """The two columns (E, 2); both are called node_id."""
    table = _read_table(path, {"from": pa.int64(), "to": pa.int64()}, named=False)
    edges = np.column_stack([column.to_numpy() for column in table.columns])
    wrong = np.flatnonzero(((edges < 0) | (edges >= num_nodes)).any(axis=1))
    if len(wrong):
        src, dst = edges[wrong[0]]
        raise InputError(f"{path}: line {wrong[0] + 2} joins {src} to {dst} of {num_nodes} nodes")
    return edges


def _read_table(path: Path, types: dict[str, pa.DataType], named: bool = True) -> pa.Table:
    """The columns of a table with one line of names, which are those of `types` if `named`."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    names = {} if named else {"column_names": list(types), "skip_rows": 1}
    try:
        table = csv.read_csv(
            path,
            csv.ReadOptions(block_size=LONGEST_ROW, **names),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: no readable table ({_line(error)})") from error
    if table.column_names != list(types):
        found, wanted = ", ".join(table.column_names)[:120], ", ".join(types)
        raise InputError(f"{path}: columns {found}; tab-separated {wanted} are needed")
    if not len(table):
        raise InputError(f"{path}: no line after the first")
    return table


def _find_splits(raw: Path) -> tuple[str, list[Path]]:
    """What the names of the splits have in common, and their files by number from 0 on."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(raw.glob("*_split_*.npz")):
        if match := re.fullmatch(r"(.+)_(\d{1,3})", path.stem):
            found.setdefault(match[1], {})[int(match[2])] = path
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise InputError(
            f"{raw}: one set of splits NAME_split_0.6_0.2_0.npz is needed, not {names}"
        )
    ((scheme, paths),) = found.items()
    if missing := sorted(set(range(max(paths) + 1)) - set(paths)):
        raise InputError(f"{raw / f'{scheme}_{missing[0]}.npz'}: no such file")
    return scheme, [paths[number] for number in sorted(paths)]


def _read_split(path: Path, num_nodes: int) -> Parts:
    try:
        with np.load(path, allow_pickle=False) as file:
            masks: dict[str, NDArray[Any]] = {part: file[key] for part, key in MASKS.items()}
    except KeyError as error:
        raise InputError(f"{path}: {', '.join(MASKS.values())} are needed") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no readable npz of masks ({_line(error)})") from error
    for part, mask in masks.items():
        binary = mask.dtype.kind in "biu" and bool(np.isin(mask, (0, 1)).all())
        if mask.shape != (num_nodes,) or not binary:
            raise InputError(
                f"{path}: {MASKS[part]} has to be 0 or 1 for each of {num_nodes} nodes"
            )
        if not mask.any():
            raise InputError(f"{path}: {MASKS[part]} holds no node")
    twice = np.flatnonzero(sum(mask.astype(np.int64) for mask in masks.values()) > 1)
    if len(twice):
        raise InputError(f"{path}: node {twice[0]} is in two parts")
    return {part: np.flatnonzero(mask) for part, mask in masks.items()}


def _line(error: Exception) -> str:
    """The cause in one line."""
    return " ".join(str(error).split())[:160]
