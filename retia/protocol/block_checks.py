"""Checks of the audit on block splits: that they are what they claim to be."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from retia.protocol.blocks import clear_of, cubes
from retia.protocol.findings import Finding, exact
from retia.protocol.heuristics import node_positions
from retia.protocol.predictions import PARTS
from retia.shards.arrays import pairs
from retia.shards.manifest import Task
from retia.shards.version import Version

ROUNDING = 1e-4  # of float32 positions
MISPLACED = 1e-3  # of the training edges: rounding moves a node over a face of its cube

Ints = NDArray[np.int64]


def check_blocks(version: Version, task: Task, split: int) -> Iterator[Finding]:
    """Of a block split: training keeps out of the cubes of listed pairs, and away from them.

    And every visible edge is training, context or buffer.
    """
    if task.split.scheme != "block":
        return
    positions = node_positions(version)
    if positions is None:
        yield Finding("blocks", task.name, "not checked", "there are no positions")
        return
    claimed = task.split.parameters
    if missing := {"block_side", "buffer", "context_edges", "train_edges", "buffer_edges"} - set(
        claimed
    ):
        detail = f"the split does not say its {', '.join(sorted(missing))}"
        yield Finding("blocks", task.name, "failed", detail)
        return
    train = _edges(version, f"tasks/{task.name}/{split}/train")
    listed = [_edges(version, f"tasks/{task.name}/{split}/{part}") for part in PARTS]
    nodes = np.unique(np.concatenate(listed))
    side, width = float(str(claimed["block_side"])), float(str(claimed["buffer"]))
    cube = cubes(positions, side)
    inside = int(np.isin(cube[train], cube[nodes]).any(axis=1).sum())
    problems = []
    if inside > MISPLACED * len(train):
        problems.append(f"{inside:,} training edges are in a cube of listed pairs")
    visible = version.manifest.relation(str(task.relation)).num_edges
    if problem := _miscounted(claimed, split, len(train), visible):
        problems.append(problem)
    yield exact("blocks", task.name, problems, f"training keeps out of cubes of side {side:g}")
    near = int((~clear_of(train, positions, nodes, width * (1 - ROUNDING))).sum())
    problems = [f"{near:,} training edges are within {width:g} of an item"] if near else []
    yield exact("buffer", task.name, problems, f"no training edge within {width:g} of an item")


def _miscounted(claimed: Mapping[str, object], split: int, train: int, visible: int) -> str:
    """What is wrong about the numbers of edges that the split claims; empty where nothing is."""
    try:
        by_split = [np.asarray(claimed[f"{kind}_edges"]) for kind in ("train", "buffer")]
        counts = [int(values[split]) for values in by_split]
        context = int(str(claimed["context_edges"]))
    except (IndexError, ValueError, TypeError):
        return "the split does not count its edges"
    if counts[0] != train:
        return f"{train:,} training edges, the split says {counts[0]:,}"
    if sum(counts) + context != visible:
        return f"{sum(counts) + context:,} edges are accounted for, {visible:,} are visible"
    return ""


def _edges(version: Version, table: str) -> Ints:
    return np.ascontiguousarray(pairs(version.table(table, ["src", "dst"])).T)
