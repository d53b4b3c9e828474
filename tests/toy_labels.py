"""Small versions for tests whose nodes have several classes, or fall into groups."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from retia.datasets.assemble import write_dataset
from retia.protocol.groups import NodeGroups
from retia.protocol.link_task import TaskTables
from retia.protocol.multilabel_task import make_multilabel_task
from retia.protocol.randomness import Randomness
from retia.shards.version import Version
from tests.toy_text import CLASSES, toy_texts


def toy_tags(num_nodes: int = 90, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n, 3) that follow the communities of the toy, and whether they are known (n,)."""
    community = np.random.default_rng(0).integers(len(CLASSES), size=num_nodes)
    rng = np.random.default_rng(seed)
    labels = np.eye(len(CLASSES), dtype=bool)[community] | (rng.random((num_nodes, 3)) < 0.2)
    return labels, np.arange(num_nodes) % 7 > 0


def tags_task(grouping: NodeGroups | None = None, sealed: bool = False) -> TaskTables:
    labels, labelled = toy_tags()
    return make_multilabel_task(
        labels,
        labelled,
        name="tags",
        label="tags",
        classes=CLASSES,
        description="Tell the tags.",
        randomness=Randomness.from_secret(b"s" * 32) if sealed else Randomness.from_seed(0),
        sealed=sealed,
        grouping=grouping,
    )


def toy_groups(num_nodes: int = 90) -> NodeGroups:
    """Groups of one to nine nodes, and some nodes in none."""
    size = np.random.default_rng(3).integers(1, 10, size=num_nodes)
    names = np.repeat([f"g{i}" for i in range(num_nodes)], size)[:num_nodes].astype(object)
    names[80:] = ""
    return NodeGroups(np.random.default_rng(4).permutation(names), "source", "source")


def toy_tagged(
    out: Path, grouping: NodeGroups | None = None, sealed: bool = False, **changes: object
) -> Version:
    """The toy of texts with a multi-label task; the names of the groups are in its ids."""
    dataset = replace(toy_texts("toy-tags"), tasks=(tags_task(grouping, sealed),))
    if grouping is not None:
        names = pa.array(grouping.names, pa.string())
        dataset = replace(dataset, ids=dataset.ids.append_column("source", names))
    secret = b"s" * 32 if sealed else None
    return write_dataset(replace(dataset, secret=secret, **changes), out).version
