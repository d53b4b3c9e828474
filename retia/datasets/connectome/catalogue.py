"""The connectomes that Retia knows by name: where each comes from, and how it is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from retia.datasets.connectome.graph import Connectome, Layer, make_connectome
from retia.datasets.connectome.readers.matrices import read_matrices
from retia.datasets.connectome.readers.tables import (
    EdgeMapping,
    NodeMapping,
    from_tables,
    labels_of,
)
from retia.datasets.connectome.worm import CLASSES as WORM_CLASSES
from retia.datasets.connectome.worm import read_worm
from retia.datasets.pinned import find_source
from retia.datasets.sources import FetchedFile, LocalFile, fetch
from retia.datasets.table_file import SPACES, read_table_file
from retia.shards.errors import InputError, NotFoundError

LARVA_CLASSES = (
    "sensories",
    "PNs",
    "PNs-somato",
    "LNs",
    "LHNs",
    "KCs",
    "MBINs",
    "MBONs",
    "MB-FBNs",
    "FFNs",
    "CNs",
    "RGNs",
    "ascendings",
    "pre-dSEZs",
    "pre-dVNCs",
    "dSEZs",
    "dVNCs",
    "Other",
)
LARVA_OTHER = "unk"
MUSHROOM_CLASSES = {"K": "KC", "P": "PN", "O": "MBON", "I": "MBIN"}
WITVLIET_STAGES = ("L1", "L1", "L1", "L1", "L2", "L3", "adult", "adult")


@dataclass(frozen=True)
class Entry:
    """A connectome of the catalogue.

    `source` names the pinned source; without one, `files` are the names of the files that the
    user puts into a folder. `read` takes the files in the order of the source, or of `files`.
    `classes` is the order of the classes of neurons.
    """

    name: str
    title: str
    description: str
    license: str
    citation: str
    homepage: str
    unit: str
    classes: tuple[str, ...]
    read: Callable[[Sequence[Path]], Connectome]
    source: str | None = None
    files: tuple[str, ...] = ()


def find_entry(name: str) -> Entry:
    """The entry of that name; raises `NotFoundError`."""
    if name not in CATALOGUE:
        raise NotFoundError(f"no connectome '{name}'; there are: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def fetch_entry(
    entry: Entry, folder: Path | None = None, cache: Path | None = None
) -> list[FetchedFile]:
    """The files of an entry: of its pinned source, or from the user's folder.

    Raises `InputError` where a file lacks there, and as `fetch`.
    """
    if entry.source is not None:
        return fetch(find_source(entry.source), cache)
    if folder is None:
        raise InputError(
            f"{entry.name} is read from your own copy of {' and '.join(entry.files)}, "
            f"see {entry.homepage}; name the folder that holds them"
        )
    return [file for name in entry.files for file in fetch(LocalFile(folder / name, entry.license))]


def witvliet(animal: int) -> Entry:
    """One of the eight animals of Witvliet et al. 2021, 1 the youngest; 7 and 8 are adults."""
    stage = WITVLIET_STAGES[animal - 1]
    return Entry(
        name=f"celegans-witvliet-{stage.lower()}" if animal == 8 else f"celegans-witvliet-{animal}",
        title=f"C. elegans brain (Witvliet 2021, animal {animal}, {stage})",
        description="The brain (nerve ring and ventral ganglion) of one hermaphrodite "
        f"Caenorhabditis elegans, animal {animal} of 8, stage {stage}, after Witvliet et al. 2021: "
        "neurons alone, chemical synapses (directed) and gap junctions (undirected, incomplete in "
        "the source). A weight counts synapses. Read from the package cect, whose licence is MIT.",
        license="MIT",
        citation="Witvliet, D. et al. Connectomes across development reveal principles of brain "
        "maturation. Nature 596, 257-261 (2021). https://doi.org/10.1038/s41586-021-03778-8",
        homepage="https://github.com/openworm/ConnectomeToolbox",
        unit="synapses",
        classes=WORM_CLASSES,
        read=partial(_read_worm, unit="synapses", stage=stage),
        source=f"witvliet2021-{animal}",
    )


def read_larva(files: Sequence[Path]) -> Connectome:
    """The larva's brain from its list of connections and its table of neurons."""
    edges, meta = files
    edge_table = read_table_file(edges, header=False, separator=SPACES)
    mapping = NodeMapping(
        name="index", cell_class="simple_group", side="hemisphere", homolog="pair"
    )
    larva = from_tables(
        edge_table, read_table_file(meta), EdgeMapping("1", "2", "3"), mapping, "synapses"
    )
    assert larva.cell_class is not None
    other = larva.cell_class == LARVA_OTHER
    return replace(larva, cell_class=np.where(other, LARVA_CLASSES[-1], larva.cell_class))


def read_mushroom_body(files: Sequence[Path]) -> Connectome:
    """The mushroom bodies of both sides, side by side, from two matrices and two lists of labels.

    The source has no names; neuron i of a side is `left-i`, counted from 0. Weights go from row to
    column.
    """
    sides = [
        _read_side(side, *files[2 * i : 2 * i + 2]) for i, side in enumerate(("left", "right"))
    ]
    offset = sides[0].num_nodes
    return make_connectome(
        "the mushroom body",
        np.concatenate([part.names for part in sides]),
        [_stack([part.layers[0] for part in sides], offset)],
        cell_class=np.concatenate(
            [part.cell_class for part in sides if part.cell_class is not None]
        ),
        side=np.repeat(["left", "right"], [part.num_nodes for part in sides]),
    )


