"""The leak audit: what a dataset must not give away.

Checks that compare tables (an edge that is visible and hidden, a doubled pair, a column that its
recipe does not give) are exact. Probes score pairs by something that must not help; a publisher may
accept one that fails, with a reason. What needs files that are not there is `not checked`, never
`passed`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.block_checks import check_blocks
from retia.protocol.evaluation import Truth, find_truth
from retia.protocol.findings import SEALED, Finding, Status, exact
from retia.protocol.group_checks import check_edge_groups, check_node_groups
from retia.protocol.pairs import contains
from retia.protocol.predictions import PARTS
from retia.protocol.probes import probe_edge_columns, probe_link, probe_node_columns, probe_order
from retia.protocol.recipes import TOLERANCE, TOLERANCES, Visible, compute
from retia.shards.arrays import column_array, integers
from retia.shards.errors import MissingExtraError, RetiaError
from retia.shards.manifest import Part, Task
from retia.shards.version import Version

Ints = NDArray[np.int64]


def audit(version: Version) -> list[Finding]:
    """All checks on a version, in a fixed order; a check on ten splits is one finding."""
    findings = list(_check_edges(version))
    findings += _check_recipes(version)
    for task in version.manifest.tasks:
        splits = [list(_check_split(version, task, split)) for split in range(task.num_splits)]
        findings += [_merge(same) for same in zip(*splits, strict=True)]
        findings += _check_across_splits(version, task)
        findings += [_accept(version, probed) for probed in _probe(version, task)]
    return findings


def _check_split(version: Version, task: Task, split: int) -> Iterator[Finding]:
    """The exact checks on one split of a task."""
    if task.type == "link":
        yield from _check_link_split(version, task, split)
    elif task.type == "edge-regression":
        yield from _check_edge_split(version, task, split)
    else:
        yield from _check_node_split(version, task, split)


def _probe(version: Version, task: Task) -> Iterator[Finding]:
    """The probes of a task."""
    if task.type == "link":
        yield from probe_link(version, task)
    elif task.type == "edge-regression":
        yield from probe_edge_columns(version, task)
    else:
        yield probe_order(version, task)
        yield from probe_node_columns(version, task)


def _accept(version: Version, finding: Finding) -> Finding:
    """A failed probe that the manifest accepts, with the reason."""
    if finding.status != "failed":
        return finding
    for accepted in version.manifest.accepted or ():
        if (accepted.check, accepted.subject) == (finding.check, finding.subject):
            detail = f"{finding.detail}; accepted: {accepted.reason}"
            return replace(finding, status="accepted", detail=detail)
    return finding


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
        yield exact("edges", relation.name, problems, f"{len(keys):,} edges in order")


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
        tolerance = TOLERANCES.get(column.recipe.function, TOLERANCE)
        bad = int((~_equal(found, wanted, tolerance)).sum())
        problems = [f"{bad:,} values differ from the recipe on the visible edges"] if bad else []
        yield exact("recipe", column.name, problems, "equal to its recipe on the visible edges")


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


def _equal(found: NDArray[Any], wanted: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Which values are equal, relative to those over 1, or missing in both."""
    if found.shape != wanted.shape:
        return np.zeros(found.shape, dtype=bool)
    gap = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
    return np.asarray((gap <= tolerance) | (np.isnan(found) & np.isnan(wanted)))


def _check_link_split(version: Version, task: Task, split: int) -> Iterator[Finding]:
    where = task.name
    visible = np.sort(_keys(version, task, version.edges(str(task.relation), ["src", "dst"])))
    train = _keys(version, task, version.task_table(task.name, split, "train"))
    stray = int((~contains(visible, train)).sum())
    problems = [f"{stray:,} training edges are not visible"] if stray else []
    problems += ["a training edge stands twice"] if len(np.unique(train)) < len(train) else []
    yield exact("training edges", where, problems, "all are visible edges, each once")
    yield from check_blocks(version, task, split)
    truths = {part: find_truth(version, task.name, split, part) for part in PARTS}
    keys = {
        part: _keys(version, task, version.task_table(task.name, split, part)) for part in PARTS
    }
    if task.split.scheme == "grouped":
        yield check_edge_groups(version, task, split, truths)
    scored = {part: keys[part][truth.scored] for part, truth in truths.items() if truth}
    if len(scored) == len(PARTS):
        both = len(np.intersect1d(scored["valid"], scored["test"]))
        problems = [f"{both:,} hidden edges are scored in both parts"] if both else []
        yield exact("parts", where, problems, "validation and test are apart")
    else:
        yield Finding("parts", where, "not checked", SEALED)
    for part in PARTS:
        table = version.task_table(task.name, split, part)
        yield _check_items(f"{where}/{part}", table, keys[part], visible)


def _check_across_splits(version: Version, task: Task) -> Iterator[Finding]:
    """What takes the answers of all splits: negatives, and what a sealed task shows."""
    if task.type == "link":
        answers = {part: list(_link_answers(version, task, part)) for part in PARTS}
        for part in PARTS:
            yield _check_negatives(task, part, answers)
    if task.secrecy == "sealed":
        yield _check_secrecy(version, task)


def _link_answers(version: Version, task: Task, part: Part) -> Iterator[tuple[Ints, Truth]]:
    """The keys of a part's items and its answers, by split; nothing where they are sealed."""
    for split in range(task.num_splits):
        truth = find_truth(version, task.name, split, part)
        if truth is not None:
            yield _keys(version, task, version.task_table(task.name, split, part)), truth


