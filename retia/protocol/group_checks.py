"""Checks of the audit on grouped splits: no group is in two parts.

The groups follow from what is public: pairs from the pairs; homologs, sides and the groups of nodes
from the column of the nodes or of the ids that the task names.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.evaluation import Truth
from retia.protocol.findings import SEALED, Finding, exact
from retia.protocol.groups import Homologs, NodeGroups
from retia.protocol.pairs import contains
from retia.protocol.predictions import PARTS
from retia.shards.errors import InputError, RetiaError
from retia.shards.manifest import Part, Task
from retia.shards.version import Version

UNTOLD = "no public column tells the groups"

Ints = NDArray[np.int64]


def check_edge_groups(
    version: Version, task: Task, split: int, truths: dict[Part, Truth | None]
) -> Finding:
    """Whether a group straddles what is visible, validation and test.

    `truths` are the answers of a link task, whose list holds more than its hidden edges.
    """
    train = _pairs(version.task_table(task.name, split, "train"))
    listed = {p: _pairs(version.task_table(task.name, split, p)) for p in PARTS}
    if task.split.parameters["by"] == "hemisphere":
        items = {"items": np.concatenate(list(listed.values()))}
        return _check_sides(version, task, {"train": train}, items)
    try:
        groups = _group_function(version, task)
    except RetiaError as error:
        return Finding("groups", task.name, "failed", str(error))
    if groups is None:
        return Finding("groups", task.name, "not checked", UNTOLD)
    edges = version.edges(str(task.relation), ["src", "dst"]) if truths else None
    visible = np.unique(groups(train if edges is None else _pairs(edges)))
    problems = []
    for part, pairs in listed.items():
        if count := int(contains(visible, groups(pairs)).sum()):
            problems.append(f"{count:,} {part} items share a group with a visible edge")
    hidden = {p: listed[p][t.scored] if t else listed[p] for p, t in truths.items()} or listed
    across = np.intersect1d(groups(hidden["valid"]), groups(hidden["test"]))
    if len(across) and None not in truths.values():
        problems.append(f"{len(across):,} groups are in both validation and test")
    if not problems and None in truths.values():
        return Finding("groups", task.name, "not checked", SEALED)
    return exact("groups", task.name, problems, "no group is in two parts")


def _group_function(version: Version, task: Task) -> Callable[[Ints], Ints] | None:
    """The group of each of (E, 2) pairs, by what is public; none where nothing tells."""
    by, column = task.split.parameters["by"], task.split.parameters.get("column")
    nodes = version.manifest.num_nodes
    if by == "pair":
        return Homologs(np.full(nodes, -1)).of_pairs
    partner = _public_column(version, column) if by == "homolog" else None
    return None if partner is None else _homologs(partner).of_pairs


def _homologs(partner: pa.ChunkedArray) -> Homologs:
    return Homologs(partner.fill_null(-1).to_numpy().astype(np.int64))


def _check_sides(
    version: Version, task: Task, train: Mapping[str, Ints], test: Mapping[str, Ints]
) -> Finding:
    """Whether the nodes of each part, of any shape, are on the side that the split says."""
    parameters = task.split.parameters
    column = _public_column(version, parameters.get("column"))
    if column is None:
        return Finding("groups", task.name, "not checked", UNTOLD)
    side = np.asarray(column.to_pylist(), dtype=object)
    problems = []
    for parts, wanted in ((train, parameters["train_side"]), (test, parameters["test_side"])):
        for part, nodes in parts.items():
            if count := int((side[nodes] != wanted).sum()):
                problems.append(f"{count:,} nodes of {part} are not on the side '{wanted}'")
    return exact("groups", task.name, problems, "each part is on its side")


def _public_column(version: Version, name: Any) -> pa.ChunkedArray | None:
    """A column of the nodes or of the ids; none where neither has it, or the ids are sealed."""
    if name in {column.name for column in version.manifest.columns}:
        return version.nodes([name])[name]
    ids = version.table("ids") if version.has("ids") else None
    return ids[name] if ids is not None and name in ids.column_names else None


def check_node_groups(version: Version, task: Task, parts: dict[str, Ints]) -> Finding:
    """Whether groups, such as homologs, are in one part, or each part is on its side."""
    if task.split.parameters["by"] == "hemisphere":
        test = {"test": parts["test"]}
        return _check_sides(version, task, {p: parts[p] for p in ("train", "valid")}, test)
    try:
        group = node_groups(version, task)
    except RetiaError as error:
        return Finding("groups", task.name, "failed", str(error))
    if group is None:
        return Finding("groups", task.name, "not checked", UNTOLD)
    drawn = np.concatenate([np.unique(group[nodes]) for nodes in parts.values()])
    across = len(drawn) - len(np.unique(drawn))
    problems = [f"{across:,} groups are in two parts"] if across else []
    return exact("groups", task.name, problems, "no group is in two parts")


def node_groups(version: Version, task: Task) -> Ints | None:
    """(n,) the group of each node of a grouped split; none where no public column tells it.

    The column holds a node's homolog, or the name of its group; sides of the brain are no groups.
    """
    by, column = task.split.parameters["by"], None
    if by != "hemisphere":
        column = _public_column(version, task.split.parameters.get("column"))
    if column is None:
        return None
    if by == "homolog":
        return _homologs(column).of_nodes()
    if not pa.types.is_string(column.type):
        raise InputError(f"the column of the groups is {column.type}, not text")
    names = np.asarray(column.fill_null("").to_pylist(), dtype=object)
    return NodeGroups(names, str(by), str(task.split.parameters["column"])).of_nodes()


def _pairs(table: pa.Table) -> Ints:
    ends = [table[end].to_numpy().astype(np.int64) for end in ("src", "dst")]
    return np.column_stack(ends)
