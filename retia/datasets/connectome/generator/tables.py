"""The tables of a generated connectome."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from retia.datasets.connectome.generator.neurons import NONE, SIDES, Codes, Ids, Neurons
from retia.datasets.connectome.generator.wiring import Counts, Wiring


def neuron_table(neurons: Neurons, wiring: Wiring) -> pa.Table:
    """A row a neuron: name, class, side, transmitter, place in micrometres, homolog's name."""
    number = len(neurons.homolog)
    return pa.table(
        {
            "name": _names(np.arange(number)),
            "class": _words(neurons.cell_class, tuple(one.name for one in wiring.classes)),
            "side": _words(neurons.side, SIDES),
            "transmitter": _words(neurons.transmitter, wiring.transmitters),
            **{axis: neurons.position[:, i] for i, axis in enumerate("xyz")},
            "homolog": _names(neurons.homolog),
        }
    )


def connection_table(pairs: Ids, weight: Counts) -> pa.Table:
    """A row a connection: pre, post, weight."""
    return pa.table({"pre": _names(pairs[:, 0]), "post": _names(pairs[:, 1]), "weight": weight})


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table with a header, without quotes; an empty cell where there is no value."""
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        csv.write_csv(table, file, options)


def _names(neuron: Ids) -> pa.Array:
    """A name says nothing of a neuron but its row."""
    rows = pa.array(neuron, mask=neuron == NONE)
    return pc.binary_join_element_wise("n", pc.cast(rows, pa.string()), "")


def _words(code: Codes, words: tuple[str, ...]) -> pa.Array:
    return pa.array(words).take(pa.array(code))
