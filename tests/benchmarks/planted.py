"""Problems whose answer is planted, written through the real protocol and writer.

Each is a function of a folder and a seed, and gives a version with one task of one split, drawn
afresh for each seed.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.spatial import cKDTree

from retia.datasets.vessel.build import build_vessel
from retia.datasets.vessel.inputs import Generator
from retia.datasets.vessel.options import VesselOptions
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
    context: Pairs | None = None,
    others: Pairs | None = None,
) -> Version:
    """Find a fifth of the undirected edges (E, 2) among as many non-edges.

    Edges of the `context` (C, 2) are visible and not asked for. Non-edges are uniform, or drawn
    from those among `others` (N, 2).
    """
    rng = np.random.default_rng([seed, 1])
    edges = rng.permutation(edges)
    parts = np.split(edges[: int(HIDDEN * len(edges))], 2 * [int(HIDDEN * len(edges) / 2)])
    hidden = {"valid": parts[0], "test": parts[2]}
    train = edges[int(HIDDEN * len(edges)) :]
    visible = simple(train if context is None else np.concatenate([train, context]))
    graph = LinkGraph(num_nodes, False, visible, np.concatenate(list(hidden.values())), positions)
    count = len(graph.hidden)
    negatives = non_edges(graph, count, rng)
    if others is not None:
        negatives = rng.permutation(others[~graph.is_edge(others)])[:count]
    halves = dict(zip(hidden, np.array_split(negatives, 2), strict=True))
    tables = given_link_task(
        graph,
        train,
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
    valid: float = VALID,
    part: np.ndarray | None = None,
) -> Version:
    """Tell the labels (n,) of nodes, of which shares are `labelled` and for validation.

    Edges (E, 2), or those of several relations, are undirected. `part` (n,) says of each node
    whether it is to learn from, 0, to validate on, 1, or to be told, 2.
    """
    if part is None:
        order = np.random.default_rng([seed, 1]).permutation(len(labels))
        part = np.digitize(order / len(labels), [labelled, labelled + valid])
    parts = {name: np.flatnonzero(part == i) for i, name in enumerate(("train", "valid", "test"))}
    tables = given_node_task(
        labels,
        [parts],
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
    """Edges are denser in four communities that nothing else tells."""
    rng = np.random.default_rng(seed)
    return link_problem(out, seed, blocks(rng.integers(4, size=400), 0.1, 0.005, rng), 400)


def sparse_communities(out: Path, seed: int) -> Version:
    """Ten communities so sparse that the ends of an edge seldom share a neighbour."""
    rng = np.random.default_rng(seed)
    return link_problem(out, seed, blocks(rng.integers(10, size=1000), 0.05, 0.0005, rng), 1000)


def hubs(out: Path, seed: int) -> Version:
    """Communities, and hubs that half of all nodes are joined to, which says nothing of a pair."""
    rng = np.random.default_rng(seed)
    edges = blocks(rng.integers(10, size=500), 0.2, 0.002, rng)
    joined = np.argwhere(rng.random((500, 20)) < 0.5) + np.array([0, 500])
    return link_problem(out, seed, edges, 520, context=joined)


def interfaces(out: Path, seed: int) -> Version:
    """Proteins of ten kinds; one binds those of the kind that fits its own, not those like it."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(10, size=500)
    fits = kind[:, None] == (kind ^ 1)[None, :]
    return link_problem(out, seed, draw(np.where(fits, 0.15, 0.005), rng), 500)


def triangles(out: Path, seed: int) -> Version:
    """A ring whose nodes are joined to the next three, but for a fifth of the edges."""
    rng = np.random.default_rng(seed)
    node = np.arange(400)
    edges = np.concatenate([np.column_stack([node, (node + step) % 400]) for step in (1, 2, 3)])
    away = rng.random(len(edges)) < 0.2
    edges[away, 1] = rng.integers(400, size=away.sum())
    return link_problem(out, seed, simple(edges), 400)


