"""What the datasets of a connectome can be built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from retia.datasets.connectome.catalogue import Entry, fetch_entry, find_entry, witvliet
from retia.datasets.connectome.graph import Connectome, find_rows
from retia.datasets.connectome.readers.flywire import read_flywire
from retia.datasets.connectome.readers.graphml import read_graphml
from retia.datasets.connectome.readers.matrices import read_matrices
from retia.datasets.connectome.readers.neuprint import read_neuprint
from retia.datasets.connectome.readers.tables import EdgeMapping, NodeMapping, read_tables
from retia.datasets.generated import find_note
from retia.datasets.sources import FetchedFile, LocalFile, fetch
from retia.shards.errors import InputError
from retia.shards.manifest import Source

UNSTATED_LICENSE = "LicenseRef-unstated"
SYNTHETIC_LICENSE = "CC0-1.0"
FIRST_LATER_ANIMAL = 7
ANIMALS = 8
EDGE_COLUMNS = ("pre", "post", "weight", "layer")
NEUPRINT = (
    ("traced-total-connections.csv", "traced-roi-connections.csv", "connections.csv"),
    ("traced-neurons.csv", "neurons.csv"),
)
FLYWIRE = (("connections.csv",), ("neurons.csv",), ("classification.csv",))


@dataclass(frozen=True)
class Raw:
    """A connectome as it was read, and what is to be said of it.

    `earlier` are younger animals, where the source has stages: the connectome then is what the
    older ones have. `classes` is the order of the classes of neurons, where the source has one.
    """

    connectome: Connectome
    sources: tuple[Source, ...]
    builder: str
    title: str
    description: str
    license: str
    citation: str
    homepage: str | None = None
    classes: tuple[str, ...] = ()
    earlier: tuple[Connectome, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    synthetic: bool = False


class ConnectomeSource(Protocol):
    """Something that connectomes are read from."""

    @property
    def known_to_all(self) -> str | None:
        """Why anyone can get at what a task would ask for, where that is so."""
        ...

    def read(self, license_: str | None) -> Raw:
        """Fetch and read it; `license_` is what the user says of files of their own."""
        ...


def read_entry(entry: Entry, files: Sequence[FetchedFile], license_: str | None = None) -> Raw:
    """A connectome of the catalogue, from its files."""
    return Raw(
        connectome=entry.read([file.path for file in files]),
        sources=tuple(file.as_source() for file in files),
        builder=entry.name,
        title=entry.title,
        description=entry.description,
        license=license_ or entry.license,
        citation=entry.citation,
        homepage=entry.homepage,
        classes=entry.classes,
    )


@dataclass(frozen=True)
class Known:
    """A connectome of the catalogue, in the user's `folder` where it has no pinned source."""

    entry: Entry
    folder: Path | None = None
    cache: Path | None = None

    @property
    def known_to_all(self) -> str:
        """It is published."""
        return f"the connectome {self.entry.name} is public: anyone can look the answers up"

    def read(self, license_: str | None = None) -> Raw:
        """Fetch the files where the cache lacks them, and read them."""
        files = fetch_entry(self.entry, self.folder, self.cache)
        return read_entry(self.entry, files, license_)


@dataclass(frozen=True)
class Stages:
    """The eight worms of Witvliet et al.: six that grow, and two adults."""

    cache: Path | None = None

    @property
    def known_to_all(self) -> str:
        """They are published."""
        return "these connectomes are public: anyone can look the answers up"

    def read(self, license_: str | None = None) -> Raw:
        """Fetch and read the eight animals, with the neurons that all of them have."""
        read = [Known(witvliet(animal), cache=self.cache).read() for animal in range(1, 9)]
        animals = common_neurons([raw.connectome for raw in read])
        last = read[-1]
        sources = {source.sha256: source for raw in read for source in raw.sources}
        return replace(
            last,
            connectome=merge(animals[FIRST_LATER_ANIMAL - 1 :]),
            sources=tuple(sources.values()),
            builder="celegans-witvliet",
            title="C. elegans brain across development (Witvliet 2021)",
            description="The brains of eight hermaphrodites of Caenorhabditis elegans after "
            "Witvliet et al. 2021, from birth to adulthood: the neurons that all of them have, "
            "chemical synapses (directed) and gap junctions (undirected, incomplete in the "
            "source). Read from the package cect, whose licence is MIT.",
            earlier=tuple(animals[: FIRST_LATER_ANIMAL - 1]),
            parameters={
                "earlier_animals": list(range(1, FIRST_LATER_ANIMAL)),
                "later_animals": list(range(FIRST_LATER_ANIMAL, ANIMALS + 1)),
            },
        )


@dataclass(frozen=True)
class UserFiles:
    """Files of the user's own: how they are called here, and what reads them."""

    files: tuple[Path, ...]
    reader: partial[Connectome]
    parameters: dict[str, Any]

    @property
    def known_to_all(self) -> str | None:
        """Generated files can be generated again."""
        if (note := find_note(*self.files)) is None:
            return None
        return f"{note} says that these tables were made from a seed, as anyone can again"

    def read(self, license_: str | None = None) -> Raw:
        """Read the files."""
        synthetic = find_note(*self.files) is not None
        license_ = license_ or (SYNTHETIC_LICENSE if synthetic else UNSTATED_LICENSE)
        local = [fetch(LocalFile(path, license_))[0] for path in self.files]
        made = "Synthetic: a generated network, no animal's. " if synthetic else ""
        return Raw(
            connectome=self.reader(),
            sources=tuple(file.as_source() for file in local),
            builder="connectome",
            title="Synthetic connectome" if synthetic else "Connectome",
            description=f"{made}A connectome read from files of its owner's.",
            license=license_,
            citation="Generated by Retia." if synthetic else "Cite the source of the files.",
            parameters=self.parameters,
            synthetic=synthetic,
        )


