"""Check a version before anybody sees it: its files, their schemas, its tables, its leaks."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retia.protocol.audit import audit
from retia.protocol.evaluation import load_truth
from retia.protocol.findings import Finding
from retia.protocol.predictions import PARTS
from retia.shards.arrays import encoding_matrix
from retia.shards.errors import CheckError, IntegrityError
from retia.shards.manifest import Column, Part, Shard, Task, encoding_table
from retia.shards.version import SEALED_FOLDER, Version, arrow_type, vector_type

INDEX = (pa.int32(), pa.int64())
ITEM = {"item": INDEX}
PAIR = {"src": INDEX, "dst": INDEX}
ANSWERS = {**ITEM, "label": (pa.int16(),)}
VALUES = {**ITEM, "label": (pa.float32(),)}
CANDIDATES = {"candidates": (pa.string(),), **ITEM, "group": (pa.int32(),)}
LINK_TABLES = {"train": PAIR, "valid": {**ITEM, **PAIR}, "test": {**ITEM, **PAIR}}
EDGE_TABLES = {**LINK_TABLES, "train": {**PAIR, "label": (pa.float32(),)}}
NODE_TABLES = {"train": {"node": INDEX, "label": (pa.int16(),)}, "valid": ITEM, "test": ITEM}
LABELS = {"label": (pa.list_(pa.int16()),)}
LABEL_TABLES = {"train": {"node": INDEX, **LABELS}, "valid": ITEM, "test": ITEM}

Schema = dict[str, tuple[pa.DataType, ...]]

TASK_TABLES: dict[str, tuple[dict[str, Schema], Schema]] = {
    "link": (LINK_TABLES, ANSWERS),
    "edge-regression": (EDGE_TABLES, VALUES),
    "node": (NODE_TABLES, ANSWERS),
    "node-multilabel": (LABEL_TABLES, {**ITEM, **LABELS}),
}


def check_version(version: Version) -> list[Finding]:
    """The findings of the audit; raises `CheckError` or `IntegrityError` for a broken version."""
    try:
        problems = version.verify()
    except pa.ArrowException as error:
        raise IntegrityError(f"a shard is not a readable Parquet file ({error})") from error
    if problems:
        raise IntegrityError(_first(problems))
    problems = list(_schema_problems(version)) or list(_table_problems(version))
    if problems:
        raise CheckError(_first(problems))
    return audit(version)


def _schema_problems(version: Version) -> Iterator[str]:
    expected = _schemas(version)
    sealed = version.sealed_manifest().shards if _has_sealed(version) else ()
    places = [(version.root, shard) for shard in version.manifest.shards]
    places += [(version.root / SEALED_FOLDER, shard) for shard in sealed]
    tables = {shard.table for _, shard in places}
    yield from (f"the table '{name}' is missing" for name in sorted(expected.keys() - tables))
    for root, shard in places:
        if shard.table != "ids":
            schema = pq.read_schema(root / shard.path)
            yield from _shard_problems(shard, schema, expected.get(shard.table))
    for name in sorted(table for table in tables if table.endswith("test-answers")):
        task = version.manifest.task(name.split("/")[1])
        if task.secrecy == "sealed" and version.has(name):
            yield f"the table '{name}' of a sealed task is public"


def _schemas(version: Version) -> dict[str, Schema]:
    manifest = version.manifest
    schemas: dict[str, Schema] = {"nodes": _columns(manifest.columns)}
    for relation in manifest.relations:
        schemas[f"edges/{relation.name}"] = {**PAIR, **_columns(relation.columns)}
    for card in manifest.encodings or ():
        schemas[encoding_table(card.name)] = {"vector": (vector_type(card),)}
    for task in manifest.tasks:
        for split in range(task.num_splits):
            for name, schema in _task_schemas(task).items():
                schemas[f"tasks/{task.name}/{split}/{name}"] = schema
    return schemas


def _task_schemas(task: Task) -> dict[str, Schema]:
    tables, answers = TASK_TABLES[task.type]
    schemas: dict[str, Schema] = dict(tables)
    for part in PARTS:
        schemas[f"{part}-answers"] = answers
        if task.candidates:
            schemas[f"{part}-candidates"] = CANDIDATES
    return schemas


def _columns(columns: tuple[Column, ...]) -> Schema:
    return {column.name: (arrow_type(column),) for column in columns}


def _shard_problems(shard: Shard, schema: pa.Schema, expected: Schema | None) -> Iterator[str]:
    if expected is None:
        yield f"{shard.path}: '{shard.table}' is no table of this version"
        return
    if set(schema.names) != set(expected) or len(schema.names) != len(expected):
        yield f"{shard.path}: columns {', '.join(schema.names)}; expected {', '.join(expected)}"
        return
    for name, types in expected.items():
        if not any(schema.field(name).type.equals(kind) for kind in types):
            yield f"{shard.path}: column '{name}' is {schema.field(name).type}, not {types[0]}"


def _table_problems(version: Version) -> Iterator[str]:
    manifest = version.manifest
    rows = sum(shard.rows for shard in manifest.files("nodes"))
    if rows != manifest.num_nodes:
        yield f"{rows} rows of nodes, the manifest says {manifest.num_nodes}"
    for relation in manifest.relations:
        yield from _range_problems(version.edges(relation.name, ["src", "dst"]), manifest.num_nodes)
    for card in manifest.encodings or ():
        if not np.isfinite(encoding_matrix(version, card.name)).all():
            yield f"encoding {card.name}: a value is not finite"
    for task in manifest.tasks:
        for split in range(task.num_splits):
            yield from _split_problems(version, task, split)


def _split_problems(version: Version, task: Task, split: int) -> Iterator[str]:
    for part in PARTS:
        where = f"task {task.name}, split {split}, {part}"
        table = version.task_table(task.name, split, part)
        yield from _range_problems(table, version.manifest.num_nodes)
        if task.type == "node-multilabel" and (wrong := _list_problem(version, task, split, part)):
            yield f"{where}: {wrong}"
            continue
        truth = load_truth(version, task.name, split, part)
        items = table["item"].to_numpy()
        if len(np.unique(items)) != len(items):
            yield f"{where}: an item stands twice"
        elif not np.array_equal(np.sort(items), truth.items):
            yield f"{where}: the answers are not those of the items"
        if table.num_rows != getattr(task.counts[split], part):
            yield f"{where}: {table.num_rows} items, the manifest says otherwise"
        if task.type == "node-multilabel":
            continue
        if task.type == "edge-regression":
            if not np.isfinite(truth.labels).all():
                yield f"{where}: a label is not finite"
            continue
        highest = 1 if task.type == "link" else len(task.classes) - 1
        if len(truth.labels) and not 0 <= truth.labels.min() <= truth.labels.max() <= highest:
            yield f"{where}: a label is not between 0 and {highest}"


def _list_problem(version: Version, task: Task, split: int, part: Part) -> str | None:
    """What is wrong with the lists of classes of a part, or of the training nodes."""
    train = version.task_table(task.name, split, "train")
    for table in (train, version.answers(task.name, split, part)):
        lists = table["label"].combine_chunks()
        classes = lists.flatten()
        if lists.null_count or classes.null_count:
            return "a list of classes, or a class in it, is missing"
        label, row = classes.to_numpy(), lists.value_parent_indices().to_numpy()
        if len(label) and not 0 <= label.min() <= label.max() < len(task.classes):
            return f"a label is not between 0 and {len(task.classes) - 1}"
        if (np.diff(label)[np.diff(row) == 0] <= 0).any():
            return "the classes of a node are not ascending"
    return None


def _range_problems(table: pa.Table, num_nodes: int) -> Iterator[str]:
    for name in {"src", "dst"} & set(table.column_names):
        ends = pc.min_max(table[name]).as_py()
        if table.num_rows and not 0 <= ends["min"] <= ends["max"] < num_nodes:
            yield f"a '{name}' is not a node: the nodes are 0 to {num_nodes - 1}"


def _has_sealed(version: Version) -> bool:
    return version.manifest.sealed_commitment is not None


def _first(problems: list[str]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return problems[0] + more
