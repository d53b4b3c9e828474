"""Make a dataset of a folder of OGB's, with OGB's own split and negatives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.assemble import (
    Built,
    Dataset,
    EdgeColumns,
    NodeColumn,
    Origin,
    Step,
    check_names,
    degree_column,
    write_dataset,
)
from retia.datasets.ogb.folder import OgbFolder, read_ogb
from retia.protocol.given_task import Negatives, given_link_task, given_node_task
from retia.protocol.link_task import TaskTables
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Column, Role

STEPS = 3
RELATION = "edge"


@dataclass(frozen=True)
class OgbOptions:
    """How to import: `positions` where the node features are coordinates, `negatives` what OGB's
    are, `seed` of the order of the items."""

    name: str | None = None
    version: str = "1.0.0"
    kind: Literal["vessel", "connectome", "text"] = "vessel"
    scheme: str | None = None
    positions: bool = False
    negatives: Negatives = "uniform"
    license: str = "LicenseRef-unstated"
    seed: int = 0


@dataclass(frozen=True)
class _Edges:
    """The edges once: (E, 2) pairs, the place of each in `edge_index`, what was left out."""

    directed: bool
    pairs: NDArray[np.int64]
    place: NDArray[np.int64]
    report: dict[str, int]


def import_ogb(
    folder: Path, options: OgbOptions, out: Path, step: Step = lambda _: None
) -> list[Built]:
    """Import a link or a node dataset; raises `InputError` before anything is written."""
    check_names(*([options.name] if options.name else []), version=options.version)
    step("read the files")
    source = read_ogb(folder, options.scheme, options.license)
    name = options.name or source.name.replace("_", "-").lower()
    check_names(name, version=options.version, license_=options.license)
    step("make the task")
    dataset = _dataset(source, name, options)
    step(f"write {name}")
    return [write_dataset(dataset, out)]


def _dataset(source: OgbFolder, name: str, options: OgbOptions) -> Dataset:
    edges = _edges(source)
    task = _link_task(source, edges, options) if source.labels is None else _node_task(source)
    columns = [*_node_columns(source, options), _degree(edges.directed)]
    return Dataset(
        name=name,
        version=options.version,
        kind=options.kind,
        title=f"{name}, imported from OGB's files",
        description=f"Imported from OGB's files, with their split '{source.scheme}' and their node "
        "order. The items of a link task are OGB's positives and negatives, each pair once.",
        license=options.license,
        citation="Cite the source of the dataset, and Hu et al. 2020, https://arxiv.org/abs/2005.00687.",
        num_nodes=source.num_nodes,
        relations=(_relation(source, edges),),
        columns=tuple(columns),
        ids=pa.table({"node": np.arange(source.num_nodes, dtype=np.int32)}),
        tasks=(task,),
        origin=Origin(
            builder="ogb",
            sources=tuple(file.as_source() for file in source.files),
            parameters={"split": source.scheme, "seed": options.seed, "report": edges.report},
        ),
    )


def _edges(source: OgbFolder) -> _Edges:
    """The edges of `edge_index` without loops and doubles; undirected where it holds both ways."""
    src, dst = source.graph["edge_index"]
    keys = np.unique(src * source.num_nodes + dst)
    back = np.unique(dst * source.num_nodes + src)
    directed = not np.array_equal(keys, back)
    ends = np.stack([src, dst]) if directed else np.sort([src, dst], axis=0)
    _, first = np.unique(ends[0] * source.num_nodes + ends[1], return_index=True)
    kept = first[ends[0, first] != ends[1, first]]
    report = {
        "self_loops_dropped": int((src == dst).sum()),
        "duplicates_dropped": len(src) - len(keys),
    }
    return _Edges(directed, ends.T[kept], kept, report)


def _link_task(source: OgbFolder, edges: _Edges, options: OgbOptions) -> TaskTables:
    hidden = np.concatenate([source.split[part]["edge"] for part in ("valid", "test")])
    graph = LinkGraph(source.num_nodes, edges.directed, edges.pairs, hidden)
    return given_link_task(
        graph,
        source.split["train"]["edge"],
        {
            part: (source.split[part]["edge"], source.split[part]["edge_neg"])
            for part in ("valid", "test")
        },
        name="link",
        relation=RELATION,
        description="Find the hidden edges among OGB's own positives and negatives.",
        negatives=options.negatives,
        scheme=source.scheme,
        randomness=Randomness.from_seed(options.seed),
    )


def _node_task(source: OgbFolder) -> TaskTables:
    assert source.labels is not None
    return given_node_task(
        source.labels,
        [{part: np.sort(values["node"]) for part, values in source.split.items()}],
        name="label",
        classes=tuple(str(number) for number in range(int(source.labels.max()) + 1)),
        description="Tell the class of a node, in OGB's own split.",
        scheme=source.scheme,
    )


def _relation(source: OgbFolder, edges: _Edges) -> EdgeColumns:
    values = source.graph.get("edge_feat")
    if values is None:
        return EdgeColumns(RELATION, edges.directed, edges.pairs)
    values = values.reshape(source.graph["edge_index"].shape[1], -1)[edges.place]
    column = _column("feat", values, "edge features", "feature")
    return EdgeColumns(RELATION, edges.directed, edges.pairs, ((column, values),))


def _node_columns(source: OgbFolder, options: OgbOptions) -> list[NodeColumn]:
    given = source.graph.get("node_feat")
    found = {"pos": source.graph.get("node_pos"), "feat": given}
    if options.positions:
        if given is None or given.shape[1:] not in ((2,), (3,)) or found["pos"] is not None:
            shape = "none" if given is None else str(given.shape)
            raise InputError(
                f"--positions: node features of 2 or 3 columns are needed, not {shape}"
            )
        found = {"pos": given}
    roles: dict[str, Role] = {"pos": "position", "feat": "feature"}
    texts = {"pos": "position", "feat": "node features"}
    columns = []
    for name, values in found.items():
        if values is not None:
            flat = values.reshape(source.num_nodes, -1)
            columns.append(NodeColumn(_column(name, flat, texts[name], roles[name]), flat))
    return columns


def _column(name: str, values: NDArray[np.generic], text: str, role: Role) -> Column:
    shape = (values.shape[1],)
    return Column(name=name, dtype="float32", shape=shape, description=text, role=role)


def _degree(directed: bool) -> NodeColumn:
    ends = "both" if not directed else "in"
    return degree_column(
        f"degree_{ends}", "number of visible edges", relation=RELATION, direction=ends
    )
