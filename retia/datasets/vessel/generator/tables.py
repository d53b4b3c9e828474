"""Write a grown network as Voreen does: two raw tables, with the dirt of real files; and the truth.

Columns: `vesselgraphglobalstats.cpp` of Voreen (https://www.uni-muenster.de/Voreen).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.vessel.generator.points import SPACING_UM, Floats
from retia.datasets.vessel.generator.radii import CAPILLARY, CAPILLARY_UM, KINDS

BORDER_UM = SPACING_UM / 4
VOXEL_UM = 3.0
INVALID = -1.0
RADIUS_NOISE = 0.03
STD_SHARE = 0.1
RADIUS_COLUMNS = tuple(
    f"{kind}{statistic}"
    for kind in ("minRadius", "avgRadius", "maxRadius", "roundness")
    for statistic in ("Avg", "Std")
)

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Dirt:
    """What real files hold and no vessel network does, as shares of the vessels or the nodes.

    Parallel vessels as in the demo file of VesselVio (16 of 3,249), invalid radii as its one -1;
    self-loops and isolated nodes are a guess, since no raw file is public.
    """

    parallel: float = 0.005
    self_loops: float = 0.002
    invalid: float = 0.0005
    isolated: float = 0.001


@dataclass(frozen=True)
class Segments:
    """E vessels: `ends` (E, 2), `curveness` (E,), `radius_um` (E,), `kind` (E,) in `KINDS`."""

    ends: Ids
    curveness: Floats
    radius_um: Floats
    kind: NDArray[np.int8]

    def take(self, rows: Ids) -> "Segments":
        """These rows."""
        return Segments(
            self.ends[rows], self.curveness[rows], self.radius_um[rows], self.kind[rows]
        )

    def join(self, other: "Segments") -> "Segments":
        """These, then the others."""
        return Segments(
            np.concatenate([self.ends, other.ends]),
            np.concatenate([self.curveness, other.curveness]),
            np.concatenate([self.radius_um, other.radius_um]),
            np.concatenate([self.kind, other.kind]),
        )


def soil(segments: Segments, num_nodes: int, dirt: Dirt, rng: np.random.Generator) -> Segments:
    """The segments with parallel ones and self-loops, in random direction, in order of the ends."""
    count = len(segments.ends)
    again = segments.take(np.sort(rng.permutation(count)[: round(dirt.parallel * count)]))
    loops = round(dirt.self_loops * count)
    place = np.sort(rng.integers(num_nodes, size=loops))
    around = Segments(
        np.column_stack([place, place]),
        np.full(loops, np.inf),
        CAPILLARY_UM * np.exp(rng.normal(0, 0.1, loops)),
        np.full(loops, CAPILLARY, dtype=np.int8),
    )
    bulged = Segments(again.ends, again.curveness * 1.1, again.radius_um * 0.7, again.kind)
    dirty = segments.join(bulged).join(around)
    turned = rng.random(len(dirty.ends)) < 0.5
    ends = np.where(turned[:, None], dirty.ends[:, ::-1], dirty.ends)
    dirty = Segments(ends, dirty.curveness, dirty.radius_um, dirty.kind)
    return dirty.take(np.lexsort((ends[:, 1], ends[:, 0])))


def border(position: Floats) -> NDArray[np.bool_]:
    """(n,) whether a node lies in the outermost quarter of a spacing."""
    low, high = position.min(axis=0) + BORDER_UM, position.max(axis=0) - BORDER_UM
    return np.asarray(((position < low) | (position > high)).any(axis=1))


def node_table(position: Floats, ends: Ids) -> pa.Table:
    """Voreen's node table; `degree` counts a self-loop twice and parallel vessels each."""
    return pa.table(
        {"id": np.arange(len(position))}
        | {f"pos_{axis}": position[:, i] for i, axis in enumerate("xyz")}
        | {
            "degree": np.bincount(ends.ravel(), minlength=len(position)),
            "isAtSampleBorder": border(position).astype(np.int8),
        }
    )


def edge_table(
    position: Floats, segments: Segments, dirt: Dirt, rng: np.random.Generator
) -> pa.Table:
    """Voreen's edge table in micrometres; some vessels have -1 for what could not be measured."""
    ends = segments.ends
    degree = np.bincount(ends.ravel(), minlength=len(position))[ends]
    floats, voxels = _measures(position, segments, rng)
    _invalidate(floats, voxels, dirt.invalid, rng)
    return pa.table(
        {"id": np.arange(len(ends)), "node1id": ends[:, 0], "node2id": ends[:, 1]}
        | floats
        | {
            "node1_degree": degree.min(axis=1),
            "node2_degree": degree.max(axis=1),
            "num_voxels": voxels,
            "hasNodeAtSampleBorder": border(position)[ends].any(axis=1).astype(np.int8),
        }
    )


def truth_table(node_kind: NDArray[np.int8], edge_kind: NDArray[np.int8]) -> pa.Table:
    """`element` (node or edge), its `id`, and its `kind`: artery, capillary or vein."""
    counts = (len(node_kind), len(edge_kind))
    return pa.table(
        {
            "element": _words(np.repeat(np.arange(2), counts), ("node", "edge")),
            "id": np.concatenate([np.arange(count) for count in counts]),
            "kind": _words(np.concatenate([node_kind, edge_kind]), KINDS),
        }
    )


def _measures(
    position: Floats, segments: Segments, rng: np.random.Generator
) -> tuple[dict[str, NDArray[np.float32]], Ids]:
    """Lengths and radii; the length of a self-loop is that of a small bulge."""
    ends, count = segments.ends, len(segments.ends)
    distance = np.linalg.norm(position[ends[:, 0]] - position[ends[:, 1]], axis=1)
    loop = np.isinf(segments.curveness)
    bulge = SPACING_UM / 2 * (0.5 + rng.random(count))
    length = np.where(loop, bulge, distance * np.where(loop, 1, segments.curveness))
    radius = segments.radius_um * np.exp(rng.normal(0, RADIUS_NOISE, count))
    flatness = (1 - rng.beta(8, 3, count)) * np.sqrt(np.minimum(CAPILLARY_UM / radius, 1))
    roundness = 1 - flatness
    area = np.pi * radius**2
    radii = (radius * 2 * roundness / (1 + roundness), radius, radius * 2 / (1 + roundness))
    values = [one for mean in (*radii, roundness) for one in (mean, STD_SHARE * mean)]
    floats = {
        "length": length,
        "distance": distance,
        "curveness": segments.curveness,
        "volume": area * length,
        "avgCrossSection": area,
    } | dict(zip(RADIUS_COLUMNS, values, strict=True))
    voxels = np.maximum(np.round(length / VOXEL_UM), 1).astype(np.int64)
    return {name: value.astype(np.float32) for name, value in floats.items()}, voxels


def _invalidate(
    floats: dict[str, NDArray[np.float32]], voxels: Ids, share: float, rng: np.random.Generator
) -> None:
    """Radii and roundness -1 where no surface was seen; every second such vessel has no voxel."""
    rows = rng.permutation(len(voxels))[: round(share * len(voxels))]
    for name in RADIUS_COLUMNS:
        floats[name][rows] = INVALID
    empty = rows[::2]
    voxels[empty] = 0
    floats["volume"][empty] = INVALID
    floats["avgCrossSection"][empty] = INVALID / floats["length"][empty]


def _words(place: NDArray[np.integer], words: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int8)), list(words))