def even_cycles(out: Path, seed: int) -> Version:
    """A torus of squares: all cycles are even, so that no edge closes a triangle."""
    node = np.arange(400)
    right, down = node // 20 * 20 + (node + 1) % 20, (node + 20) % 400
    edges = np.column_stack([np.tile(node, 2), np.concatenate([right, down])])
    return link_problem(out, seed, simple(edges), 400)


def densities(out: Path, seed: int) -> Version:
    """Clouds of points, dense or loose; a node is joined to its four nearest, not to the next."""
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-1, 1, size=20)
    centre, cloud = rng.normal(size=(20, 3)) * 100, np.repeat(np.arange(20), 25)
    positions = centre[cloud] + rng.normal(size=(500, 3)) * spread[cloud, None]
    near = cKDTree(positions).query(positions, k=13)[1]
    pairs = np.stack([np.broadcast_to(near[:, :1], near[:, 1:].shape), near[:, 1:]], axis=2)
    nearest, next_nearest = (simple(part.reshape(-1, 2)) for part in (pairs[:, :4], pairs[:, 4:]))
    return link_problem(out, seed, nearest, 500, positions=positions, others=next_nearest)


def neighbourhoods(out: Path, seed: int) -> Version:
    """Edges join nodes that are near in space, whatever their degrees."""
    rng = np.random.default_rng(seed)
    positions = rng.random((400, 3))
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    edges = draw(0.5 * np.exp(-apart / 0.1), rng)
    return link_problem(out, seed, edges, 400, positions=positions)


def near_and_alike(out: Path, seed: int) -> Version:
    """Edges join near nodes, of one community, of many edges; half the non-edges are as near."""
    rng = np.random.default_rng(seed)
    positions, kind = rng.random((500, 3)), rng.integers(4, size=500)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    eager = rng.lognormal(sigma=0.6, size=500)
    odds = np.exp(-distance / 0.2) * np.where(kind[:, None] == kind[None, :], 1, 0.1)
    probability = np.minimum(0.5 * odds * eager[:, None] * eager[None, :], 1)
    near = cKDTree(positions).query(positions, k=17)[1]
    close = np.column_stack([np.repeat(near[:, 0], 16), near[:, 1:].ravel()])
    others = np.concatenate([rng.permutation(close)[:4000], rng.integers(500, size=(4000, 2))])
    edges = draw(probability, rng)
    return link_problem(out, seed, edges, 500, positions=positions, others=simple(others))


def vessels(out: Path, seed: int) -> Version:
    """A generated network of vessels; non-edges of the same lengths and degrees, or in a box."""
    options = VesselOptions(name=f"net-{seed}", seed=seed, only="link")
    (built,) = build_vessel(Generator(5000), options, out)
    return built.version


def noisy_communities(out: Path, seed: int) -> Version:
    """Four communities, and a reading of each node's that is weak; neighbours share theirs."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(4, size=400)
    x = 0.7 * np.eye(4)[kind] + rng.normal(size=(400, 4))
    return node_problem(out, seed, blocks(kind, 0.06, 0.006, rng), kind, x)


def two_relations(out: Path, seed: int) -> Version:
    """Two classes and a weak reading; one relation joins like nodes, the other unlike ones."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=400)
    x = (kind - 0.5)[:, None] + rng.normal(size=(400, 1))
    relations = {
        "like": blocks(kind, 0.03, 0, rng),
        "unlike": blocks(kind, 0, 0.03, rng),
    }
    return node_problem(out, seed, relations, kind, x)


def unlike_across_kinds(out: Path, seed: int) -> Version:
    """Edges join like classes within a kind of node and, seven in ten, unlike ones across kinds."""
    rng = np.random.default_rng(seed)
    block = rng.permutation(np.arange(400) % 4)
    label, kind = block % 2, block // 2
    like, alike = label[:, None] == label, kind[:, None] == kind
    rate = np.where(like & alike, 0.024, np.where(~like & ~alike, 0.056, 0.0))
    x = np.column_stack([(label - 0.5)[:, None] + 2 * rng.normal(size=(400, 4)), 2 * kind - 1])
    return node_problem(out, seed, draw(rate, rng), label, x, labelled=0.5)


