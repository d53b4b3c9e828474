"""Write a task in the layout of OGB's `DatasetSaver`, for OGB's own loaders (ogb 1.3.6).

```
OUT/ogbl_{name}/
  meta_dict.pt              pass it to the loader as `meta_dict`
  {name}.zip                what a loader downloads: everything below, under one top folder
  {name}/RELEASE_v1.txt     the major version
  {name}/raw/data.npz       edge_index, num_nodes_list, num_edges_list, node_*, edge_*
  {name}/raw/node-label.npz where nodes are classified
  {name}/split/{scheme}/split_dict.pt
  {name}/mapping/           README.md, ids, classes, further relations
  {name}/processed/         empty: the loader's cache
```

The `.pt` files are pickles by OGB's definition. Retia writes them and never reads them.
"""

import gzip
import io
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from retia.shards.arrays import (
    edge_arrays,
    feature_matrix,
    integers,
    node_labels,
    node_matrix,
    pair_answers,
    pair_items,
    pairs,
)
from retia.shards.errors import InputError, MissingExtraError, NotFoundError
from retia.shards.manifest import Manifest, Part, Task
from retia.shards.version import Version

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
FILE_MODE, FOLDER_MODE = 0o100644 << 16, 0o40755 << 16
METRICS = {"accuracy": "acc"}
PREFIXES = {"link": "ogbl", "node": "ogbn"}

Arrays = dict[str, NDArray[Any]]


def export_ogb(
    version: Version, task: str, out: Path, split: int = 0, encoding: str | None = None
) -> Path:
    """Write a task for OGB's loaders below `out`; returns the path of the zip.

    `split` is the one that loaders take by default; where there are several, each is written as
    `{scheme}-{i}`, to be had with `get_edge_split("random-3")` or `get_idx_split("random-3")`. The
    vectors of `encoding` stand after the feature columns; without one none do.
    An earlier export of the same task in `out` is replaced. Where the dataset has several tasks,
    the name is `{name}_{task}`. Raises `InputError` for a sealed task,
    whose test labels are not there to be exported.
    """
    manifest = version.manifest
    wanted = manifest.task(task)
    _check(manifest, wanted, split)
    short = _short_name(manifest, wanted)
    home = out / f"{PREFIXES[wanted.type]}_{short}"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".ogb-") as temporary:
        stage = Path(temporary) / home.name
        _write_folder(version, wanted, stage / short, encoding)
        _zip_folder(stage / short, stage / f"{short}.zip")
        meta = meta_dict(version, wanted, home.absolute() / short, split, encoding)
        _save(meta, stage / "meta_dict.pt")
        if home.exists():
            shutil.rmtree(home)
        stage.rename(home)
    return home / f"{short}.zip"


def meta_dict(
    version: Version, task: Task, folder: Path, split: int = 0, encoding: str | None = None
) -> dict[str, str | int]:
    """OGB's description of an export that lies, or shall lie, in `folder`, its zip beside it."""
    roles = {column.role for column in version.manifest.columns if column.dtype != "string"}
    _, attributes = edge_arrays(version, _main_relation(version.manifest, task))
    nodes = {"num tasks": 1, "num classes": len(task.classes)} if task.type == "node" else {}
    return {
        "version": _major(version.manifest),
        "dir_path": str(folder),
        "binary": "True",
        **nodes,
        "task type": "link prediction" if task.type == "link" else "multiclass classification",
        "eval metric": METRICS.get(task.primary.metric, task.primary.metric),
        "add_inverse_edge": "False",
        "split": _split_name(task, split),
        "download_name": folder.name,
        "url": folder.with_name(f"{folder.name}.zip").as_uri(),
        "has_node_attr": str("feature" in roles or encoding is not None),
        "has_edge_attr": str(attributes is not None),
        "additional node files": "node_pos" if "position" in roles else "None",
        "additional edge files": "None",
        "is hetero": "False",
    }


def _check(manifest: Manifest, task: Task, split: int) -> None:
    where = f"{manifest.reference} task '{task.name}'"
    if task.secrecy == "sealed":
        raise InputError(
            f"{where} is sealed: OGB's format holds the test labels, and those never leave the "
            "server; use retia.load and retia submit"
        )
    if task.type not in PREFIXES:
        raise InputError(f"{where}: tasks of type {task.type} are not exported to OGB's format")
    if not 0 <= split < task.num_splits:
        raise NotFoundError(f"{where} has no split {split}; it has 0 to {task.num_splits - 1}")


def _write_folder(version: Version, task: Task, folder: Path, encoding: str | None) -> None:
    for name in ("raw", "processed", "mapping"):
        (folder / name).mkdir(parents=True)
    release = f"# Release note for {version.manifest.name}\n\n### {version.manifest.reference}\n"
    (folder / f"RELEASE_v{_major(version.manifest)}.txt").write_text(release)
    graph: dict[str, Any] = _graph(version, task, encoding)
    np.savez_compressed(folder / "raw" / "data.npz", **graph)
    if task.type == "node":
        labels = _ogb_labels(node_labels(version, task))
        np.savez_compressed(folder / "raw" / "node-label.npz", node_label=labels)
    for split in range(task.num_splits):
        path = folder / "split" / _split_name(task, split) / "split_dict.pt"
        path.parent.mkdir(parents=True)
        make = _link_split if task.type == "link" else _node_split
        _save(_tensors(make(version, task, split)), path)
    _write_mapping(version, task, folder / "mapping")


