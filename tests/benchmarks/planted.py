"""Problems whose answer is planted, written through the real protocol and writer.

Each is a function of a folder and a seed, and gives a version with one task of one split, drawn
afresh for each seed.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from retia.protocol.given_task import given_link_task, given_node_task
from retia.protocol.link_task import TaskTables, pair_table
from retia.protocol.pairs import LinkGraph, Pairs
from retia.protocol.randomness import Randomness
from retia.shards.canonical import sha256_bytes
from retia.shards.manifest import Column, Provenance, Relation, Role
from retia.shards.version import Version
from retia.shards.writer import write_version

HIDDEN = 0.2
LABELLED, VALID = 0.3, 0.2


def simple(edges: np.ndarray) -> Pairs:
    """Edges (E, 2) as an undirected simple graph: src < dst, no loops, no doubles, sorted."""
    ordered = np.sort(edges, axis=1)
    return np.unique(ordered[ordered[:, 0] != ordered[:, 1]], axis=0)


def joined(probability: np.ndarray, rng: np.random.Generator) -> Pairs:
    """The undirected edges of a random graph with these probabilities (n, n)."""
    return np.argwhere(np.triu(rng.random(probability.shape) < probability, 1))


def non_edges(graph: LinkGraph, count: int, rng: np.random.Generator) -> Pairs:
    """Pairs (count, 2) drawn uniformly among those that no edge joins, each once."""
    pairs = graph.canonical(rng.integers(graph.num_nodes, size=(8 * count, 2)))
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & ~graph.is_edge(pairs)]
    _, first = np.unique(graph.keys(pairs), return_index=True)
    return pairs[np.sort(first)[:count]]


def link_problem(
    out: Path,
    seed: int,
    edges: Pairs,
    num_nodes: int,
    *,
    x: np.ndarray | None = None,
    positions: np.ndarray | None = None,
    negatives: Pairs | None = None,
) -> Version:
    """Find a fifth of the undirected edges (E, 2) among as many non-edges.

    Non-edges are uniform, or drawn from `negatives` (N, 2).
    """
    rng = np.random.default_rng([seed, 1])
    edges = rng.permutation(edges)
    parts = np.split(edges[: int(HIDDEN * len(edges))], 2 * [int(HIDDEN * len(edges) / 2)])
    hidden = {"valid": parts[0], "test": parts[2]}
    visible = edges[int(HIDDEN * len(edges)) :]
    visible = visible[np.lexsort((visible[:, 1], visible[:, 0]))]
    graph = LinkGraph(num_nodes, False, visible, np.concatenate(list(hidden.values())), positions)
    count = len(graph.hidden)
    other = non_edges(graph, count, rng) if negatives is None else rng.permutation(negatives)
    halves = dict(zip(hidden, np.array_split(other[:count], 2), strict=True))
    tables = given_link_task(
        graph,
        visible,
        {part: (hidden[part], halves[part]) for part in hidden},
        name="find",
        relation="edge",
        description="Find the hidden edges.",
        negatives="uniform",
        scheme="planted",
        randomness=Randomness.from_seed(seed),
    )
    return _write(out, seed, num_nodes, {"edge": visible}, tables, x, positions)


def node_problem(
    out: Path,
    seed: int,
    edges: Pairs | dict[str, Pairs],
    labels: np.ndarray,
    x: np.ndarray | None = None,
    *,
    labelled: float = LABELLED,
) -> Version:
    """Tell the labels (n,) of nodes; a share is `labelled`, and a fifth is for validation.

    Edges (E, 2), or those of several relations, are undirected.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(labels))
    ends = np.cumsum([int(labelled * len(labels)), int(VALID * len(labels))])
    parts = dict(zip(("train", "valid", "test"), np.split(order, ends), strict=True))
    tables = given_node_task(
        labels,
        parts,
        name="tell",
        classes=tuple(f"class{c}" for c in range(labels.max() + 1)),
        description="Tell the class.",
        scheme="planted",
    )
    relations = edges if isinstance(edges, dict) else {"edge": edges}
    return _write(out, seed, len(labels), relations, tables, x, None)


def _write(
    out: Path,
    seed: int,
    num_nodes: int,
    relations: dict[str, Pairs],
    tables: TaskTables,
    x: np.ndarray | None,
    positions: np.ndarray | None,
) -> Version:
    columns, arrays = [], []
    for name, role, values in (("x", "feature", x), ("pos", "position", positions)):
        if values is not None:
            columns.append(_column(name, role, values.shape[1]))
            flat = pa.array(values.astype(np.float32).ravel())
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, values.shape[1]))
    names = [column.name for column in columns]
    numbers = pa.table({"node": np.arange(num_nodes, dtype=np.int32)})
    digest = sha256_bytes(b"planted")
    with write_version(out, "planted", f"1.0.{seed}", None) as writer:
        writer.add("nodes", pa.table(arrays, names=names) if names else numbers)
        for name, edges in relations.items():
            writer.add(f"edges/{name}", pair_table(edges))
        writer.add("ids", numbers)
        for table, content in tables.public.items():
            writer.add(table, content)
        writer.finish(
            kind="connectome",
            title="Planted",
            description="A graph made for tests.",
            license="CC0-1.0",
            citation="none",
            directed=False,
            num_nodes=num_nodes,
            relations=tuple(
                Relation(name=name, directed=False, num_edges=len(edges), columns=())
                for name, edges in relations.items()
            ),
            columns=tuple(columns),
            tasks=(tables.task,),
            provenance=Provenance(
                builder="planted",
                retia_version="0.1.0",
                sources=(),
                lineage=digest,
                synthetic=True,
            ),
        )
    return Version.open(out / "planted" / f"1.0.{seed}")


def _column(name: str, role: Role, width: int) -> Column:
    return Column(name=name, dtype="float32", shape=(width,), description=name, role=role)


def communities(out: Path, seed: int) -> Version:
    """Edges are denser in four communities that nothing else tells; degrees are alike."""
    rng = np.random.default_rng(seed)
    community = rng.integers(4, size=400)
    return link_problem(out, seed, joined(_blocks(community, 0.1, 0.005), rng), 400)


def noisy_communities(out: Path, seed: int) -> Version:
    """Four communities, and a reading of each node's that is weak; neighbours share theirs."""
    rng = np.random.default_rng(seed)
    community = rng.integers(4, size=400)
    x = 0.5 * np.eye(4)[community] + rng.normal(size=(400, 4))
    return node_problem(out, seed, joined(_blocks(community, 0.06, 0.006), rng), community, x)


def _blocks(community: np.ndarray, inside: float, between: float) -> np.ndarray:
    """The probabilities (n, n) of edges of a stochastic block model."""
    return np.where(community[:, None] == community[None, :], inside, between)
