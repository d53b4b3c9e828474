"""Read a dataset that OGB has downloaded or Retia has exported: graph, labels, OGB's own split.

Read are the files below `raw/` and `split/`, as `DatasetSaver` and OGB's downloads lay them out:
npz and csv. The split of a link dataset is a pickle by OGB's definition; torch's restricted
unpickler reads it, which admits tensors, numpy arrays and plain containers, and calls nothing else.
`processed/` is never read.
"""

import gzip
import pickle
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.datasets.sources import FetchedFile, LocalFile, fetch
from retia.shards.errors import InputError, MissingExtraError

PARTS: Final = ("train", "valid", "test")
FEATURES: Final = ("node_feat", "edge_feat", "node_pos")

Arrays = dict[str, NDArray[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class OgbFolder:
    """A dataset of OGB.

    `graph` holds `edge_index` (2, E) and, where there are any, `node_feat` (n, F), `node_pos`
    (n, d), `edge_feat` (E, F); `labels` (n,) of a node dataset, -1 unlabelled; `split` maps train,
    valid and test to `edge` (P, 2) and `edge_neg` (N, 2) of a link dataset, or to `node` (k,) of a
    node dataset.
    """

    name: str
    num_nodes: int
    graph: Arrays
    labels: Ints | None
    split: dict[str, Arrays]
    scheme: str
    files: tuple[FetchedFile, ...]


def read_ogb(folder: Path, scheme: str | None, license_: str) -> OgbFolder:
    """Read the folder of one dataset, such as `dataset/ogbl_vessel`; `scheme` names its split.

    Raises `InputError` that names the file and what is wrong.
    """
    home = _home(folder)
    graph, num_nodes, raw = _read_graph(home / "raw")
    labels, label_files = _read_labels(home / "raw", num_nodes)
    scheme = _choose_scheme(home / "split", scheme)
    split, split_files = _read_split(home / "split" / scheme, link=labels is None)
    files = [fetch(LocalFile(path, license_))[0] for path in (*raw, *label_files, *split_files)]
    _check_nodes(home, num_nodes, graph["edge_index"], split)
    return OgbFolder(home.name, num_nodes, graph, labels, split, scheme, tuple(files))


def _home(folder: Path) -> Path:
    """The folder itself, or the one folder in it that holds `raw/`."""
    if (folder / "raw").is_dir():
        return folder
    found = sorted(path.parent for path in folder.glob("*/raw") if path.is_dir())
    if len(found) != 1:
        raise InputError(f"{folder}: no folder raw/ here; give the folder of one OGB dataset")
    return found[0]


def _read_graph(raw: Path) -> tuple[Arrays, int, list[Path]]:
    """Edges and features, the number of nodes, and the files they stand in."""
    path = raw / "data.npz"
    if path.is_file():
        found = _load_npz(path)
        counts = found.get("num_nodes_list", np.zeros(0))
        files = [path]
    else:
        names = {"edge_index": "edge", "node_feat": "node-feat", "edge_feat": "edge-feat"}
        paths = {key: raw / f"{name}.csv.gz" for key, name in names.items()}
        paths = {key: path for key, path in paths.items() if path.is_file()}
        paths["num_nodes_list"] = raw / "num-node-list.csv.gz"
        found = {key: _load_csv(path) for key, path in paths.items()}
        if "edge_index" in found:
            found["edge_index"] = found["edge_index"].T
        counts, files = found["num_nodes_list"].ravel(), list(paths.values())
    edges = found.get("edge_index")
    if edges is None or edges.ndim != 2 or len(edges) != 2 or edges.dtype.kind not in "iu":
        raise InputError(f"{raw}: no edges; 'edge_index' of two rows of integers is needed")
    if len(counts) != 1:
        raise InputError(f"{raw}: {len(counts)} graphs; a dataset of one graph is needed")
    graph: Arrays = {key: found[key] for key in FEATURES if key in found}
    return {"edge_index": edges.astype(np.int64)} | graph, int(counts[0]), files


def _read_labels(raw: Path, num_nodes: int) -> tuple[Ints | None, list[Path]]:
    """(n,) the labels of a node dataset, -1 for NaN; none for a link dataset."""
    for path, load in (
        (raw / "node-label.npz", lambda path: _load_npz(path).get("node_label")),
        (raw / "node-label.csv.gz", _load_csv),
    ):
        if path.is_file():
            values = load(path)
            if values is None or values.size != num_nodes:
                raise InputError(f"{path}: one label a node is needed, and one task")
            labels = np.nan_to_num(values.ravel().astype(np.float64), nan=-1)
            return labels.astype(np.int64), [path]
    return None, []


def _choose_scheme(folder: Path, scheme: str | None) -> str:
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if scheme is None and len(found) == 1:
        return found[0]
    if scheme not in found:
        wanted = f"no split '{scheme}'" if scheme else "name a split with --split"
        raise InputError(f"{folder}: {wanted}; there are: {', '.join(found) or 'none'}")
    return scheme


def _read_split(folder: Path, *, link: bool) -> tuple[dict[str, Arrays], list[Path]]:
    """The parts of a split: `split_dict.pt`, or a file a part."""
    whole = folder / "split_dict.pt"
    if whole.is_file():
        content, files = _load_torch(whole), [whole]
        parts = {part: content[part] for part in PARTS} if set(PARTS) <= set(content) else {}
    else:
        suffix = "pt" if link else "csv.gz"
        files = [folder / f"{part}.{suffix}" for part in PARTS]
        load = _load_torch if link else _load_csv
        parts = {part: load(path) for part, path in zip(PARTS, files, strict=True)}
    if not parts:
        raise InputError(f"{whole}: train, valid and test are needed")
    if link:
        return {part: _edges(folder, part, value) for part, value in parts.items()}, files
    return {
        part: {"node": _integers(folder, part, value).ravel()} for part, value in parts.items()
    }, files


def _edges(folder: Path, part: str, value: Any) -> Arrays:
    """The edges of a part, and its negatives; training needs none."""
    wanted = ("edge",) if part == "train" else ("edge", "edge_neg")
    if not isinstance(value, dict) or not set(wanted) <= set(value):
        held = ", ".join(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise InputError(
            f"{folder}: part {part} holds {held}; {' and '.join(wanted)} are needed (splits with "
            "negatives by source are not supported)"
        )
    pairs = {key: _integers(folder, part, value[key]) for key in wanted}
    for key, array in pairs.items():
        if array.ndim != 2 or array.shape[1] != 2:
            raise InputError(f"{folder}: {key} of part {part} has shape {array.shape}, not (k, 2)")
    return pairs


def _integers(folder: Path, part: str, value: Any) -> Ints:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise InputError(f"{folder}: part {part} holds {array.dtype}; integers are needed")
    return np.asarray(array, dtype=np.int64)


def _check_nodes(home: Path, num_nodes: int, edges: Ints, split: dict[str, Arrays]) -> None:
    numbers = [edges, *(array for part in split.values() for array in part.values())]
    for array in numbers:
        if array.size and not 0 <= array.min() <= array.max() < num_nodes:
            raise InputError(f"{home}: a node {array.max()} or {array.min()} of {num_nodes}")


def _load_npz(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no readable npz of numbers ({_line(error)})") from error


def _load_csv(path: Path) -> NDArray[Any]:
    try:
        with gzip.open(path) as file:
            table = csv.read_csv(file, csv.ReadOptions(autogenerate_column_names=True))
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: no readable table ({_line(error)})") from error
    columns = [column.to_numpy() for column in table.columns]
    if any(column.dtype.kind not in "iuf" for column in columns):
        raise InputError(f"{path}: numbers alone are expected")
    return np.column_stack(columns)


def _load_torch(path: Path) -> Any:
    """What a `.pt` file holds, tensors as arrays; raises `InputError` for anything but data."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("bench", "torch") from error
    rebuild = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
    names = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
    kinds = [type(np.dtype(name)) for name in ("int64", "int32", "float32", "float64", "bool")]
    allowed: list[Any] = [np.ndarray, np.dtype, *kinds, *((rebuild, name) for name in names)]
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: no file of tensors and arrays alone ({_line(error)})") from error
    return _arrays(content)


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    return value.numpy() if hasattr(value, "numpy") else value


def _line(error: Exception) -> str:
    """The cause in one line, without the advice that torch wraps it in."""
    text = " ".join(str(error).split()).partition("WeightsUnpickler error: ")
    return (text[2] or text[0])[:160]
