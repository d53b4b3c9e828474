"""The counts of a wiring, held against null models, as tables, JSON and CSV."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retia.datasets.connectome.motifs.draws import Draws, Plan, draw
from retia.datasets.connectome.motifs.families import Family
from retia.datasets.connectome.motifs.nulls import NULLS, SWAPS, split_mutual
from retia.datasets.connectome.motifs.reciprocity import reciprocity
from retia.datasets.connectome.motifs.significance import (
    Mixing,
    Significance,
    assess,
    diagnose,
)
from retia.datasets.connectome.motifs.wiring import Ints, Wiring
from retia.protocol.triads import CONNECTED, noninduced_counts

COLUMNS = ("mean", "std", "z", "ratio", "p", "q")


@dataclass(frozen=True)
class Held:
    """The counts against the draws of one null model: by family, with the chains' mixing."""

    null: str
    draws: int
    seed: int
    significance: dict[str, Significance]
    mixing: Mixing | None


@dataclass(frozen=True)
class Report:
    """What was counted in a wiring: the counts (K,) of each family, and the null models."""

    nodes: int
    edges: int
    mutual_pairs: int
    reciprocity: float
    min_weight: float | None
    families: tuple[Family, ...]
    counts: dict[str, Ints]
    nulls: tuple[Held, ...]

    @property
    def noninduced(self) -> dict[str, int]:
        """How often each connected triad is a subgraph, induced or not."""
        counts = noninduced_counts(self.counts["triads"])
        return dict(zip(CONNECTED, counts.tolist(), strict=True))

    def significance(self, family: str) -> dict[str, Significance]:
        """By null model, the figures of a family."""
        return {held.null: held.significance[family] for held in self.nulls}

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a figure that is not defined is null."""
        return {
            "nodes": self.nodes,
            "edges": self.edges,
            "mutual_pairs": self.mutual_pairs,
            "reciprocity": _number(self.reciprocity),
            "min_weight": self.min_weight,
            "families": {
                family.name: {"about": family.about, "motifs": self._rows(family)}
                for family in self.families
            },
            "nulls": [
                {
                    "null": held.null,
                    "keeps": NULLS[held.null].keeps,
                    "draws": held.draws,
                    "seed": held.seed,
                    "mixing": _mixing(held.mixing),
                }
                for held in self.nulls
            ],
        }

    def _rows(self, family: Family) -> list[dict[str, Any]]:
        rows = []
        for place, motif in enumerate(family.motifs):
            row: dict[str, Any] = {"motif": motif, "count": int(self.counts[family.name][place])}
            if family.name == "triads" and motif in CONNECTED:
                row["noninduced"] = self.noninduced[motif]
            for held in self.nulls:
                row[held.null] = figures(held.significance[family.name], place)
            rows.append(row)
        return rows


def make_report(
    wiring: Wiring,
    families: Sequence[Family],
    nulls: Sequence[str] = (),
    *,
    draws: int = 1000,
    seed: int = 0,
    swaps: int = SWAPS,
    workers: int = 1,
    folder: Path = Path(),
    on_draw: Callable[[int], None] = lambda _: None,
) -> Report:
    """Count every family in the strong edges of a wiring, and in draws of the null models.

    The draws are kept in `folder`, and read from there where they are.
    """
    graph = wiring.graph()
    counts = {family.name: family.count(graph) for family in families}
    count = {family.name: family.count for family in families}
    held = []
    for null in nulls:
        plan = Plan(wiring, null, count, folder, seed, swaps)
        made = draw(plan, draws, workers, on_draw)
        held.append(_hold(counts, made, len(wiring.strong)))
    return Report(
        nodes=wiring.num_nodes,
        edges=len(wiring.strong),
        mutual_pairs=len(split_mutual(wiring)[1]),
        reciprocity=reciprocity(graph),
        min_weight=wiring.min_weight,
        families=tuple(families),
        counts=counts,
        nulls=tuple(held),
    )


def figures(found: Significance, place: int) -> dict[str, float | None]:
    """mean, std, z, ratio, p and q of one motif; none where a figure is not defined."""
    return {name: _number(getattr(found, name)[place]) for name in COLUMNS}


def write_report(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write the dictionary of a report as motifs.json, and its rows as motifs.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "motifs.json", folder / "motifs.csv"]
    paths[0].write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with paths[1].open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["family", "motif", "count", "noninduced", "null", *COLUMNS])
        writer.writerows(_csv_rows(report))
    return paths


def _csv_rows(report: dict[str, Any]) -> list[list[Any]]:
    """A row a motif and null model; a row a motif where there is no null model."""
    nulls = [held["null"] for held in report["nulls"]]
    rows = []
    for name, family in report["families"].items():
        for motif in family["motifs"]:
            start = [name, motif["motif"], motif["count"], motif.get("noninduced")]
            rows += [[*start, null, *motif[null].values()] for null in nulls] or [start]
    return rows


def _hold(counts: dict[str, Ints], draws: Draws, edges: int) -> Held:
    return Held(
        null=draws.null,
        draws=len(draws.overlap),
        seed=draws.seed,
        significance={name: assess(counts[name], draws.counts[name]) for name in counts},
        mixing=diagnose(draws, edges),
    )


def _mixing(mixing: Mixing | None) -> dict[str, Any] | None:
    return None if mixing is None else asdict(mixing) | {"mixed": mixing.mixed}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