def _check_negatives(
    task: Task, part: Part, answers: dict[Part, list[tuple[Ints, Truth]]]
) -> Finding:
    """Whether a pair that counts as no edge is one in either part of any split."""
    subject = f"{task.name}/{part}"
    if not answers[part]:
        return Finding("negatives", subject, "not checked", SEALED)
    public = task.secrecy == "sealed" and part == "valid"  # may not tell of test edges
    parts: tuple[Part, ...] = ("valid",) if public else PARTS
    known = [keys[truth.labels > 0] for other in parts for keys, truth in answers[other]]
    edges = np.unique(np.concatenate(known))
    wrong = sum(
        int(contains(edges, keys[truth.labels == 0]).sum()) for keys, truth in answers[part]
    )
    problems = [f"{wrong:,} negatives are hidden edges"] if wrong else []
    return exact("negatives", subject, problems, "no negative is an edge of any split")


def _check_secrecy(version: Version, task: Task) -> Finding:
    """Whether the public part of one split holds a sealed answer of another."""
    shown, asked = [], []
    for split in range(task.num_splits):
        tables = {name: version.task_table(task.name, split, name) for name in ("train", *PARTS)}
        if task.type == "link":
            truths = {part: find_truth(version, task.name, split, part) for part in PARTS}
            if truths["valid"] is None or truths["test"] is None:
                return Finding("secrecy", task.name, "not checked", SEALED)
            shown.append(_keys(version, task, tables["valid"])[truths["valid"].labels > 0])
            asked.append(_keys(version, task, tables["test"])[truths["test"].scored])
        elif task.type == "edge-regression":
            shown += [_keys(version, task, tables[name]) for name in ("train", "valid")]
            asked.append(_keys(version, task, tables["test"]))
        else:
            shown += [integers(tables["train"], "node"), integers(tables["valid"], "item")]
            asked.append(integers(tables["test"], "item"))
    both = len(np.intersect1d(np.concatenate(shown), np.concatenate(asked)))
    problems = [f"{both:,} sealed answers are public in another split"] if both else []
    return exact("secrecy", task.name, problems, "no split shows what another asks for")


def _check_edge_split(version: Version, task: Task, split: int) -> Iterator[Finding]:
    """Items of a task on weights are edges whose weight is null; the others are learned from."""
    relation = str(task.relation)
    edges = version.edges(relation)
    visible = _keys(version, task, edges)
    given = visible[np.isfinite(column_array(edges[str(task.label)]).astype(np.float64))]
    train = _keys(version, task, version.task_table(task.name, split, "train"))
    stray = int((~contains(given, train)).sum())
    problems = [f"{stray:,} training edges have no public weight"] if stray else []
    yield exact("training edges", task.name, problems, "all have a public weight")
    parts = {p: _keys(version, task, version.task_table(task.name, split, p)) for p in PARTS}
    if task.split.scheme == "grouped":
        yield check_edge_groups(version, task, split, {})
    both = int(np.isin(parts["valid"], parts["test"]).sum())
    problems = [f"{both:,} edges are in both parts"] if both else []
    yield exact("parts", task.name, problems, "validation and test are apart")
    for part, keys in parts.items():
        problems = _list_problems(version.task_table(task.name, split, part), keys)
        if not contains(visible, keys).all():
            problems.append(f"{(~contains(visible, keys)).sum():,} items are no edges")
        if shown := int(contains(given, keys).sum()):
            problems.append(f"the weight of {shown:,} items stands in the edges")
        fine = f"{len(keys):,} edges, their weight hidden"
        yield exact("items", f"{task.name}/{part}", problems, fine)


def _check_items(where: str, table: pa.Table, keys: Ints, visible: Ints) -> Finding:
    problems = _list_problems(table, keys)
    if contains(visible, keys).any():
        problems.append(f"{contains(visible, keys).sum():,} listed pairs are visible edges")
    return exact("items", where, problems, f"{len(keys):,} pairs, none visible")


def _list_problems(table: pa.Table, keys: Ints) -> list[str]:
    problems = []
    if (table["item"].to_numpy() != np.arange(len(keys))).any():
        problems.append("items are not 0, 1, 2, ...")
    if len(np.unique(keys)) != len(keys):
        problems.append("a pair stands twice")
    src, dst = _pairs(table)
    if (src == dst).any():
        problems.append(f"{(src == dst).sum():,} pairs join a node to itself")
    return problems


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
    yield exact("parts", where, problems, "train, validation and test are apart")
    if task.split.scheme == "grouped":
        yield check_node_groups(version, task, parts)
    names = {column.name for column in version.manifest.columns}
    problems = [f"the label column '{task.label}' is public"] if task.label in names else []
    yield exact("label column", where, problems, "not among the node columns")


def _pairs(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return table["src"].to_numpy().astype(np.int64), table["dst"].to_numpy().astype(np.int64)


def _keys(version: Version, task: Task, table: pa.Table) -> NDArray[np.int64]:
    """One integer a pair, equal for both directions where the relation is undirected."""
    src, dst = _pairs(table)
    if not version.manifest.relation(str(task.relation)).directed:
        src, dst = np.minimum(src, dst), np.maximum(src, dst)
    return src * version.manifest.num_nodes + dst