def _graph(version: Version, task: Task, encoding: str | None) -> Arrays:
    index, attributes = edge_arrays(version, _main_relation(version.manifest, task))
    optional = {
        "node_feat": feature_matrix(version, encoding),
        "node_pos": node_matrix(version, "position"),
        "edge_feat": attributes,
    }
    return {
        "edge_index": index,
        "num_nodes_list": np.array([version.manifest.num_nodes]),
        "num_edges_list": np.array([index.shape[1]]),
        **{name: array for name, array in optional.items() if array is not None},
    }


def _ogb_labels(labels: NDArray[np.int64]) -> NDArray[Any]:
    """(n, 1), NaN where there is no label, as OGB has it; integers where all nodes are labelled."""
    known = labels[:, None] >= 0
    if known.all():
        return labels[:, None]
    return np.where(known, labels[:, None], np.nan).astype(np.float32)


def _link_split(version: Version, task: Task, split: int) -> dict[str, Arrays]:
    parts: tuple[Part, ...] = ("valid", "test")
    train = pairs(version.task_table(task.name, split, "train")).T
    return {
        "train": {"edge": train},
        **{part: _candidate_edges(version, task, split, part) for part in parts},
    }


def _candidate_edges(version: Version, task: Task, split: int, part: Part) -> Arrays:
    """Positives and negatives of the primary set; of a grouped set, the groups beside them."""
    items = pair_items(version, task.name, split, part)
    answers = pair_answers(version, task.name, split, part)
    item, group = answers.candidates[str(task.primary.candidates)]
    positive = answers.label[item] > 0
    rows = items.pairs[:, item].T
    edges = {"edge": rows[positive], "edge_neg": rows[~positive]}
    if (group < 0).all():
        return edges
    return edges | {"edge_group": group[positive], "edge_neg_group": group[~positive]}


def _node_split(version: Version, task: Task, split: int) -> Arrays:
    columns = {"train": "node", "valid": "item", "test": "item"}
    return {
        part: integers(version.task_table(task.name, split, part), column)
        for part, column in columns.items()
    }


def _main_relation(manifest: Manifest, task: Task) -> str:
    return task.relation or manifest.relations[0].name


def _short_name(manifest: Manifest, task: Task) -> str:
    """The dataset's name, and the task's where it is not the only one."""
    name = manifest.name if len(manifest.tasks) == 1 else f"{manifest.name}-{task.name}"
    return name.replace("-", "_")


def _split_name(task: Task, split: int) -> str:
    return task.split.scheme if task.num_splits == 1 else f"{task.split.scheme}-{split}"


def _major(manifest: Manifest) -> int:
    return int(manifest.version.split(".")[0])


def _write_mapping(version: Version, task: Task, folder: Path) -> None:
    manifest, main = version.manifest, _main_relation(version.manifest, task)
    lines = [
        f"# {manifest.title}\n",
        f"{manifest.reference}, digest {manifest.digest}, licence {manifest.license}.",
        f"Task {task.name}: {task.description}\n",
        f"- `edge_index` holds the relation `{main}`; undirected edges stand in both directions.",
    ]
    if version.has("ids"):
        _write_csv(version.table("ids"), folder / "nodeidx2id.csv.gz")
        lines.append("- `nodeidx2id.csv.gz`: the source's own id of each node, in order.")
    if task.classes:
        table = pa.table({"label": np.arange(len(task.classes)), "class": list(task.classes)})
        _write_csv(table, folder / "labelidx2class.csv.gz")
        lines.append("- `labelidx2class.csv.gz`: the name of each class.")
    for relation in manifest.relations:
        if relation.name != main:
            _write_csv(version.edges(relation.name), folder / f"edges-{relation.name}.csv.gz")
            kind = "directed" if relation.directed else "undirected, src < dst"
            lines.append(f"- `edges-{relation.name}.csv.gz`: a further relation, {kind}.")
    (folder / "README.md").write_text("\n".join(lines) + "\n")


def _write_csv(table: pa.Table, path: Path) -> None:
    content = io.BytesIO()
    pyarrow.csv.write_csv(table, content)
    path.write_bytes(gzip.compress(content.getvalue(), mtime=0))


def _zip_folder(folder: Path, target: Path) -> None:
    """Zip a folder under its own name; same files, same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (folder, *sorted(folder.rglob("*"))):
            name = path.relative_to(folder.parent).as_posix() + "/" * path.is_dir()
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.external_attr = FOLDER_MODE if path.is_dir() else FILE_MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = 0 if path.is_dir() else path.stat().st_size
            with archive.open(entry, "w") as into:
                if path.is_file():
                    with path.open("rb") as file:
                        shutil.copyfileobj(file, into, 1 << 20)


def _tensors(value: Any) -> Any:
    torch = _torch()
    if isinstance(value, dict):
        return {key: _tensors(item) for key, item in value.items()}
    return torch.from_numpy(np.ascontiguousarray(value))


def _save(value: Any, path: Path) -> None:
    _torch().save(value, path)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("bench", "torch") from error
    return torch
