"""What the datasets of a text-attributed graph can be built from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from retia.datasets.sources import LocalFile, fetch
from retia.datasets.text.graph import TextGraph
from retia.datasets.text.readers.airports import airport_files, read_airports
from retia.datasets.text.readers.cane import cane_files, read_cane
from retia.datasets.text.readers.cstag import read_cstag
from retia.datasets.text.readers.tables import EdgeMapping, NodeMapping, read_tables
from retia.datasets.text.readers.tegdb import read_tegdb, tegdb_files
from retia.datasets.text.readers.wn18rr import read_wn18rr, wn18rr_files
from retia.datasets.text.tans.record import is_described
from retia.shards.errors import InputError
from retia.shards.manifest import Source

UNSTATED_LICENSE = "LicenseRef-unstated"


@dataclass(frozen=True)
class Raw:
    """A graph as it was read, and what is to be said of it.

    `ask` is the relation of which edges are to be hidden, the largest where none is named.
    `about_labels` and `about_texts` say what a label and a text are, by its name.
    """

    graph: TextGraph
    sources: tuple[Source, ...]
    builder: str
    title: str
    description: str
    license: str
    citation: str
    homepage: str | None = None
    ask: str | None = None
    about_labels: dict[str, str] = field(default_factory=dict)
    about_texts: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


class TextSource(Protocol):
    """Something that text-attributed graphs are read from."""

    @property
    def known_to_all(self) -> str | None:
        """Why anyone can get at what a task would ask for, where that is so."""
        ...

    def read(self, license_: str | None) -> Raw:
        """Read it; `license_` is what the user says of files of their own."""
        ...


@dataclass(frozen=True)
class UserFiles:
    """Files of the user's own, and what reads them."""

    files: tuple[Path, ...]
    reader: Callable[[], TextGraph]
    parameters: dict[str, Any]

    @property
    def known_to_all(self) -> None:
        """Nobody else need have them."""
        return

    def read(self, license_: str | None = None) -> Raw:
        """Read the files."""
        license_ = license_ or UNSTATED_LICENSE
        return Raw(
            graph=self.reader(),
            sources=_sources(self.files, license_),
            builder="text",
            title="Text-attributed graph",
            description="A graph with texts, read from files of its owner's.",
            license=license_,
            citation="Cite the source of the files.",
            parameters=self.parameters,
        )


@dataclass(frozen=True)
class Published:
    """A published graph of which the user has a copy: its files, what reads them, what it is."""

    files: tuple[Path, ...]
    reader: Callable[[], TextGraph]
    builder: str
    title: str
    description: str
    license: str
    citation: str
    homepage: str
    ask: str | None = None
    about_labels: dict[str, str] = field(default_factory=dict)

    @property
    def known_to_all(self) -> str:
        """It is published."""
        return f"{self.title} is public: anyone can look the answers up"

    def read(self, license_: str | None = None) -> Raw:
        """Read the files."""
        license_ = license_ or self.license
        return Raw(
            graph=self.reader(),
            sources=_sources(self.files, license_),
            builder=self.builder,
            title=self.title,
            description=self.description,
            license=license_,
            citation=self.citation,
            homepage=self.homepage,
            ask=self.ask,
            about_labels=self.about_labels,
        )


def airports(folder: Path, country: str) -> Published:
    """The airports of a country and the flights among them, without any text."""
    return Published(
        files=airport_files(folder, country),
        reader=partial(read_airports, folder, country),
        builder="airports",
        title=f"Airports, {country} (struc2vec)",
        description="Airports that are joined where commercial flights connect them. The source "
        "has no text, and numbers for the names of airports.",
        license="MIT",
        citation="Ribeiro, Saverese, Figueiredo: struc2vec: Learning Node Representations from "
        "Structural Identity. KDD 2017.",
        homepage="https://github.com/leoribeiro/struc2vec",
        about_labels={
            "activity": "Tell the quarter of activity, by landings and take-offs or by passengers, "
            "that an airport is in; 0 is the busiest."
        },
    )


