"""Radii and kinds of vessels in grown trees that are joined by anastomoses.

Murray's law: r³ of a vessel is the sum of r³ of those that it feeds (or, in a vein, that feed it).
Murray, C. D. (1926). The physiological principle of minimum work. PNAS 12, 207-214. An
anastomosis is a capillary; it counts at both ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.generator.growth import Ids, Trees
from retia.datasets.vessel.generator.points import Floats

CAPILLARY_UM = 3.0
CAPILLARY_LIMIT_UM = 6.0
CAPILLARY_SPREAD = 0.15
WAVES = 8
WAVELENGTH_UM = 400.0
KINDS = ("artery", "capillary", "vein")
ARTERY, CAPILLARY, VEIN = range(3)


@dataclass(frozen=True)
class Calibre:
    """`radius_um` (E,), `edge_kind` (E,) and `node_kind` (n,), places in `KINDS`; `main` (n,).

    `main` is the widest daughter in the tree of each node, -1 at a tip.
    """

    radius_um: Floats
    edge_kind: NDArray[np.int8]
    node_kind: NDArray[np.int8]
    main: Ids


def calibrate(
    position: Floats, trees: Trees, tree: Ids, joins: Ids, rng: np.random.Generator
) -> Calibre:
    """Radii of the (t, 2) tree edges, parents first, followed by those of the (a, 2) joins.

    Trees take turns in being arterial and venous. A vessel of a tree is a capillary below 6 µm.
    """
    narrow = _capillary_radius(position, rng)
    join_radius = narrow[joins].mean(axis=1)
    stem = _stem_radii(trees, tree, joins, join_radius, narrow)
    radius = np.concatenate([stem[tree[:, 1]], join_radius])
    colour = np.where(trees.root % 2 == 0, ARTERY, VEIN)
    wide = radius >= CAPILLARY_LIMIT_UM
    wide[len(tree) :] = False
    feeder = np.concatenate([tree[:, 1], joins[:, 0]])
    edge_kind = np.where(wide, colour[feeder], CAPILLARY).astype(np.int8)
    node_kind = np.full(len(position), CAPILLARY)
    ends = np.concatenate([tree, joins])[wide]
    node_kind[ends] = colour[ends]
    return Calibre(radius, edge_kind, node_kind.astype(np.int8), _main_daughters(tree, stem))


def _capillary_radius(position: Floats, rng: np.random.Generator) -> Floats:
    """(n,) radii about 3 µm that change smoothly from place to place: a sum of plane waves."""
    wave = rng.standard_normal((WAVES, 3)) * 2 * np.pi / WAVELENGTH_UM
    phase = rng.random(WAVES) * 2 * np.pi
    field = np.zeros(len(position))
    for direction, shift in zip(wave, phase, strict=True):
        field += np.cos(position @ direction + shift)
    return np.asarray(CAPILLARY_UM * np.exp(CAPILLARY_SPREAD * field * np.sqrt(2 / WAVES)))


def _stem_radii(trees: Trees, tree: Ids, joins: Ids, join_radius: Floats, narrow: Floats) -> Floats:
    """(n,) radius of the vessel from each node's parent, by Murray's law, from the tips inward."""
    number = len(narrow)
    cubes = np.bincount(joins.ravel(), np.repeat(join_radius**3, 2), minlength=number)
    fed = np.bincount(tree[:, 0], minlength=number)
    cubes = np.where((fed == 0) & (cubes == 0), narrow**3, cubes)
    child = tree[np.argsort(trees.born[tree[:, 1]], kind="stable"), 1]
    generations = np.split(child, np.flatnonzero(np.diff(trees.born[child])) + 1)
    for generation in reversed(generations):
        np.add.at(cubes, trees.parent[generation], cubes[generation])
    return np.cbrt(cubes)


def _main_daughters(tree: Ids, stem: Floats) -> Ids:
    main = np.full(len(stem), -1, dtype=np.int64)
    order = np.argsort(stem[tree[:, 1]], kind="stable")
    main[tree[order, 0]] = tree[order, 1]
    return main
