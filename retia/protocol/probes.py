"""Probes of the audit: scores that must not help, and how far from chance they are.

On a link task degree alone, distance alone, what the list of items tells, and columns that declare
no recipe score the pairs of `matched`. A probe fails when its AUC is over 0.55 and outside the
99.9 % interval of random labels; with several splits the mean over splits is judged.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import norm

from retia.protocol.evaluation import Truth, find_truth, ranks_within_groups
from retia.protocol.findings import SEALED, Finding, Status
from retia.protocol.heuristics import link_scores, node_positions
from retia.protocol.metrics import rocauc, spearman
from retia.protocol.predictions import PARTS
from retia.protocol.randomness import Randomness
from retia.shards.arrays import column_array, integers, label_matrix
from retia.shards.manifest import Column, Task
from retia.shards.version import Version

AUC_LIMIT = 0.55
CORRELATION_LIMIT = 0.9
KAPPA_LIMIT = 0.9
MAX_CODES = 64
Z_999 = float(norm.ppf(0.9995))

Ints = NDArray[np.int64]
Scorer = Callable[[Ints, Ints], NDArray[Any]]
Area = tuple[float, float]


def probe_link(version: Version, task: Task) -> Iterator[Finding]:
    """Scores that must be at chance: degree, distance, list and columns on `matched`, list on
    `hard`.

    In a list of all non-neighbours of its sources the numbers of rows are degrees, so its `hard`
    set is not probed. On others |i - j| is not: ids follow space, and distance may help there.
    """
    sets = {c.name for c in task.candidates if c.parameters.get("listed") != "whole"}
    columns = _column_probes(version)
    if columns and not {"matched", "hard"} & {candidates.name for candidates in task.candidates}:
        yield Finding("columns", task.name, "not checked", "no matched or hard candidates")
        columns = {}
    for part in PARTS:
        where = f"{task.name}/{part}"
        areas: dict[str, list[Area]] = {}
        for split in range(task.num_splits):
            truth = find_truth(version, task.name, split, part)
            if truth is None:
                yield Finding("probes", where, "not checked", SEALED)
                break
            items = version.task_table(task.name, split, part)
            for name, scores in _list_scores(version, task, items):
                if "matched" in sets:
                    areas.setdefault(name, []).append(_area(scores, truth))
                if "hard" in sets and name in HARD_PROBES:
                    areas.setdefault(f"hard {name}", []).append(_grouped_area(scores, truth))
            for name, score in columns.items():
                areas.setdefault(name, []).append(_column_area(score, items, truth))
        for name, values in areas.items():
            yield _judge(name, where, np.array(values))


def probe_edge_columns(version: Version, task: Task) -> Iterator[Finding]:
    """Whether another column of the edges gives the hidden weights away.

    A column without a recipe on the nodes may hold them too, in sums; that is not checked.
    """
    relation = version.manifest.relation(str(task.relation))
    others = [c.name for c in relation.columns if c.name != task.label and c.dtype != "string"]
    edges = version.edges(relation.name) if others else None
    for name, part in product(others, PARTS):
        assert edges is not None
        where = f"{task.name}/{part}"
        truth = find_truth(version, task.name, 0, part)
        if truth is None:
            yield Finding(f"edge column {name}", where, "not checked", SEALED)
            continue
        values = _of_items(version, edges, name, version.task_table(task.name, 0, part))
        known = np.isfinite(values)
        found = abs(spearman(truth.labels[known], values[known])) if known.sum() > 2 else 0.0
        status: Status = "failed" if found > CORRELATION_LIMIT else "passed"
        detail = f"rank correlation {found:.3f} with the hidden weights, on {known.sum():,} edges"
        yield Finding(f"edge column {name}", where, status, detail)
    if undeclared := [column.name for column in _undeclared(version)]:
        detail = f"{', '.join(undeclared)}: no recipe says that hidden weights are not in them"
        yield Finding("undeclared columns", task.name, "not checked", detail)


def probe_order(version: Version, task: Task) -> Finding:
    """Whether neighbours in the order of ids share a class more often than others would.

    The others are any nodes or, where there are positions, the nearest in space: ids may follow
    space, and then tell no more than it does.
    """
    node, label = _training_labels(version, task)
    order = np.argsort(node)
    expected, told = _chance(label), "chance"
    positions = node_positions(version)
    if positions is not None and len(node) > 1:
        nearest = np.asarray(cKDTree(positions[node]).query(positions[node], k=2)[1])[:, 1]
        in_space = float((label[nearest] == label).mean())
        if in_space > expected:
            expected, told = in_space, "the nearest in space"
    same = _agreement(label[order], expected)
    spread = Z_999 * float(np.sqrt(expected * (1 - expected) / max(len(label) - 1, 1)))
    status: Status = "failed" if same > expected + spread else "passed"
    detail = f"neighbours by id share a class {same:.3f} of the time, {told} {expected:.3f}"
    return Finding("order of ids", task.name, status, f"{detail} ± {spread:.3f}")


def probe_node_columns(version: Version, task: Task) -> Iterator[Finding]:
    """Whether a number or code without a recipe is the label in other words.

    Training nodes in the order of the column share a class with the next one: by chance 0, always
    1. A radius gives its classes away at 1; columns of vectors are not looked at.
    """
    node, label = _training_labels(version, task)
    chance = _chance(label)
    columns = [column for column in _undeclared(version) if not column.shape]
    table = version.nodes([column.name for column in columns]) if columns else None
    for column in columns:
        assert table is not None
        values = column_array(table[column.name]).astype(np.float64)[node]
        known = np.flatnonzero(np.isfinite(values))
        ties = Randomness.from_seed(0).stream("ties").random(len(known))
        order = known[np.lexsort((ties, values[known]))]
        kappa = (_agreement(label[order], chance) - chance) / max(1 - chance, 1e-12)
        status: Status = "failed" if kappa > KAPPA_LIMIT else "passed"
        detail = f"nodes in its order share a class by {kappa:.3f} more than chance, of 1"
        yield Finding(f"node column {column.name}", task.name, status, detail)


def _training_labels(version: Version, task: Task) -> tuple[Ints, Ints]:
    """The training nodes of the first split, and a number for their class or set of classes."""
    train = version.task_table(task.name, 0, "train")
    if task.type != "node-multilabel":
        return integers(train, "node"), integers(train, "label")
    _, code = np.unique(label_matrix(train, len(task.classes)), axis=0, return_inverse=True)
    return integers(train, "node"), code.astype(np.int64)


def _chance(label: Ints) -> float:
    """How often two nodes share a class."""
    share = np.unique(label, return_counts=True)[1] / max(len(label), 1)
    return float((share**2).sum())


def _agreement(label: Ints, otherwise: float) -> float:
    """How often a node shares the class of the next one."""
    return float((label[1:] == label[:-1]).mean()) if len(label) > 1 else otherwise


LIST_PROBES: dict[str, Scorer] = {
    "rows of the source": lambda src, dst: np.bincount(src)[src],
    "rows of the target": lambda src, dst: np.bincount(dst)[dst],
    "rows of both nodes": lambda src, dst: _occurrences(src, dst),
    "place in the list": lambda src, dst: np.arange(len(src)),
    "|i - j|": lambda src, dst: np.abs(src - dst),
    "i + j": lambda src, dst: src + dst,
}

HARD_PROBES = {f"list: {name}" for name in LIST_PROBES} - {"list: |i - j|"}


def _list_scores(
    version: Version, task: Task, items: pa.Table
) -> Iterator[tuple[str, NDArray[Any]]]:
    src, dst = _pairs(items)
    names = ["degree"] + (["distance"] if node_positions(version) is not None else [])
    for name in names:
        yield f"{name} alone", link_scores(name, version, task.name, src, dst)
    for name, function in LIST_PROBES.items():
        yield f"list: {name}", function(src, dst)


def _undeclared(version: Version) -> list[Column]:
    """The numeric feature columns of the nodes that declare no recipe."""
    return [
        column
        for column in version.manifest.columns
        if column.role == "feature" and column.recipe is None and column.dtype != "string"
    ]


def _column_probes(version: Version) -> dict[str, Scorer]:
    """What is tried on the columns without a recipe, by name.

    Numbers: product and nearness. Codes: equality. Vectors: inner product and nearness, the inner
    product with another column of vectors of that width, as left and right singular vectors have,
    and, where a vector has an entry for every node, that entry.
    """
    features = [c for c in version.manifest.columns if c.role == "feature" and c.dtype != "string"]
    nodes = version.nodes([column.name for column in features])
    values = {c.name: _filled(column_array(nodes[c.name])) for c in features}
    vectors = {name: array for name, array in values.items() if array.ndim == 2}
    undeclared = {column.name for column in _undeclared(version)}
    probes: dict[str, Scorer] = {}
    for name in undeclared - vectors.keys():
        kind = next(c.dtype for c in features if c.name == name)
        probes |= _scalar_probes(f"column {name}", values[name], kind)
    for name in undeclared & vectors.keys():
        x = vectors[name]
        probes[f"column {name}: inner product"] = _inner(x, x)
        probes[f"column {name}: nearness"] = _nearness(x)
        if x.shape[1] == version.manifest.num_nodes:
            probes[f"column {name}: entry"] = _entry(x)
    for one, two in product(vectors, vectors):
        same = vectors[one].shape == vectors[two].shape
        if one != two and same and {one, two} & undeclared:
            probes[f"columns {one}, {two}: inner product"] = _inner(vectors[one], vectors[two])
    return dict(sorted(probes.items()))


def _scalar_probes(name: str, x: NDArray[np.float64], dtype: str) -> dict[str, Scorer]:
    if not dtype.startswith("float") and len(np.unique(x)) <= MAX_CODES:
        return {f"{name}: equality": lambda src, dst: (x[src] == x[dst]).astype(float)}
    return {
        f"{name}: product": lambda src, dst: x[src] * x[dst],
        f"{name}: nearness": _nearness(x[:, None]),
    }


def _inner(left: NDArray[np.float64], right: NDArray[np.float64]) -> Scorer:
    return lambda src, dst: np.einsum("ij,ij->i", left[src], right[dst])


def _nearness(x: NDArray[np.float64]) -> Scorer:
    return lambda src, dst: -np.linalg.norm(x[src] - x[dst], axis=1)


def _entry(x: NDArray[np.float64]) -> Scorer:
    return lambda src, dst: x[src, dst]


def _filled(values: NDArray[Any]) -> NDArray[np.float64]:
    """The column with means for what is missing."""
    x = values.astype(np.float64)
    missing = np.isnan(x)
    count = np.maximum((~missing).sum(axis=0), 1)
    return np.where(missing, np.where(missing, 0, x).sum(axis=0) / count, x)


def _column_area(score: Scorer, items: pa.Table, truth: Truth) -> Area:
    """The area of a column's score on `matched`, or within the groups of `hard`."""
    src, dst = _pairs(items)
    members = truth.candidates.get("matched", truth.candidates.get("hard"))
    scores = np.zeros(len(src))
    chosen = slice(None) if members is None else np.unique(members.item)
    scores[chosen] = score(src[chosen], dst[chosen])
    area = _area if "matched" in truth.candidates else _grouped_area
    return area(scores, truth)


