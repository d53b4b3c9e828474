"""Read a connectome from tables of FlyWire's Codex, or of CAVE.

Format: `connections.csv` (pre_root_id, post_root_id, neuropil, syn_count, nt_type), and tables of
neurons by `root_id`: `neurons.csv` (nt_type), `classification.csv` (flow, super_class, class,
side). A table of CAVE's synapses (pre_pt_root_id, post_pt_root_id) has a row a synapse.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.connectome.graph import Connectome, Layer, Texts, check_unique, make_connectome
from retia.datasets.connectome.readers.tables import LAYER, labels_of, names_of, sides
from retia.datasets.table_file import TableFile, read_table_file
from retia.shards.errors import InputError

UNIT = "synapses"
ROOT = "root_id"
CODEX = ("pre_root_id", "post_root_id")
CAVE = ("pre_pt_root_id", "post_pt_root_id")
COUNT, TRANSMITTER, SIDE = "syn_count", "nt_type", "side"
TRANSMITTERS = {
    "ACH": "acetylcholine",
    "GLUT": "glutamate",
    "GABA": "GABA",
    "DA": "dopamine",
    "SER": "serotonin",
    "OCT": "octopamine",
}


def read_flywire(
    connections: Path, *neurons: Path, class_column: str = "super_class"
) -> Connectome:
    """The neurons of the tables and their connections; those of several neuropils are summed.

    Without `neurons` the neurons are those of the connections. `class_column` (super_class, flow,
    class and so on), `nt_type` and `side` are read from the first table that has them; a neuron
    that this table lacks is unlabelled. Ids have 18 digits and stay texts. Raises `InputError`.
    """
    edges = read_table_file(connections)
    ends = CODEX if CODEX[0] in edges else CAVE if CAVE[0] in edges else CODEX
    edges.need(ends if ends == CAVE else (*ends, COUNT))
    tables = [read_table_file(path) for path in neurons]
    names = _names(edges, ends, tables)
    where = " and ".join(table.where for table in tables) or edges.where
    pairs = np.column_stack([edges.rows(column, names, where) for column in ends])
    weight = edges.numbers(COUNT) if COUNT in edges else np.ones(len(edges))
    transmitter = _label(tables, TRANSMITTER, names)
    return make_connectome(
        edges.where,
        names,
        [Layer(LAYER, True, pairs, weight, UNIT)],
        cell_class=_class(tables, class_column, names),
        transmitter=None if transmitter is None else _spelled(transmitter),
        side=_side(tables, names),
    )


def _names(edges: TableFile, ends: tuple[str, str], tables: list[TableFile]) -> Texts:
    """The neurons of the tables in their order, without them those of the connections, sorted."""
    columns = [_root_ids(edges, column) for column in ends]
    if not tables:
        return np.sort(pc.unique(pa.chunked_array(columns)).to_numpy(False).astype(np.str_))
    for table in tables:
        table.need([ROOT])
        check_unique(table.where, names_of(table, ROOT), "neuron")
    ids = pa.chunked_array([_root_ids(table, ROOT) for table in tables])
    return pc.unique(ids).to_numpy(zero_copy_only=False).astype(np.str_)


def _root_ids(table: TableFile, column: str) -> pa.Array:
    """Ids as texts of digits; raises `InputError` where a number has been rounded to a float."""
    ids = table.ids(column)
    whole = pc.match_substring_regex(ids, r"^\d+$").to_numpy(zero_copy_only=False)
    if not whole.all():
        row = int(np.argmax(~whole))
        raise table.bad(
            row, column, f"'{ids[row].as_py()[:40]}' is no id of digits alone; save ids as texts"
        )
    return ids


def _label(tables: list[TableFile], column: str, names: Texts) -> Texts | None:
    """(n,) the column of the first table that has it, "" for a neuron it lacks."""
    table = next((table for table in tables if column in table), None)
    if table is None:
        return None
    rows = pc.index_in(pa.array(names, pa.large_string()), value_set=table.ids(ROOT))
    found = pc.take(pa.array(labels_of(table, column), pa.string()), rows)
    return pc.fill_null(found, "").to_numpy(zero_copy_only=False).astype(np.str_)


def _class(tables: list[TableFile], column: str, names: Texts) -> Texts | None:
    labels = _label(tables, column, names)
    if labels is None and column != "super_class" and tables:
        tables[-1].need([column])
    return labels


def _side(tables: list[TableFile], names: Texts) -> Texts | None:
    labels = _label(tables, SIDE, names)
    if labels is None:
        return None
    if (found := sides(labels)) is None:
        there = ", ".join(np.unique(labels)[:8])
        raise InputError(
            f"column {SIDE}: left, right, center or nothing belongs there, not {there}"
        )
    return found


def _spelled(labels: Texts) -> Texts:
    """Transmitters by their full names; other words as they stand."""
    words, place = np.unique(labels, return_inverse=True)
    return np.array([TRANSMITTERS.get(word.upper(), word) for word in words.tolist()])[place]