def _read_side(side: str, adjacency: Path, labels: Path) -> Connectome:
    matrix = read_matrices(adjacency)
    table = read_table_file(labels, header=False)
    letters = labels_of(table, table.columns[0])
    if len(letters) != matrix.num_nodes:
        raise InputError(f"{labels}: {len(letters)} labels for {matrix.num_nodes} neurons")
    found = np.unique(letters).tolist()
    if unknown := [letter for letter in found if letter not in MUSHROOM_CLASSES]:
        raise InputError(f"{labels}: label '{unknown[0]}' is none of {', '.join(MUSHROOM_CLASSES)}")
    names = np.strings.add(f"{side}-", np.arange(len(letters)).astype(np.str_))
    place = np.searchsorted(found, letters)
    classes = np.array([MUSHROOM_CLASSES[letter] for letter in found])[place]
    return make_connectome(
        str(adjacency), names, [replace(matrix.layers[0], unit="synapses")], cell_class=classes
    )


def _stack(layers: list[Layer], offset: int) -> Layer:
    pairs = np.concatenate([layer.pairs + offset * i for i, layer in enumerate(layers)])
    return replace(layers[0], pairs=pairs, weight=np.concatenate([part.weight for part in layers]))


def _read_worm(files: Sequence[Path], *, unit: str, stage: str) -> Connectome:
    connectome, cells, *transmitters = files
    return read_worm(
        connectome, cells, transmitters[0] if transmitters else None, unit=unit, stage=stage
    )


_ENTRIES = (
    Entry(
        name="celegans",
        title="C. elegans connectome (Cook 2019, hermaphrodite)",
        description="The nervous system of the adult hermaphrodite Caenorhabditis elegans after "
        "Cook et al. 2019: 302 neurons, chemical synapses (directed) and gap junctions "
        "(undirected). A weight counts serial sections of electron microscopy, not synapses. Read "
        "from the package cect, whose licence is MIT.",
        license="MIT",
        citation="Cook, S. J. et al. Whole-animal connectomes of both Caenorhabditis elegans "
        "sexes. Nature 571, 63-71 (2019). https://doi.org/10.1038/s41586-019-1352-7",
        homepage="https://github.com/openworm/ConnectomeToolbox",
        unit="EM serial sections",
        classes=WORM_CLASSES,
        read=partial(_read_worm, unit="EM serial sections", stage="adult"),
        source="cook2019-hermaphrodite",
    ),
    Entry(
        name="celegans-varshney",
        title="C. elegans somatic nervous system (Varshney 2011)",
        description="The somatic nervous system of the adult hermaphrodite Caenorhabditis elegans "
        "after Varshney et al. 2011, without the pharynx: 280 neurons, chemical synapses "
        "(directed) and gap junctions (undirected). A weight counts synapses. Read from the "
        "package cect, whose licence is MIT.",
        license="MIT",
        citation="Varshney, L. R. et al. Structural properties of the Caenorhabditis elegans "
        "neuronal network. PLoS Comput. Biol. 7, e1001066 (2011). "
        "https://doi.org/10.1371/journal.pcbi.1001066",
        homepage="https://github.com/openworm/ConnectomeToolbox",
        unit="synapses",
        classes=WORM_CLASSES,
        read=partial(_read_worm, unit="synapses", stage="adult"),
        source="varshney2011",
    ),
    witvliet(8),
    Entry(
        name="larva",
        title="Drosophila larva brain (Winding 2023)",
        description="The brain of a first-instar larva of Drosophila melanogaster after Winding et "
        "al. 2023: neurons and their synapses (directed), both hemispheres. A weight counts "
        "synapses, all kinds of contact together.",
        license="MIT",
        citation="Winding, M. et al. The connectome of an insect brain. Science 379, eadd9330 "
        "(2023). https://doi.org/10.1126/science.add9330",
        homepage="https://github.com/neurodata/bilateral-connectome",
        unit="synapses",
        classes=LARVA_CLASSES,
        read=read_larva,
        files=("G_edgelist.txt", "meta_data.csv"),
    ),
    Entry(
        name="mushroom-body",
        title="Drosophila larva mushroom body (Eichler 2017)",
        description="Left and right mushroom body of a first-instar larva of Drosophila "
        "melanogaster after Eichler et al. 2017: Kenyon cells (KC), projection neurons (PN), "
        "output neurons (MBON) and modulatory input neurons (MBIN), and their synapses (directed). "
        "The source has no connection between the sides. A weight counts synapses.",
        license="MIT",
        citation="Eichler, K. et al. The complete connectome of a learning and memory centre in an "
        "insect brain. Nature 548, 175-182 (2017). https://doi.org/10.1038/nature23455",
        homepage="https://github.com/graspologic-org/graspologic",
        unit="synapses",
        classes=tuple(MUSHROOM_CLASSES.values()),
        read=read_mushroom_body,
        files=(
            "left_adjacency.csv",
            "left_cell_labels.csv",
            "right_adjacency.csv",
            "right_cell_labels.csv",
        ),
    ),
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