def _area(scores: NDArray[Any], truth: Truth) -> Area:
    """The AUC on `matched`, and the half-width of its 99.9 % interval for random labels."""
    chosen = truth.candidates["matched"].item
    labels, values = truth.labels[chosen], scores[chosen].astype(np.float64)
    p, n = int((labels > 0).sum()), int((labels == 0).sum())
    spread = Z_999 * float(np.sqrt((p + n + 1) / (12 * p * n)))
    return rocauc(values[labels > 0], values[labels == 0]), spread


def _grouped_area(scores: NDArray[Any], truth: Truth) -> Area:
    """The mean share of its group's negatives below a positive of `hard`, and its half-width."""
    members = truth.candidates["hard"]
    labels, values = truth.labels[members.item], scores[members.item].astype(np.float64)
    ranks, size = ranks_within_groups(values, labels, members.group)
    return float(1 - (ranks - 1).mean() / size), Z_999 * float(np.sqrt(1 / (12 * len(ranks))))


def _judge(check: str, where: str, areas: NDArray[np.float64]) -> Finding:
    """Judge the mean AUC over splits by the interval of one: splits share most of their edges."""
    area, spread = areas.mean(axis=0)
    leaning = max(area, 1 - area)
    status: Status = "failed" if leaning > max(AUC_LIMIT, 0.5 + spread) else "passed"
    return Finding(check, where, status, f"AUC {area:.3f}, chance 0.5 ± {spread:.3f}")


def _occurrences(src: Ints, dst: Ints) -> Ints:
    count = np.bincount(np.concatenate([src, dst]))
    return np.asarray(count[src] + count[dst])


def _of_items(
    version: Version, edges: pa.Table, column: str, items: pa.Table
) -> NDArray[np.float64]:
    """A column of the edges at the items, NaN where it is null."""
    n = version.manifest.num_nodes
    keys, wanted = (src * n + dst for src, dst in (_pairs(edges), _pairs(items)))
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    values = column_array(edges[column]).astype(np.float64)[place]
    return np.where(keys[place] == wanted, values, np.nan)


def _pairs(table: pa.Table) -> tuple[Ints, Ints]:
    return table["src"].to_numpy().astype(np.int64), table["dst"].to_numpy().astype(np.int64)
