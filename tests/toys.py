"""Small versions for tests, written through the real protocol and writer."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.spatial import cKDTree

from retia.protocol.blocks import draw_blocks, hide_in_blocks
from retia.protocol.link_task import LinkGraph, TaskTables, hide_edges, make_link_task, pair_table
from retia.protocol.node_task import make_node_task
from retia.protocol.randomness import Randomness
from retia.protocol.recipes import Visible, compute
from retia.shards.canonical import sha256_bytes
from retia.shards.manifest import Column, Provenance, Recipe, Relation, Source
from retia.shards.version import Version
from retia.shards.writer import new_secret, write_version

CLASSES = ("red", "green", "blue")


def toy_link(
    out: Path,
    *,
    sealed: bool = False,
    num_nodes: int = 80,
    spatial: bool = False,
    blocks: bool = False,
    name: str = "toy-link",
    version: str = "1.0.0",
    seed: int = 0,
    source: str = "toy",
    secret: bytes | None = None,
) -> Version:
    """A directed community graph with a link task, or an undirected spatial one."""
    secret = (secret or new_secret()) if sealed else None
    randomness = Randomness.from_secret(secret) if secret else Randomness.from_seed(seed)
    rng = np.random.default_rng(seed)
    block = rng.integers(len(CLASSES), size=num_nodes)
    positions = rng.random((num_nodes, 3)) * 100 if spatial else None
    edges = _spatial(positions) if positions is not None else _communities(block, rng)
    held = draw_blocks(positions, randomness.stream("blocks")) if blocks else None
    stream = randomness.stream("hide")
    hidden = hide_in_blocks(edges, held, stream) if held else hide_edges(len(edges), 0.2, stream)
    graph = LinkGraph(num_nodes, not spatial, edges[~hidden], edges[hidden], positions, held)
    tables = make_link_task(
        graph,
        name="link",
        relation="edge",
        description="Find the hidden edges.",
        randomness=randomness,
        sealed=sealed,
    )
    return _write(out, name, version, graph.visible, positions, not spatial, tables, source, secret)


def toy_node(
    out: Path,
    *,
    sealed: bool = False,
    num_nodes: int = 80,
    name: str = "toy-node",
    version: str = "1.0.0",
    seed: int = 0,
    source: str = "toy",
) -> Version:
    """An undirected community graph whose communities are to be told; three are unlabelled."""
    secret = new_secret() if sealed else None
    randomness = Randomness.from_secret(secret) if secret else Randomness.from_seed(seed)
    rng = np.random.default_rng(seed)
    block = rng.integers(len(CLASSES), size=num_nodes)
    edges = np.unique(np.sort(_communities(block, rng), axis=1), axis=0)
    labels = np.where(np.arange(num_nodes) < 3, -1, block)
    tables = make_node_task(
        labels,
        name="colour",
        label="colour",
        classes=CLASSES,
        description="Tell the community.",
        randomness=randomness,
        sealed=sealed,
    )
    return _write(out, name, version, edges, None, False, tables, source, secret)


def _communities(block: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    same = block[:, None] == block[None, :]
    adjacency = rng.random(same.shape) < np.where(same, 0.3, 0.02)
    np.fill_diagonal(adjacency, False)
    return np.argwhere(adjacency)


def _spatial(positions: np.ndarray) -> np.ndarray:
    nearest = cKDTree(positions).query(positions, k=3)[1][:, 1:]
    pairs = np.column_stack([np.repeat(np.arange(len(positions)), 2), nearest.ravel()])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _write(
    out: Path,
    name: str,
    version: str,
    visible: np.ndarray,
    positions: np.ndarray | None,
    directed: bool,
    tables: TaskTables,
    source: str,
    secret: bytes | None,
) -> Version:
    num_nodes = max(80, int(visible.max()) + 1) if positions is None else len(positions)
    visible = visible[np.lexsort((visible[:, 1], visible[:, 0]))]
    weight = ((visible.sum(axis=1) % 5) + 1).astype(np.float32)
    edges = pair_table(visible).append_column("weight", pa.array(weight))
    recipes = [
        Recipe(
            function="degree",
            parameters={"relation": "edge", "direction": direction, "log1p": True},
        )
        for direction in (("in", "out") if directed else ("both",))
    ]
    columns = [
        Column(
            name=f"degree_{recipe.parameters['direction']}",
            dtype="float32",
            description="log of 1 + visible degree",
            role="feature",
            recipe=recipe,
        )
        for recipe in recipes
    ]
    seen = Visible(num_nodes, {"edge": edges}, {})
    arrays = [pa.array(compute(recipe, seen)) for recipe in recipes]
    if positions is not None:
        columns.append(
            Column(
                name="pos",
                dtype="float32",
                shape=(3,),
                unit="um",
                description="position",
                role="position",
            )
        )
        flat = pa.array(positions.astype(np.float32).ravel())
        arrays.append(pa.FixedSizeListArray.from_arrays(flat, 3))
    nodes = pa.table(arrays, names=[column.name for column in columns])
    with write_version(out, name, version, secret) as writer:
        writer.add("nodes", nodes)
        writer.add("edges/edge", edges)
        ids = pa.table(
            {
                "node": np.arange(num_nodes, dtype=np.int32),
                "name": [f"n{i}" for i in range(num_nodes)],
            }
        )
        (writer.seal if secret else writer.add)("ids", ids)
        for table, content in tables.public.items():
            writer.add(table, content)
        for table, content in tables.sealed.items():
            writer.seal(table, content)
        digest = sha256_bytes(source.encode())
        writer.finish(
            kind="connectome",
            title=f"Toy {tables.task.type} graph",
            description="A graph made for tests.",
            license="CC0-1.0",
            citation="none",
            directed=directed,
            num_nodes=num_nodes,
            relations=(
                Relation(
                    name="edge",
                    directed=directed,
                    num_edges=len(visible),
                    columns=(
                        Column(name="weight", dtype="float32", description="weight", role="weight"),
                    ),
                ),
            ),
            columns=tuple(columns),
            tasks=(tables.task,),
            provenance=Provenance(
                builder="toys",
                retia_version="0.1.0",
                sources=(
                    Source(
                        uri=f"toy:{source}",
                        sha256=digest,
                        bytes=len(source),
                        license="CC0-1.0",
                        retrieved=datetime.now(UTC),
                    ),
                ),
                lineage=sha256_bytes(f"{digest}\n".encode()),
                synthetic=True,
            ),
        )
    return Version.open(out / name / version)
