"""The one form of a connectome between readers, features, motifs and tasks."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from retia.shards.errors import InputError, NotFoundError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]
Report = dict[str, int]

NONE = -1
UNLABELLED = ""
SIDES = ("left", "right", "center", "")


@dataclass(frozen=True)
class Layer:
    """Connections of one kind: `pairs` (E, 2) int64 rows of the neurons, `weight` (E,) float64.

    In a `Connectome` the pairs are unique and sorted by (src, dst), none joins a neuron with
    itself, and weights are positive and finite. A pair of an undirected layer stands once, with
    src < dst. A reader may hand a layer of any other order and number to `make_connectome`.
    """

    name: str
    directed: bool
    pairs: Ints
    weight: Floats
    unit: str | None = None

    def matrix(self, num_nodes: int) -> sparse.csr_array:
        """The (n, n) weights, row to column; those of an undirected layer are symmetric."""
        src, dst = self.pairs.T
        shape = (num_nodes, num_nodes)
        matrix = sparse.csr_array((self.weight, (src, dst)), shape=shape)
        return matrix if self.directed else sparse.csr_array(matrix + matrix.T)


@dataclass(frozen=True)
class Connectome:
    """The n neurons of one animal, and the layers of connections among them.

    `names` (n,) unique. Of each neuron, where the source tells: `cell_class`, `transmitter` (n,)
    texts, "" where unknown; `side` (n,) one of `SIDES`; `position` (n, 3) float64 in micrometres;
    `homolog` (n,) int64 the row of the partner on the other side, -1 where there is none, always
    mutual; `is_neuron` (n,) bool, absent where all cells are neurons. `stage` names the age of the
    animal; several animals are several connectomes. `report` counts what reading dropped or merged.
    """

    names: Texts
    layers: tuple[Layer, ...]
    cell_class: Texts | None = None
    transmitter: Texts | None = None
    side: Texts | None = None
    position: Floats | None = None
    homolog: Ints | None = None
    is_neuron: NDArray[np.bool_] | None = None
    stage: str = ""
    report: Report = field(default_factory=dict)

    @property
    def num_nodes(self) -> int:
        """The number of neurons."""
        return len(self.names)

    def layer(self, name: str) -> Layer:
        """The layer of that name; raises `NotFoundError`."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        there = ", ".join(layer.name for layer in self.layers)
        raise NotFoundError(f"no layer '{name}' in this connectome; there are: {there}")

    def subset(self, nodes: Ints) -> "Connectome":
        """The neurons of those rows, in that order, and the connections among them.

        A homolog that is left out is none. Raises `InputError` for a row that is given twice.
        """
        row = np.full(self.num_nodes, NONE, dtype=np.int64)
        row[nodes] = np.arange(len(nodes))
        if (row >= 0).sum() != len(nodes):
            raise InputError("a neuron stands twice in the selection; give each row once")
        columns: dict[str, Any] = {
            name: values[nodes] for name, values in _columns(self) if name != "homolog"
        }
        if self.homolog is not None:
            partner = self.homolog[nodes]
            columns["homolog"] = np.where(partner == NONE, NONE, row[partner])
        layers = tuple(_renumber(layer, row) for layer in self.layers)
        return replace(self, layers=layers, **columns)

    def reorder(self, order: Ints) -> "Connectome":
        """The same connectome with row `order[i]` as row i; raises `InputError` for a subset."""
        if len(order) != self.num_nodes:
            raise InputError(f"an order of {len(order)} rows for {self.num_nodes} neurons")
        return self.subset(order)

    def neurons(self) -> "Connectome":
        """Without the cells that are no neurons; they are counted."""
        if self.is_neuron is None:
            return self
        part = replace(self.subset(np.flatnonzero(self.is_neuron)), is_neuron=None)
        left_out = self.num_nodes - part.num_nodes
        return replace(part, report=self.report | {"cells_not_neurons": left_out})


def make_connectome(
    where: str,
    names: Texts,
    layers: Iterable[Layer],
    *,
    report: Report | None = None,
    **columns: Any,
) -> Connectome:
    """A connectome from layers as a source has them; `columns` are fields of `Connectome`.

    Self-loops and connections of weight 0 are dropped, parallel ones summed, all counted in the
    report. Of an undirected pair that is given in both directions the greater weight stands.
    `where` names the source in errors. Raises `InputError` for a name that is empty or stands
    twice, a weight that is negative or not finite, a side or position that is none, and homologs
    that are not mutual.
    """
    check_unique(where, names, "neuron")
    tidied = [_tidy(where, layer, names) for layer in layers]
    counts = dict(report or {})
    for layer, counted in tidied:
        counts |= {f"{layer.name}_{what}": count for what, count in counted.items()}
    made = Connectome(names, tuple(layer for layer, _ in tidied), report=counts, **columns)
    _check_columns(where, made)
    return made


def check_unique(where: str, names: Texts, what: str) -> None:
    """Raise `InputError` where a name is empty or stands twice."""
    if not len(names):
        raise InputError(f"{where}: there is no {what} in it")
    if (names == "").any():
        raise InputError(f"{where}: {what} {int(np.argmax(names == '')) + 1} has no name")
    order = np.argsort(names, kind="stable")
    again = np.flatnonzero(names[order][1:] == names[order][:-1])
    if len(again):
        second = int(order[again + 1].min())
        first = int(np.argmax(names == names[second]))
        raise InputError(
            f"{where}: two of the {what}s are named '{names[second]}', number {first + 1} and "
            f"{second + 1}; give each its own name"
        )


