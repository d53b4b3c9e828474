"""Generate a vessel network, in the form of Voreen's raw tables, with the truth beside it.

Trees of arteries and veins grow through scattered points from the surface of a cube; their ends
join to loops; radii follow Murray's law; vessels are straightened through their junctions. Every
stage is a file of `retia.datasets.vessel.generator`.
"""

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.datasets.generated import GENERATOR_FILE, write_note
from retia.datasets.vessel.generator import anastomoses, growth, points, radii, shape, tables
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

EDGES_PER_NODE = 1.51
NODES_PER_INLET = 20_000
MIN_NODES = 50
TRUTH_FILE = "truth.csv"
DECIMALS = 3
DIRT = tables.Dirt()

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GeneratedVessels:
    """Voreen's raw tables of nodes and edges; `truth` with `element`, `id` and `kind`.

    `parameters` says how the network was made, all but the randomness.
    """

    nodes: pa.Table
    edges: pa.Table
    truth: pa.Table
    parameters: dict[str, Any]


@dataclass(frozen=True)
class _Network:
    """A clean network: (n, 3) positions, its segments, (n,) the kind of each node."""

    position: Floats
    segments: tables.Segments
    kind: NDArray[np.int8]


def generate_vessels(num_nodes: int, randomness: Randomness) -> GeneratedVessels:
    """A network of exactly `num_nodes` nodes, isolated ones included; lengths in micrometres.

    Without self-loops and parallel vessels the mean degree is 3.02 (above some hundred nodes).
    Raises `InputError` for fewer than 50 nodes.
    """
    if num_nodes < MIN_NODES:
        raise InputError(f"{num_nodes} nodes make no vessel network; ask for {MIN_NODES} or more")
    position = points.scatter(num_nodes, randomness.stream("points"))
    isolated = round(DIRT.isolated * num_nodes)
    grown = np.sort(randomness.stream("isolated").permutation(num_nodes)[isolated:])
    network = _grow(position[grown], round(EDGES_PER_NODE * num_nodes), randomness)
    position[grown] = network.position
    position = np.round(position, DECIMALS)
    kind = np.full(num_nodes, radii.CAPILLARY, dtype=np.int8)
    kind[grown] = network.kind
    clean = network.segments
    placed = tables.Segments(grown[clean.ends], clean.curveness, clean.radius_um, clean.kind)
    dirty = tables.soil(placed, num_nodes, DIRT, randomness.stream("dirt"))
    return GeneratedVessels(
        nodes=tables.node_table(position, dirty.ends),
        edges=tables.edge_table(position, dirty, DIRT, randomness.stream("measures")),
        truth=tables.truth_table(kind, dirty.kind),
        parameters=_parameters(),
    )


def as_csv(table: pa.Table) -> bytes:
    """A table as Voreen writes it: `;`, a header without quotes."""
    buffer = io.BytesIO()
    buffer.write((";".join(table.column_names) + "\n").encode())
    options = csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
    csv.write_csv(_plain(table), buffer, options)
    return buffer.getvalue()


def write_synthetic(num_nodes: int, seed: int, out: Path) -> list[Path]:
    """Write a network's `nodes.csv` and `edges.csv`, `truth.csv`, and `generator.json` beside them.

    The last says how the network was made, so that a sealed build can refuse its tables.
    """
    made = generate_vessels(num_nodes, Randomness.from_seed(seed))
    note = {
        "generator": "retia synth vessel",
        "nodes": num_nodes,
        "seed": seed,
        "unit": "um",
        "parameters": made.parameters,
        "note": "A generated network, not an image of tissue. Anyone can make it again.",
    }
    write_note(out, note)
    contents = {"nodes.csv": made.nodes, "edges.csv": made.edges, TRUTH_FILE: made.truth}
    for name, table in contents.items():
        part = out / f".{name}.part"
        write_csv(table, part)
        part.replace(out / name)
    return [out / name for name in (*contents, GENERATOR_FILE)]


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as `as_csv` gives it, without holding it in memory as text."""
    options = csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")
    with path.open("wb") as file:
        file.write((";".join(table.column_names) + "\n").encode())
        csv.write_csv(_plain(table), file, options)


def _grow(position: Floats, wanted: int, randomness: Randomness) -> _Network:
    """Trees, anastomoses, radii, shape; `wanted` vessels where so many fit."""
    near = points.neighbours(position)
    inlets = 2 * max(1, round(len(position) / NODES_PER_INLET / 2))
    roots = points.surface_nodes(position, inlets, randomness.stream("inlets"))
    trees = growth.grow(position, near, roots)
    tree = trees.edges()
    joins = anastomoses.join(position, near, tree, wanted)
    calibre = radii.calibrate(position, trees, tree, joins, randomness.stream("radii"))
    edges = np.concatenate([tree, joins])
    pair = shape.through_pairs(position, edges, trees, calibre)
    position = np.round(shape.straighten(position, pair), DECIMALS)
    curveness = shape.curvenesses(position, edges, pair, randomness.stream("curveness"))
    segments = tables.Segments(edges, curveness, calibre.radius_um, calibre.edge_kind)
    return _Network(position, segments, calibre.node_kind)


def _parameters() -> dict[str, Any]:
    return {
        "spacing_um": points.SPACING_UM,
        "edges_per_node": EDGES_PER_NODE,
        "nodes_per_inlet": NODES_PER_INLET,
        "capillary_radius_um": radii.CAPILLARY_UM,
        "capillary_limit_um": radii.CAPILLARY_LIMIT_UM,
        "side_branch_cosine": growth.SIDE_COSINE,
        "straightening_steps": shape.STEPS,
        "dirt": asdict(DIRT),
    }


def _plain(table: pa.Table) -> pa.Table:
    """The table without dictionaries, which CSV cannot write."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