def cane_cora(folder: Path) -> Published:
    """The papers of Cora as CANE has them, with abstracts."""
    return Published(
        files=cane_files(folder),
        reader=partial(read_cane, folder),
        builder="cane-cora",
        title="Cora with abstracts (CANE)",
        description="Papers on machine learning with their abstracts, and citations without a "
        "direction. Punctuation and frequent words are taken out in the source. It has 2,277 "
        "papers and is not the Cora of 2,708; classes are numbers in the source.",
        license="MIT",
        citation="Tu, Liu, Liu, Sun: CANE: Context-Aware Network Embedding for Relation Modeling. "
        "ACL 2017.",
        homepage="https://github.com/thunlp/CANE",
        about_labels={"topic": "Tell the topic of a paper."},
    )


def wn18rr(folder: Path) -> Published:
    """The synsets of WordNet with glosses, and eleven relations among them."""
    return Published(
        files=wn18rr_files(folder),
        reader=partial(read_wn18rr, folder),
        builder="wn18rr",
        title="WordNet (WN18RR)",
        description="Synsets of WordNet with their words and glosses, and eleven relations among "
        "them. All triples of the source are one graph here and its split is not used: three of "
        "its relations are symmetric, and 35 % of its test triples have their reverse among the "
        "training ones. These three are undirected here.",
        license="WordNet",
        citation="Dettmers, Minervini, Stenetorp, Riedel: Convolutional 2D Knowledge Graph "
        "Embeddings. AAAI 2018. Miller: WordNet: A Lexical Database for English. 1995.",
        homepage="https://wordnet.princeton.edu",
        ask="hypernym",
    )


@dataclass(frozen=True)
class Given:
    """What a command line names as its source, of which one is wanted."""

    nodes: Path | None = None
    edges: Path | None = None
    cstag: Path | None = None
    tegdb: Path | None = None
    cane: Path | None = None
    node_mapping: NodeMapping = field(default_factory=NodeMapping)
    edge_mapping: EdgeMapping = field(default_factory=EdgeMapping)


def choose(given: Given) -> UserFiles:
    """The one source that is given; raises `InputError` for none, several, or half of one."""
    sources = {
        "--nodes": given.nodes,
        "--cstag": given.cstag,
        "--tegdb": given.tegdb,
        "--cane": given.cane,
    }
    found = {option: path for option, path in sources.items() if path is not None}
    if len(found) != 1:
        raise InputError(f"give one source: {', '.join(sources)}")
    ((option, path),) = found.items()
    if (option == "--nodes") != (given.edges is not None):
        raise InputError("--nodes and --edges go together")
    mapped = given.node_mapping != NodeMapping() or given.edge_mapping != EdgeMapping()
    if mapped and option != "--nodes":
        raise InputError(f"names of columns go with --nodes; {option} has fixed ones")
    match option:
        case "--cstag":
            return UserFiles((path,), partial(read_cstag, path), {"format": "cs-tag"})
        case "--tegdb":
            files = tuple(tegdb_files(path).values())
            return UserFiles(files, partial(read_tegdb, path), {"format": "teg-db"})
        case "--cane":
            return UserFiles(cane_files(path), partial(read_cane, path), {"format": "cane"})
    return _tables(path, given)


def _tables(nodes: Path, given: Given) -> UserFiles:
    assert given.edges is not None
    if is_described(nodes):
        raise InputError(f"{nodes}: descriptions are given as --texts, beside the nodes' own table")
    of_nodes, of_edges = given.node_mapping, given.edge_mapping
    _check_labels(of_nodes)
    parameters = {
        "format": "tables",
        "texts": list(of_nodes.texts),
        "labels": [*of_nodes.labels, *of_nodes.multilabels],
        "directed": of_edges.directed,
    }
    reader = partial(read_tables, nodes, given.edges, of_nodes, of_edges)
    return UserFiles((nodes, given.edges), reader, parameters)


def _check_labels(mapping: NodeMapping) -> None:
    """Raise `InputError` for a label that is also among what everyone sees."""
    labels = (*mapping.labels, *mapping.multilabels)
    shown = {"--text": mapping.texts, "--group": mapping.groups, "--id": (mapping.id,)}
    for option, columns in shown.items():
        if both := [column for column in labels if column in columns]:
            raise InputError(
                f"column {both[0]} is a label, and {option} would show it to everyone; "
                "leave it out of one of them"
            )
    if both := [column for column in mapping.labels if column in mapping.multilabels]:
        raise InputError(f"column {both[0]} is named with --label and --multilabel; choose one")


def _sources(files: tuple[Path, ...], license_: str) -> tuple[Source, ...]:
    return tuple(fetch(LocalFile(path, license_))[0].as_source() for path in files)