def find_rows(names: Texts, wanted: Texts) -> Ints:
    """The (m,) rows of `names` that `wanted` means, -1 for a name that is not there."""
    if not len(names):
        return np.full(len(wanted), NONE, dtype=np.int64)
    order = np.argsort(names, kind="stable")
    place = np.minimum(np.searchsorted(names, wanted, sorter=order), len(names) - 1)
    rows = order[place]
    return np.where(names[rows] == wanted, rows, NONE).astype(np.int64)


def mutual(partner: Ints) -> tuple[Ints, int]:
    """Homologs with those that are not mutual taken out, and how many those were."""
    back = np.where(partner == NONE, NONE, partner[partner])
    wrong = (partner != NONE) & (back != np.arange(len(partner)))
    wrong |= partner == np.arange(len(partner))
    return np.where(wrong, NONE, partner), int(wrong.sum())


def homologs_by_name(names: Texts) -> Ints:
    """Partners whose names differ in a last L or R alone, as AVAL and AVAR do; -1 for none."""
    texts = pa.array(names, pa.string())
    last = pc.utf8_slice_codeunits(texts, -1).to_numpy(zero_copy_only=False).astype(np.str_)
    stem = pc.replace_substring_regex(texts, ".$", "").to_numpy(zero_copy_only=False)
    other = np.select([last == "L", last == "R"], ["R", "L"], default="")
    partner = find_rows(names, np.strings.add(stem.astype(np.str_), other))
    return np.where(other == "", NONE, partner)


def _tidy(where: str, layer: Layer, names: Texts) -> tuple[Layer, Report]:
    """The layer with the form that a connectome has, and what was dropped or merged."""
    where = f"{where}, {layer.name}"
    _check_weights(where, layer, names)
    loop = layer.pairs[:, 0] == layer.pairs[:, 1]
    zero = layer.weight == 0
    keep = ~loop & ~zero
    pairs, weight = _sum_parallel(layer.pairs[keep], layer.weight[keep], len(names))
    report = {
        "self_loops_dropped": int((loop & ~zero).sum()),
        "zero_weights_dropped": int(zero.sum()),
        "parallel_merged": int(keep.sum()) - len(pairs),
    }
    if not layer.directed:
        pairs, weight, folded = _fold(pairs, weight, len(names))
        report |= folded
    return replace(layer, pairs=pairs, weight=weight), report


def _check_weights(where: str, layer: Layer, names: Texts) -> None:
    bad = ~(np.isfinite(layer.weight) & (layer.weight >= 0))
    if bad.any():
        first = int(np.argmax(bad))
        src, dst = names[layer.pairs[first]]
        raise InputError(
            f"{where}: the connection from '{src}' to '{dst}' has the weight "
            f"{layer.weight[first]:g}; a weight is a finite number of 0 or more"
        )


def _sum_parallel(pairs: Ints, weight: Floats, num_nodes: int) -> tuple[Ints, Floats]:
    """Unique pairs, sorted, each with the sum of its weights."""
    key, place = np.unique(pairs[:, 0] * num_nodes + pairs[:, 1], return_inverse=True)
    summed = np.bincount(place, weights=weight, minlength=len(key))
    return np.column_stack(np.divmod(key, num_nodes)), summed.astype(np.float64)


def _fold(pairs: Ints, weight: Floats, num_nodes: int) -> tuple[Ints, Floats, Report]:
    """Unique directed pairs as undirected ones, each with the greater weight of both directions."""
    low, high = np.sort(pairs, axis=1).T
    key, place = np.unique(low * num_nodes + high, return_inverse=True)
    up = pairs[:, 0] == low
    there = np.bincount(place[up], weights=weight[up], minlength=len(key))
    back = np.bincount(place[~up], weights=weight[~up], minlength=len(key))
    once = (there == 0) | (back == 0)
    report = {
        "pairs_in_one_direction": int(once.sum()),
        "pairs_of_unequal_weight": int((~once & (there != back)).sum()),
    }
    return np.column_stack(np.divmod(key, num_nodes)), np.maximum(there, back, dtype=float), report


def _renumber(layer: Layer, row: Ints) -> Layer:
    """The connections among the neurons that have a new row."""
    pairs = row[layer.pairs]
    inside = (pairs >= 0).all(axis=1)
    pairs = pairs[inside] if layer.directed else np.sort(pairs[inside], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return replace(layer, pairs=pairs[order], weight=layer.weight[inside][order])


def _columns(connectome: Connectome) -> list[tuple[str, NDArray[Any]]]:
    """The columns that are there, by field."""
    values = ((f.name, getattr(connectome, f.name)) for f in fields(connectome))
    return [(name, value) for name, value in values if isinstance(value, np.ndarray)]


def _check_columns(where: str, made: Connectome) -> None:
    for name, values in _columns(made):
        if len(values) != made.num_nodes:
            raise InputError(
                f"{where}: {len(values)} values of {name} for {made.num_nodes} neurons"
            )
    if made.side is not None and (odd := ~np.isin(made.side, SIDES)).any():
        first = int(np.argmax(odd))
        raise InputError(
            f"{where}: neuron '{made.names[first]}' has the side '{made.side[first]}'; "
            "left, right, center or nothing belongs there"
        )
    if made.position is not None and (far := ~np.isfinite(made.position).all(axis=1)).any():
        raise InputError(
            f"{where}: neuron '{made.names[int(np.argmax(far))]}' has no finite position; "
            "give all neurons x, y and z, or none"
        )
    if made.homolog is not None and mutual(made.homolog)[1]:
        raise InputError(f"{where}: homologs are not mutual")
