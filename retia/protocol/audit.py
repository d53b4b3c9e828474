"""The leak audit: what a dataset must not give away.

Checks that compare tables (an edge that is visible and hidden, a doubled pair, a column that its
recipe does not give) are exact. Probes score the pairs of `matched` by something that must not
help, and fail when their AUC is over 0.55 and outside the 99.9 % interval of random labels. What
needs files that are not there is `not checked`, never `passed`.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import norm

from retia.protocol.baselines import link_scores, node_positions
from retia.protocol.blocks import clear_of
from retia.protocol.evaluation import Truth, load_truth, ranks_within_groups
from retia.protocol.metrics import rocauc
from retia.protocol.pairs import contains
from retia.protocol.predictions import PARTS
from retia.protocol.recipes import Visible, compute
from retia.shards.arrays import column_array
from retia.shards.errors import MissingExtraError, NotFoundError, RetiaError
from retia.shards.manifest import Part, Task
from retia.shards.version import Version

Status = Literal["passed", "failed", "not checked"]

SEALED = "the answers are sealed, and not here"
AUC_LIMIT = 0.55
RECIPE_TOLERANCE = 1e-6
ROUNDING = 1e-4  # of float32 positions
Z_999 = float(norm.ppf(0.9995))


@dataclass(frozen=True)
class Finding:
    """The outcome of one check on one subject."""

    check: str
    subject: str
    status: Status
    detail: str

    def as_dict(self) -> dict[str, str]:
        """The finding as plain values."""
        return asdict(self)


def audit(version: Version) -> list[Finding]:
    """All checks on a version, in a fixed order; a check on ten splits is one finding."""
    findings = list(_check_edges(version))
    findings += _check_recipes(version)
    for task in version.manifest.tasks:
        check = _check_link_split if task.type == "link" else _check_node_split
        splits = [list(check(version, task, split)) for split in range(task.num_splits)]
        findings += [_merge(same) for same in zip(*splits, strict=True)]
        findings += _probe_link(version, task) if task.type == "link" else []
        if task.type == "node" and node_positions(version) is None:
            findings.append(_probe_order(version, task))
    return findings


def _merge(findings: tuple[Finding, ...]) -> Finding:
    """The findings of one check on all splits as one: the first that is worst."""
    order: tuple[Status, ...] = ("failed", "not checked", "passed")
    split, worst = min(enumerate(findings), key=lambda place: order.index(place[1].status))
    if worst.status == "failed" and len(findings) > 1:
        return replace(worst, detail=f"split {split}: {worst.detail}")
    return worst


def _check_edges(version: Version) -> Iterator[Finding]:
    for relation in version.manifest.relations:
        table = version.edges(relation.name, ["src", "dst"])
        src, dst = _pairs(table)
        keys = src * version.manifest.num_nodes + dst
        problems = []
        if (src == dst).any():
            problems.append(f"{(src == dst).sum()} self-loops")
        if not relation.directed and (src > dst).any():
            problems.append(f"{(src > dst).sum()} undirected edges with src > dst")
        if (np.diff(keys) <= 0).any():
            problems.append("edges not sorted by (src, dst), or doubled")
        if len(keys) != relation.num_edges:
            problems.append(f"{len(keys)} edges, the manifest says {relation.num_edges}")
        if len(keys) and not 0 <= min(src.min(), dst.min()) <= max(src.max(), dst.max()) < (
            version.manifest.num_nodes
        ):
            problems.append("an edge to a node that does not exist")
        yield _exact("edges", relation.name, problems, f"{len(keys):,} edges in order")


def _check_recipes(version: Version) -> Iterator[Finding]:
    visible = _visible(version)
    for column in version.manifest.columns:
        if column.recipe is None:
            continue
        try:
            wanted = compute(column.recipe, visible)
        except MissingExtraError as error:
            yield Finding("recipe", column.name, "not checked", str(error))
            continue
        except RetiaError as error:
            yield Finding("recipe", column.name, "failed", str(error))
            continue
        found = column_array(version.nodes([column.name])[column.name])
        bad = int((~_equal(found, wanted)).sum())
        problems = [f"{bad:,} values differ from the recipe on the visible edges"] if bad else []
        yield _exact("recipe", column.name, problems, "equal to its recipe on the visible edges")


def _visible(version: Version) -> Visible:
    """What the recipes of a version may look at."""
    manifest = version.manifest
    given = [c.name for c in manifest.columns if c.recipe is None and c.dtype != "string"]
    nodes = version.nodes(given)
    return Visible(
        manifest.num_nodes,
        {relation.name: version.edges(relation.name) for relation in manifest.relations},
        {name: column_array(nodes[name]) for name in given},
    )


def _equal(found: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are equal to a relative 1e-6, or missing in both; none where shapes differ."""
    if found.shape != wanted.shape:
        return np.zeros(found.shape, dtype=bool)
    gap = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
    return np.asarray((gap <= RECIPE_TOLERANCE) | (np.isnan(found) & np.isnan(wanted)))


