"""An atlas as a dataset: its relations, its node columns, and what its manifest tells."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.assemble import Dataset, EdgeColumns, NodeColumn, Origin, strength_column
from retia.datasets.connectome.functional.affinity import AffinityTensor
from retia.datasets.connectome.functional.atlas import (
    HOLD_S,
    Atlas,
    interval_affinity,
    motif_edges,
)
from retia.datasets.connectome.functional.options import FunctionalOptions
from retia.datasets.connectome.functional.structure import Structure
from retia.shards.errors import InputError
from retia.shards.manifest import Column

FUNCTIONAL = "functional"
DIGITS = 6

ABOUT = (
    "Functional motifs of {animals} recorded animals: {neurons} neurons, {rank} components of the "
    "time-varying affinities of their pairs. A relation 'motif-r' holds the heavy pairs of "
    "component r, cut by Otsu's rule; 'functional' holds the pairs of all motifs with their mean "
    "affinity in every interval in which one motif leads. Communities are found by an algorithm, "
    "not observed. Factors over time and animals, and the intervals, are in "
    "provenance.parameters. There is no task."
)
CITATION = (
    "Traces: the user's own. Method: docs/functional.md, in the manner of arXiv:2402.14102 and not "
    "a reproduction of it."
)


def atlas_dataset(
    atlas: Atlas,
    structure: Structure | None,
    options: FunctionalOptions,
    license_: str,
    origin: Origin,
) -> Dataset:
    """Neurons by name, a relation a motif, the functional edges, and those of the structure."""
    tensor = atlas.tensor
    number, rank = len(tensor.neurons), atlas.factors.rank
    kept = [motif_edges(pair) for pair in atlas.factors.pair.T]
    motifs = [
        EdgeColumns(
            motif_name(r),
            False,
            tensor.pairs[edges],
            ((_MOTIF_WEIGHT, atlas.factors.scale[r] * atlas.factors.pair[edges, r]),),
        )
        for r, edges in enumerate(kept)
    ]
    functional = _functional_edges(atlas, np.unique(np.concatenate(kept)))
    wired = structure.relations if structure else ()
    taken = {relation.name for relation in (*motifs, functional)}
    if clash := [relation.name for relation in wired if relation.name in taken]:
        raise InputError(f"{options.structure}: it has a relation '{clash[0]}' of its own")
    return Dataset(
        name=options.name,
        version=options.version,
        kind="connectome",
        title=f"Atlas of {rank} functional motifs, {len(tensor.animals)} animals ({options.name})",
        description=ABOUT.format(animals=len(tensor.animals), neurons=number, rank=rank),
        license=license_,
        citation=CITATION,
        num_nodes=number,
        relations=(*motifs, functional, *wired),
        columns=_node_columns(atlas),
        ids=pa.table({"node": np.arange(number, dtype=np.int32), "name": tensor.neurons}),
        tasks=(),
        origin=origin,
    )


def parameters(
    atlas: Atlas, structure: Structure | None, options: FunctionalOptions
) -> dict[str, Any]:
    """What the manifest tells of the atlas: the factors but pairs, the intervals, the choices."""
    tensor, factors, intervals = atlas.tensor, atlas.factors, atlas.intervals
    bounds = np.column_stack([intervals.first, intervals.last]) * tensor.step_s
    told: dict[str, Any] = {
        "seed": options.seed,
        "smooth_s": options.smooth_s,
        "window_s": options.window_s,
        "hold_s": HOLD_S,
        "step_s": _rounded(tensor.step_s),
        "restarts": options.restarts,
        "rank": factors.rank,
        "rank_asked": options.rank,
        "ranks": [
            {
                "rank": report.rank,
                "loss": _rounded(report.loss),
                "stability": _rounded(report.stability),
                "core_consistency": _rounded(report.consistency),
            }
            for report in atlas.reports
        ],
        "animals": list(tensor.animals),
        "scale": _rounded(factors.scale),
        "factors_animal": _rounded(factors.animal),
        "factors_time": _rounded(factors.time),
        "intervals": [
            {"start_s": _rounded(start), "end_s": _rounded(end), "motif": motif_name(int(motif))}
            for (start, end), motif in zip(bounds, intervals.motif, strict=True)
        ],
        "communities": [
            {
                "method": found.method,
                "number": int(found.labels.max()) + 1,
                "resolution": _rounded(found.resolution),
                "stability": _rounded(found.stability),
            }
            for found in atlas.communities
        ],
        "report": {"pairs_never_seen": int((~tensor.seen.any(axis=0)).sum())},
    }
    return told | ({"structure": structure.about} if structure else {})


def motif_name(component: int) -> str:
    """The relation of a component, counted from 1."""
    return f"motif-{component + 1}"


_MOTIF_WEIGHT = Column(
    name="weight",
    dtype="float32",
    description="weight of the pair in the component, lambda times its factor of norm 1",
    role="weight",
)
_MEAN_AFFINITY = Column(
    name="weight",
    dtype="float32",
    description="mean affinity over all intervals and the animals that show both neurons",
    role="weight",
)


def _functional_edges(atlas: Atlas, kept: NDArray[np.int64]) -> EdgeColumns:
    """The pairs of any motif, with their mean affinity in all and in each of the intervals."""
    values = interval_affinity(atlas.tensor, atlas.intervals, kept)
    length = atlas.intervals.last - atlas.intervals.first
    by_interval = Column(
        name="by_interval",
        dtype="float32",
        shape=(values.shape[1],),
        description="mean affinity in each interval of provenance.parameters.intervals, in order",
        role="feature",
    )
    columns = ((_MEAN_AFFINITY, np.average(values, axis=1, weights=length)), (by_interval, values))
    return EdgeColumns(FUNCTIONAL, False, atlas.tensor.pairs[kept], columns)


def _node_columns(atlas: Atlas) -> tuple[NodeColumn, ...]:
    tensor = atlas.tensor
    animals = Column(
        name="animals",
        dtype="int16",
        description="number of animals that show the neuron",
        role="feature",
    )
    columns = [NodeColumn(animals, _animals_per_neuron(tensor))]
    for r, found in enumerate(atlas.communities):
        name = motif_name(r)
        columns.append(
            strength_column(
                f"motif_{r + 1}_strength",
                f"weight of the edges of {name} at the neuron",
                relation=name,
                column="weight",
                direction="both",
            )
        )
        community = Column(
            name=f"motif_{r + 1}_community",
            dtype="int16",
            description=f"community in component {r + 1} by {found.method}, an algorithm's label; "
            "0 is the largest, -1 none",
            role="label",
        )
        columns.append(NodeColumn(community, found.labels))
    return tuple(columns)


def _animals_per_neuron(tensor: AffinityTensor) -> NDArray[np.int64]:
    """(N,) in how many animals a neuron has a pair; every animal has at least two neurons."""
    animal, pair = np.nonzero(tensor.seen)
    shown = np.zeros((len(tensor.animals), len(tensor.neurons)), dtype=bool)
    shown[animal[:, None], tensor.pairs[pair]] = True
    return np.asarray(shown.sum(axis=0))


def _rounded(value: Any) -> Any:
    """Floats with `DIGITS` significant digits, as plain lists or numbers; none stays none."""
    if value is None:
        return None
    if np.ndim(value):
        return [_rounded(part) for part in np.asarray(value).tolist()]
    return float(f"{float(value):.{DIGITS}g}")