def noisy_sites(out: Path, seed: int) -> Version:
    """Sites of one class; a node has its place and a noisy reading, and its edges are random."""
    rng = np.random.default_rng(seed)
    centre, label = rng.random((40, 8)) * 10, rng.permutation(40) % 2
    site = rng.integers(40, size=600)
    place = centre[site] + rng.normal(size=(600, 8)) * 0.15
    reading = 0.7 * (2 * label[site] - 1) + rng.normal(size=600)
    edges, x = simple(rng.integers(600, size=(1200, 2))), np.column_stack([place, reading])
    return node_problem(out, seed, edges, label[site], x, labelled=0.1, valid=0.1)


def clouds(out: Path, seed: int) -> Version:
    """Clouds of points, tight or loose, with random edges; of a cloud all nodes are asked for."""
    rng = np.random.default_rng(seed)
    loose, cloud = rng.permutation(40) % 2, rng.integers(40, size=600)
    spread = np.where(loose, 0.9, 0.3)[cloud, None]
    x = rng.normal(size=(40, 3))[cloud] * 6 + rng.normal(size=(600, 3)) * spread
    edges, part = simple(rng.integers(600, size=(1200, 2))), np.digitize(cloud, [16, 24])
    return node_problem(out, seed, edges, loose[cloud], x, part=part)


def few_who_know(out: Path, seed: int) -> Version:
    """A node's class is what its marked neighbours say; the others are louder, and random."""
    rng = np.random.default_rng(seed)
    edges = draw(np.full((600, 600), 10 / 600), rng)
    marked, value = rng.random(600) < 0.4, rng.normal(size=600)
    said = around(edges, marked * value)
    x = np.column_stack([marked, np.where(marked, value, 3 * value)])
    return node_problem(out, seed, edges, (said > 0).astype(np.int64), x, labelled=0.5)


def counts(out: Path, seed: int) -> Version:
    """A node's class is whether it has many marked neighbours; their share is always a half."""
    rng = np.random.default_rng(seed)
    eager = np.where(rng.random(600) < 0.5, 1.0, 2.0)
    edges = draw(eager[:, None] * eager[None, :] * 6 / 600, rng)
    marked = rng.random(600) < 0.5
    many = around(edges, marked.astype(np.float64))
    x = marked[:, None].astype(np.float64)
    return node_problem(out, seed, edges, (many > np.median(many)).astype(np.int64), x)


def sponsors(out: Path, seed: int) -> Version:
    """Three of forty sponsors stand by each node, mostly of its class; none says which it is."""
    rng = np.random.default_rng(seed)
    kind, of = rng.integers(4, size=600), np.arange(40) % 4
    own = np.where(kind[:, None] == of[None, :], 0.25, 0.02)
    edges = np.argwhere(rng.random((600, 40)) < own) + np.array([0, 600])
    return node_problem(out, seed, edges, np.concatenate([kind, of]), rng.normal(size=(640, 2)))


def draw(probability: np.ndarray, rng: np.random.Generator) -> Pairs:
    """The undirected edges of a random graph with these probabilities (n, n)."""
    return np.argwhere(np.triu(rng.random(probability.shape) < probability, 1))


def blocks(kind: np.ndarray, inside: float, between: float, rng: np.random.Generator) -> Pairs:
    """The undirected edges of a stochastic block model."""
    return draw(np.where(kind[:, None] == kind[None, :], inside, between), rng)


def around(edges: Pairs, value: np.ndarray) -> np.ndarray:
    """The sum of values (n,) over each node's neighbours."""
    source, target = np.concatenate([edges, edges[:, ::-1]]).T
    return np.bincount(target, weights=value[source], minlength=len(value))