def _check_link_split(version: Version, task: Task, split: int) -> Iterator[Finding]:
    where = task.name
    visible = np.sort(_keys(version, task, version.edges(str(task.relation), ["src", "dst"])))
    train = _keys(version, task, version.task_table(task.name, split, "train"))
    stray = int((~contains(visible, train)).sum())
    problems = [f"{stray:,} training edges are not visible"] if stray else []
    yield _exact("training edges", where, problems, "all are visible edges")
    yield from _check_buffer(version, task, split)
    truths = {part: _truth(version, task.name, split, part) for part in PARTS}
    keys = {
        part: _keys(version, task, version.task_table(task.name, split, part)) for part in PARTS
    }
    hidden = [keys[part][truth.labels > 0] for part, truth in truths.items() if truth]
    for part, truth in truths.items():
        subject = f"{where}/{part}"
        items = version.task_table(task.name, split, part)["item"].to_numpy()
        yield _check_items(subject, items, keys[part], visible)
        if truth is None:
            yield Finding("negatives", subject, "not checked", SEALED)
            continue
        wrong = int(np.isin(keys[part][truth.labels == 0], np.concatenate(hidden)).sum())
        problems = [f"{wrong:,} negatives are hidden edges"] if wrong else []
        yield _exact("negatives", subject, problems, "no negative is a known edge")


def _check_buffer(version: Version, task: Task, split: int) -> Iterator[Finding]:
    """Where a block split is claimed: no training edge within the buffer of a listed node."""
    positions = node_positions(version)
    if task.split.scheme != "block" or positions is None:
        return
    tables = [version.task_table(task.name, split, part) for part in PARTS]
    listed = np.unique(np.concatenate([np.concatenate(_pairs(table)) for table in tables]))
    train = np.column_stack(_pairs(version.task_table(task.name, split, "train")))
    width = float(str(task.split.parameters["buffer"]))
    near = int((~clear_of(train, positions, listed, width * (1 - ROUNDING))).sum())
    problems = [f"{near:,} training edges are within {width:g} of an item"] if near else []
    yield _exact("buffer", task.name, problems, f"no training edge within {width:g} of an item")


def _check_items(
    where: str, items: NDArray[Any], keys: NDArray[np.int64], visible: NDArray[np.int64]
) -> Finding:
    problems = []
    if (items != np.arange(len(items))).any():
        problems.append("items are not 0, 1, 2, ...")
    if len(np.unique(keys)) != len(keys):
        problems.append("a pair stands twice")
    if contains(visible, keys).any():
        problems.append(f"{contains(visible, keys).sum():,} listed pairs are visible edges")
    return _exact("items", where, problems, f"{len(items):,} pairs, none visible")


def _probe_link(version: Version, task: Task) -> Iterator[Finding]:
    """Scores that must be at chance: degree, distance and the list on `matched`, list on `hard`.

    The list of a small graph without positions holds all non-neighbours, whose numbers are degrees,
    so its `hard` set is not probed. In space |i - j| is not on `hard`: ids follow space, and
    distance may help there.
    """
    sets = {candidates.name for candidates in task.candidates if not candidates.grouped}
    if task.primary.candidates != "hard":
        sets |= {candidates.name for candidates in task.candidates if candidates.grouped}
    for part in PARTS:
        where = f"{task.name}/{part}"
        areas: dict[str, list[tuple[float, float]]] = {}
        for split in range(task.num_splits):
            truth = _truth(version, task.name, split, part)
            if truth is None:
                yield Finding("probes", where, "not checked", SEALED)
                break
            items = version.task_table(task.name, split, part)
            for name, scores in _probe_scores(version, task, items):
                if "matched" in sets:
                    areas.setdefault(name, []).append(_area(scores, truth))
                if "hard" in sets and name in HARD_PROBES:
                    areas.setdefault(f"hard {name}", []).append(_grouped_area(scores, truth))
        for name, values in areas.items():
            yield _probe_finding(name, where, np.array(values))


def _probe_scores(
    version: Version, task: Task, items: pa.Table
) -> Iterator[tuple[str, NDArray[Any]]]:
    src, dst = _pairs(items)
    names = ["degree"] + (["distance"] if node_positions(version) is not None else [])
    for name in names:
        yield f"{name} alone", link_scores(name, version, task.name, src, dst)
    for name, function in LIST_PROBES.items():
        yield f"list: {name}", function(src, dst)