@dataclass(frozen=True)
class Given:
    """What a command line names as its source, of which one is wanted.

    `columns` maps fields of `EdgeMapping` and `NodeMapping` to the user's names of columns; an
    empty name of the weight means that there is none.
    """

    edges: Path | None = None
    nodes: Path | None = None
    matrix: Path | None = None
    graphml: Path | None = None
    neuprint: Path | None = None
    flywire: Path | None = None
    unit: str | None = None
    header: bool = True
    columns: Mapping[str, str | None] = field(default_factory=dict)


def choose(given: Given) -> UserFiles:
    """The one source that is given; raises `InputError` for none, several, or half of one."""
    sources = {
        "--edges": given.edges,
        "--matrix": given.matrix,
        "--graphml": given.graphml,
        "--neuprint": given.neuprint,
        "--flywire": given.flywire,
    }
    found = {option: path for option, path in sources.items() if path is not None}
    if len(found) != 1:
        raise InputError(f"give one source: {', '.join(sources)}")
    ((option, path),) = found.items()
    if given.nodes is not None and option != "--edges":
        raise InputError("--nodes goes with --edges")
    if not given.header and option != "--edges":
        raise InputError("--no-header goes with --edges")
    columns = {name: column for name, column in given.columns.items() if column is not None}
    if columns and option not in ("--edges", "--graphml"):
        word = next(iter(columns)).replace("_", "-")
        raise InputError(f"--{word} names a column; {option} has fixed ones")
    match option:
        case "--edges":
            return _tables(path, given, columns)
        case "--matrix":
            reader = partial(read_matrices, path, unit=given.unit)
            return UserFiles((path,), reader, {"format": "matrix"})
        case "--graphml":
            mappings = _mappings(columns, given.header) if columns else {}
            reader = partial(read_graphml, path, unit=given.unit, **mappings)
            return UserFiles((path,), reader, {"format": "graphml"} | columns)
    if given.unit is not None:
        raise InputError(f"--unit: the weights of {option} count synapses")
    if option == "--neuprint":
        files = _files(path, NEUPRINT)
        return UserFiles(files, partial(read_neuprint, *files), {"format": "neuprint"})
    files = _files(path, FLYWIRE, needed=1)
    return UserFiles(files, partial(read_flywire, *files), {"format": "flywire"})


def known_source(name: str, folder: Path | None = None, cache: Path | None = None) -> Known:
    """The connectome of that name in the catalogue; raises `NotFoundError`."""
    return Known(find_entry(name), folder, cache)


def common_neurons(animals: list[Connectome]) -> list[Connectome]:
    """The animals with the neurons that all have, in one order, that of the last."""
    last = animals[-1]
    rows = np.stack([find_rows(animal.names, last.names) for animal in animals])
    shared = rows[:, (rows >= 0).all(axis=0)]
    return [animal.subset(row) for animal, row in zip(animals, shared, strict=True)]


def merge(animals: list[Connectome]) -> Connectome:
    """The connections that any of the animals has, each with its mean weight over all of them.

    The animals have the same neurons in the same order, and the same layers.
    """
    last = animals[-1]
    layers = []
    for layer in last.layers:
        total = sum(animal.layer(layer.name).matrix(last.num_nodes) for animal in animals)
        entries = (total / len(animals)).tocoo()
        pairs = np.column_stack([entries.row, entries.col]).astype(np.int64)
        kept = slice(None) if layer.directed else pairs[:, 0] < pairs[:, 1]
        order = np.lexsort((pairs[kept][:, 1], pairs[kept][:, 0]))
        layers.append(replace(layer, pairs=pairs[kept][order], weight=entries.data[kept][order]))
    return replace(last, layers=tuple(layers))


def _tables(path: Path, given: Given, columns: dict[str, str]) -> UserFiles:
    mappings = _mappings(columns, given.header)
    reader = partial(
        read_tables, path, given.nodes, header=given.header, unit=given.unit, **mappings
    )
    files = (path,) if given.nodes is None else (path, given.nodes)
    return UserFiles(files, reader, {"format": "tables"} | columns)


def _mappings(columns: dict[str, str], header: bool) -> dict[str, Any]:
    """The mappings of both tables, with the user's names in place of the usual ones."""
    by_place = EdgeMapping() if header else EdgeMapping("1", "2", "3")
    nodes = {name: column for name, column in columns.items() if name not in EDGE_COLUMNS}
    return {
        "edge_mapping": EdgeMapping(
            pre=columns.get("pre", by_place.pre),
            post=columns.get("post", by_place.post),
            weight=columns.get("weight", by_place.weight) or None,
            layer=columns.get("layer"),
        ),
        "node_mapping": replace(NodeMapping(), **nodes),
    }


def _files(folder: Path, wanted: tuple[tuple[str, ...], ...], needed: int = 2) -> tuple[Path, ...]:
    """Of each table the first name that the folder has, packed or not; the first ones must be."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = []
    for place, names in enumerate(wanted):
        paths = [folder / f"{name}{packed}" for name in names for packed in ("", ".gz")]
        there = [path for path in paths if path.is_file()]
        if not there and place < needed:
            raise InputError(f"{folder}: there is no {' or '.join(names)} in it")
        found += there[:1]
    return tuple(found)
