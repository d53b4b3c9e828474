"""The verbs of `retia build` that make datasets of text-attributed graphs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from retia.cli.build_options import (
    ONLY,
    SEALED,
    Folder,
    License,
    Out,
    Seed,
    VersionNumber,
    Workers,
    column,
    run_build,
)
from retia.cli.options import AsJson

if TYPE_CHECKING:
    from retia.datasets.text.inputs import TextSource
    from retia.datasets.text.options import TextOptions

Sibling = Literal["link", "node"]

Only = Annotated[Sibling | None, ONLY]
Sealed = Annotated[Sibling | None, SEALED]
Encodings = Annotated[
    list[str] | None,
    typer.Option(
        "--encoding",
        help="Add an encoding of the texts: tfidf-svd-D, hashing-D or st:NAME_OR_PATH. Repeatable.",
    ),
]
Ask = Annotated[str | None, typer.Option(help="NAME-link: the relation whose edges are hidden.")]
Shots = Annotated[
    int | None,
    typer.Option(
        min=1, help="NAME-node: add tasks with this many nodes of each class to learn from."
    ),
]
Texts = Annotated[
    Path | None,
    typer.Option(help="Add the texts of 'retia describe', a table of id and description."),
]
FitOn = Annotated[
    str | None,
    typer.Option(
        metavar="REF",
        help="Fit the encoders on the texts of this dataset alone, to share its space.",
    ),
]


def register(build: typer.Typer) -> None:
    """Add the verbs of this module."""
    build.command("text")(build_text)
    build.command("airports")(build_airports)
    build.command("cane-cora")(build_cane_cora)
    build.command("wn18rr")(build_wn18rr)


def build_text(
    name: Annotated[str, typer.Option(help="Makes NAME-link and NAME-node.")],
    nodes: Annotated[Path | None, typer.Option(help="A table of nodes: CSV, TSV, Parquet.")] = None,
    edges: Annotated[
        Path | None, typer.Option(help="With --nodes: a table of edges: CSV, TSV, Parquet.")
    ] = None,
    cstag: Annotated[Path | None, typer.Option(help="A CSV of CS-TAG.")] = None,
    tegdb: Annotated[
        Path | None,
        typer.Option(help="A folder of TEG-DB's fields as .npy, .parquet or .csv, no pickle."),
    ] = None,
    cane: Annotated[
        Path | None, typer.Option(help="A folder of CANE: data.txt, graph.txt, group.txt.")
    ] = None,
    out: Out = None,
    seed: Seed = None,
    sealed: Sealed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    encoding: Encodings = None,
    texts: Texts = None,
    fit_on: FitOn = None,
    split: Annotated[
        Literal["random", "grouped"],
        typer.Option(help="NAME-node: draw nodes one by one, or by whole groups of --group."),
    ] = "random",
    ask: Ask = None,
    shots: Shots = None,
    license_: License = None,
    id_: Annotated[str | None, column("Of --nodes: the id; id.", "--id")] = None,
    text: Annotated[
        str | None, column("Of --nodes: texts, joined by commas; text. '' for none.")
    ] = None,
    label: Annotated[
        str | None, column("Of --nodes: labels of one class each, joined by commas; none.")
    ] = None,
    multilabel: Annotated[
        str | None,
        column("Of --nodes: lists of classes, in a CSV joined by semicolons; none."),
    ] = None,
    group: Annotated[
        str | None, column("Of --nodes: what stays in one part with --split grouped; none.")
    ] = None,
    src: Annotated[str | None, column("Of --edges: the source's id; src.")] = None,
    dst: Annotated[str | None, column("Of --edges: the target's id; dst.")] = None,
    relation: Annotated[str | None, column("Of --edges: the kind of edge; none.")] = None,
    edge_text: Annotated[str | None, column("Of --edges: the text of the edge; none.")] = None,
    undirected: Annotated[
        bool, typer.Option("--undirected", help="Of --edges: they have no direction.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """A graph with texts of your own: tables, or the layouts of CS-TAG, TEG-DB and CANE."""
    from retia.datasets.text import inputs
    from retia.datasets.text.options import TextOptions
    from retia.datasets.text.readers.tables import EdgeMapping, NodeMapping

    node_mapping = NodeMapping(
        id=id_ or NodeMapping.id,
        texts=NodeMapping.texts if text is None else _names("--text", text),
        labels=_names("--label", label),
        multilabels=_names("--multilabel", multilabel),
        groups=(group,) if group else (),
    )
    edge_mapping = EdgeMapping(
        src=src or EdgeMapping.src,
        dst=dst or EdgeMapping.dst,
        relation=relation,
        text=edge_text,
        directed=not undirected,
    )
    source = inputs.choose(
        inputs.Given(nodes, edges, cstag, tegdb, cane, node_mapping, edge_mapping)
    )
    options = TextOptions(
        name=name,
        version=version,
        seed=seed,
        sealed=sealed,
        only=only,
        workers=workers,
        split=split,
        group=group,
        encodings=tuple(encoding or ()),
        texts=texts,
        fit_on=fit_on,
        ask=ask,
        shots=shots,
        license=license_,
    )
    _build(source, options, out, as_json)


def build_airports(
    country: Annotated[
        Literal["usa", "brazil", "europe"], typer.Argument(help="usa, brazil or europe.")
    ],
    folder: Folder,
    out: Out = None,
    seed: Seed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    encoding: Encodings = None,
    texts: Texts = None,
    fit_on: FitOn = None,
    shots: Shots = None,
    license_: License = None,
    as_json: AsJson = False,
) -> None:
    """Airports and flights, a graph without text: COUNTRY-airports-link, -node.

    The folder holds COUNTRY-airports.edgelist and labels-COUNTRY-airports.txt of struc2vec.
    """
    from retia.datasets.text import inputs
    from retia.datasets.text.options import TextOptions

    options = TextOptions(
        name=f"{country}-airports",
        version=version,
        seed=seed,
        only=only,
        workers=workers,
        encodings=tuple(encoding or ()),
        texts=texts,
        fit_on=fit_on,
        shots=shots,
        license=license_,
    )
    _build(inputs.airports(folder, country), options, out, as_json)


def build_cane_cora(
    folder: Folder,
    out: Out = None,
    seed: Seed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    encoding: Encodings = None,
    texts: Texts = None,
    fit_on: FitOn = None,
    shots: Shots = None,
    license_: License = None,
    as_json: AsJson = False,
) -> None:
    """Papers with abstracts (CANE's Cora): cane-cora-link, -node.

    The folder holds data.txt, graph.txt and group.txt of CANE's datasets/cora.
    """
    from retia.datasets.text import inputs
    from retia.datasets.text.options import TextOptions

    options = TextOptions(
        name="cane-cora",
        version=version,
        seed=seed,
        only=only,
        workers=workers,
        encodings=tuple(encoding or ()),
        texts=texts,
        fit_on=fit_on,
        shots=shots,
        license=license_,
    )
    _build(inputs.cane_cora(folder), options, out, as_json)


def build_wn18rr(
    folder: Folder,
    out: Out = None,
    seed: Seed = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    encoding: Encodings = None,
    fit_on: FitOn = None,
    ask: Ask = None,
    license_: License = None,
    as_json: AsJson = False,
) -> None:
    """Synsets of WordNet with glosses and eleven relations: wn18rr-link; hypernyms are hidden.

    The folder holds entity2text.txt, train.txt, valid.txt and test.txt.
    """
    from retia.datasets.text import inputs
    from retia.datasets.text.options import TextOptions

    options = TextOptions(
        name="wn18rr",
        version=version,
        seed=seed,
        workers=workers,
        encodings=tuple(encoding or ()),
        fit_on=fit_on,
        ask=ask,
        license=license_,
    )
    _build(inputs.wn18rr(folder), options, out, as_json)


def _names(option: str, text: str | None) -> tuple[str, ...]:
    """Names of columns joined by commas; none for nothing."""
    from retia.shards.errors import InputError

    if not text:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise InputError(f"{option} '{text}': give names of columns joined by commas, each once")
    return names


def _build(source: "TextSource", options: "TextOptions", out: Path | None, as_json: bool) -> None:
    from retia.datasets.text import build

    run_build(partial(build.build_text, source, options), build.count_steps(options), out, as_json)