def _area(scores: NDArray[Any], truth: Truth) -> tuple[float, float]:
    """The AUC on `matched`, and the half-width of its 99.9 % interval for random labels."""
    chosen = truth.candidates["matched"].item
    labels, values = truth.labels[chosen], scores[chosen].astype(np.float64)
    p, n = int((labels > 0).sum()), int((labels == 0).sum())
    spread = Z_999 * float(np.sqrt((p + n + 1) / (12 * p * n)))
    return rocauc(values[labels > 0], values[labels == 0]), spread


def _grouped_area(scores: NDArray[Any], truth: Truth) -> tuple[float, float]:
    """The mean share of its group's negatives below a positive of `hard`, and its half-width."""
    members = truth.candidates["hard"]
    labels, values = truth.labels[members.item], scores[members.item].astype(np.float64)
    ranks, size = ranks_within_groups(values, labels, members.group)
    return float(1 - (ranks - 1).mean() / size), Z_999 * float(np.sqrt(1 / (12 * len(ranks))))


def _probe_finding(check: str, where: str, areas: NDArray[np.float64]) -> Finding:
    """Judge the mean AUC over splits by the interval of one: splits share most of their edges."""
    area, spread = areas.mean(axis=0)
    leaning = max(area, 1 - area)
    status: Status = "failed" if leaning > max(AUC_LIMIT, 0.5 + spread) else "passed"
    return Finding(check, where, status, f"AUC {area:.3f}, chance 0.5 ± {spread:.3f}")


LIST_PROBES: dict[str, Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[Any]]] = {
    "rows of the source": lambda src, dst: np.bincount(src)[src],
    "rows of the target": lambda src, dst: np.bincount(dst)[dst],
    "rows of both nodes": lambda src, dst: _occurrences(src, dst),
    "place in the list": lambda src, dst: np.arange(len(src)),
    "|i - j|": lambda src, dst: np.abs(src - dst),
    "i + j": lambda src, dst: src + dst,
}

HARD_PROBES = {f"list: {name}" for name in LIST_PROBES} - {"list: |i - j|"}


def _occurrences(src: NDArray[np.int64], dst: NDArray[np.int64]) -> NDArray[np.int64]:
    count = np.bincount(np.concatenate([src, dst]))
    return np.asarray(count[src] + count[dst])


def _check_node_split(version: Version, task: Task, split: int) -> Iterator[Finding]:
    where = task.name
    parts = {"train": version.task_table(task.name, split, "train")["node"].to_numpy()}
    for part in PARTS:
        parts[part] = version.task_table(task.name, split, part)["item"].to_numpy()
    nodes = np.concatenate(list(parts.values()))
    doubled = len(nodes) - len(np.unique(nodes))
    problems = [f"{doubled:,} nodes are in two parts"] if doubled else []
    if len(nodes) and not 0 <= nodes.min() <= nodes.max() < version.manifest.num_nodes:
        problems.append("an item is no node")
    yield _exact("parts", where, problems, "train, validation and test are apart")
    names = {column.name for column in version.manifest.columns}
    problems = [f"the label column '{task.label}' is public"] if task.label in names else []
    yield _exact("label column", where, problems, "not among the node columns")


def _probe_order(version: Version, task: Task) -> Finding:
    """Whether neighbours in the order of ids share a class more often than chance allows."""
    train = version.task_table(task.name, 0, "train").sort_by("node")
    label = train["label"].to_numpy()
    share = np.bincount(label, minlength=len(task.classes)) / max(len(label), 1)
    expected = float((share**2).sum())
    same = float((label[1:] == label[:-1]).mean()) if len(label) > 1 else expected
    spread = Z_999 * float(np.sqrt(expected * (1 - expected) / max(len(label) - 1, 1)))
    status: Status = "failed" if same > expected + spread else "passed"
    detail = f"neighbours by id share a class {same:.3f} of the time, chance {expected:.3f}"
    return Finding("order of ids", task.name, status, f"{detail} ± {spread:.3f}")


def _truth(version: Version, task: str, split: int, part: Part) -> Truth | None:
    try:
        return load_truth(version, task, split, part)
    except NotFoundError:
        return None


def _pairs(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return table["src"].to_numpy().astype(np.int64), table["dst"].to_numpy().astype(np.int64)


def _keys(version: Version, task: Task, table: pa.Table) -> NDArray[np.int64]:
    """One integer a pair, equal for both directions where the relation is undirected."""
    src, dst = _pairs(table)
    if not version.manifest.relation(str(task.relation)).directed:
        src, dst = np.minimum(src, dst), np.maximum(src, dst)
    return src * version.manifest.num_nodes + dst


def _exact(check: str, subject: str, problems: list[str], fine: str) -> Finding:
    if problems:
        return Finding(check, subject, "failed", "; ".join(problems))
    return Finding(check, subject, "passed", fine)
