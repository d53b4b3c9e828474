"""What is known of each cell of Caenorhabditis elegans: class, transmitter, side, homolog."""

import csv
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from retia.datasets.connectome.graph import (
    NONE,
    UNLABELLED,
    Connectome,
    Texts,
    find_rows,
    homologs_by_name,
)
from retia.datasets.connectome.readers.cect import read_cect
from retia.shards.errors import InputError

CLASSES = ("sensory", "inter", "motor")

CELL_TYPES: dict[str, str] = {
    "Cephalic": "sensory",
    "Amphid": "sensory",
    "Amphid, nociceptive": "sensory",
    "Phasmid": "sensory",
    "Mechanosensory": "sensory",
    "Touch": "sensory",
    "O2, CO2, social signals, touch": "sensory",
    "Layer 1 interneuron": "inter",
    "Layer 1 interneuron; motorneuron in White et al., 1986": "inter",
    "Layer 2 interneuron": "inter",
    "Layer 3 interneuron": "inter",
    "Category 4 interneuron": "inter",
    "Pharyngeal interneuron": "inter",
    "Linker to pharynx": "inter",
    "Head motor neuron": "motor",
    "Sublateral motor neuron": "motor",
    "Sublateral motor neuron; interneuron in White et al., 1986": "motor",
    "Ventral cord motor neuron": "motor",
    "Hermaphrodite specific motor neuron": "motor",
    "Pharyngeal motor neuron": "motor",
    "Pharyngeal polymodal neuron": UNLABELLED,
    "Canal neuron": UNLABELLED,
}
"""The types of cell that are neurons, each with its class."""

TRANSMITTERS = {
    "ACh": "acetylcholine",
    "Glu": "glutamate",
    "GABA": "GABA",
    "DA": "dopamine",
    "5-HT": "serotonin",
    "octopamine": "octopamine",
}
"""The abbreviations of Wang et al. 2024 for what a neuron releases."""

TRANSMITTER_COLUMN = "Neurotransmitter(s)"


def read_worm(
    connectome: Path, cells: Path, transmitters: Path | None, *, unit: str, stage: str = ""
) -> Connectome:
    """The neurons of a worm, from cect's cache file, its table of cells, and Wang's table.

    Without the last there are no transmitters. Raises `InputError`.
    """
    worm = read_cect(connectome, unit, stage)
    known = None if transmitters is None else read_transmitters(transmitters)
    return describe_cells(worm, read_cell_types(cells), known)


def describe_cells(
    worm: Connectome, cell_types: dict[str, str], transmitters: dict[str, str] | None = None
) -> Connectome:
    """The neurons alone, with class, side and homolog, and transmitter where that is given."""
    types = _look_up(worm.names, cell_types)
    is_neuron = np.isin(types, list(CELL_TYPES))
    released = None if transmitters is None else _look_up(worm.names, transmitters)
    classes = _look_up(types, CELL_TYPES)
    described = replace(worm, is_neuron=is_neuron, cell_class=classes, transmitter=released)
    return _with_homologs(described.neurons())


def read_cell_types(path: Path) -> dict[str, str]:
    """The type of every cell, by name, from cect's table of cells."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["Cell name"]: row["Type"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: no table of 'Cell name' and 'Type' ({error!r})") from error


def read_transmitters(path: Path) -> dict[str, str]:
    """What each neuron releases, by name, after Wang et al. 2024, supplementary file 2.

    The first transmitter of the table's row; "" where it is unknown, or only taken up. The table
    calls two neurons DB1/3 and DB3/1, which are DB1 and DB3.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            table = pd.read_excel(path, header=None, dtype=str, keep_default_na=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: no table of transmitters ({error!r})") from error
    places = np.argwhere(table.to_numpy() == TRANSMITTER_COLUMN)
    if len(places) != 1:
        raise InputError(f"{path}: there is no one column '{TRANSMITTER_COLUMN}'")
    header, column = places[0]
    where = int(np.argmax(table.iloc[header].to_numpy() == "Neuron"))
    rows = table.iloc[header + 1 :]
    rows = rows[rows[where] != ""]
    names = rows[where].str.strip().str.replace(r"/\d+$", "", regex=True)
    said = rows[column].str.removeprefix("*").str.removesuffix("- NEW").str.strip()
    return dict(zip(names, said.map(TRANSMITTERS).fillna(UNLABELLED), strict=True))


def _with_homologs(worm: Connectome) -> Connectome:
    homolog = homologs_by_name(worm.names)
    last = np.strings.endswith(worm.names, "L")
    side = np.select([homolog == NONE, last], [UNLABELLED, "left"], default="right")
    return replace(worm, homolog=homolog, side=side)


def _look_up(keys: Texts, values: dict[str, str]) -> Texts:
    """The (n,) values of keys, "" for a key that is not there."""
    known = np.array(list(values), dtype=np.str_)
    found = np.array([*values.values(), ""], dtype=np.str_)
    return found[find_rows(known, keys)]
