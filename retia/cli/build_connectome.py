"""The verbs of `retia build` that make datasets of connectomes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from retia.cli.build_options import (
    ONLY,
    SEALED,
    Cache,
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
    from retia.datasets.connectome.inputs import ConnectomeSource
    from retia.datasets.connectome.options import ConnectomeOptions

Sibling = Literal["link", "weight", "node"]
SplitBy = Literal["random", "pair", "homolog", "hemisphere"]

Only = Annotated[Sibling | None, ONLY]
Sealed = Annotated[Sibling | None, SEALED]
Split = Annotated[
    SplitBy,
    typer.Option(
        help="What stays together when connections are hidden: nothing; both directions of a "
        "mutual pair; also its mirror between homologs. Or learn on the left side, and tell the "
        "right one."
    ),
]
MinWeight = Annotated[float, typer.Option(help="Leave weaker connections out.")]
KindFilter = Annotated[
    str | None,
    typer.Option(help="Keep these layers alone, joined by commas, as in chemical,gap."),
]


WORMS = {
    "celegans": "The worm's neurons, synapses and gap junctions (Cook 2019): celegans-link, "
    "-weight, -node.",
    "celegans-varshney": "The worm without its pharynx (Varshney 2011): celegans-varshney-link, "
    "-weight, -node.",
    "celegans-witvliet-adult": "The brain of one adult worm (Witvliet 2021): "
    "celegans-witvliet-adult-link, -weight, -node.",
}
FETCHED = "Downloads the source (14 MB, once): a pinned release of the package cect, not installed."
FLIES = {
    "larva": "The brain of a fly larva (Winding 2023): larva-link, -weight, -node. The folder "
    "holds G_edgelist.txt and meta_data.csv of neurodata/bilateral-connectome.",
    "mushroom-body": "Both mushroom bodies of a fly larva (Eichler 2017): mushroom-body-link, "
    "-weight, -node. The folder holds left_adjacency.csv, left_cell_labels.csv and the same of the "
    "right, of graspologic.",
}


def register(build: typer.Typer) -> None:
    """Add the verbs of this module."""
    for name, text in WORMS.items():
        build.command(name, help=f"{text}\n\n{FETCHED}")(_worm(name))
    build.command("celegans-witvliet")(build_celegans_witvliet)
    for name, text in FLIES.items():
        build.command(name, help=text)(_fly(name))
    build.command("connectome")(build_connectome)


def _worm(name: str) -> Callable[..., None]:
    """The verb of a connectome of the catalogue that has a pinned source."""

    def build(
        out: Out = None,
        seed: Seed = None,
        sealed: Sealed = None,
        only: Only = None,
        workers: Workers = 1,
        version: VersionNumber = "1.0.0",
        split: Split = "random",
        min_weight: MinWeight = 0.0,
        kind_filter: KindFilter = None,
        cache: Cache = None,
        as_json: AsJson = False,
    ) -> None:
        from retia.datasets.connectome import inputs
        from retia.datasets.connectome.options import ConnectomeOptions, parse_layers

        options = ConnectomeOptions(
            name=name,
            version=version,
            seed=seed,
            sealed=sealed,
            only=only,
            workers=workers,
            split=split,
            min_weight=min_weight,
            layers=parse_layers(kind_filter),
        )
        _build(inputs.known_source(name, cache=cache), options, out, as_json)

    return build


def _fly(name: str) -> Callable[..., None]:
    """The verb of a connectome of the catalogue that the user has a copy of."""

    def build(
        folder: Folder,
        out: Out = None,
        seed: Seed = None,
        sealed: Sealed = None,
        only: Only = None,
        workers: Workers = 1,
        version: VersionNumber = "1.0.0",
        split: Split = "random",
        min_weight: MinWeight = 0.0,
        license_: License = None,
        as_json: AsJson = False,
    ) -> None:
        from retia.datasets.connectome import inputs
        from retia.datasets.connectome.options import ConnectomeOptions

        options = ConnectomeOptions(
            name=name,
            version=version,
            seed=seed,
            sealed=sealed,
            only=only,
            workers=workers,
            split=split,
            min_weight=min_weight,
            license=license_,
        )
        _build(inputs.known_source(name, folder), options, out, as_json)

    return build


def build_celegans_witvliet(
    out: Out = None,
    seed: Seed = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    min_weight: MinWeight = 0.0,
    kind_filter: KindFilter = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """The worm's brain as it grows (Witvliet 2021): celegans-witvliet-stage, from eight animals."""
    from retia.datasets.connectome import inputs
    from retia.datasets.connectome.options import ConnectomeOptions, parse_layers

    options = ConnectomeOptions(
        name="celegans-witvliet",
        version=version,
        seed=seed,
        only="stage",
        workers=workers,
        min_weight=min_weight,
        layers=parse_layers(kind_filter),
    )
    _build(inputs.Stages(cache), options, out, as_json)


def build_connectome(
    name: Annotated[str, typer.Option(help="Makes NAME-link, NAME-weight and NAME-node.")],
    edges: Annotated[
        Path | None, typer.Option(help="A table of connections: CSV, TSV, text or Parquet.")
    ] = None,
    nodes: Annotated[Path | None, typer.Option(help="With --edges: a table of neurons.")] = None,
    matrix: Annotated[
        Path | None,
        typer.Option(help="A square matrix, from row to column: .csv, .tsv, .xlsx, .npz or .mat."),
    ] = None,
    graphml: Annotated[Path | None, typer.Option(help="A graph in GraphML.")] = None,
    neuprint: Annotated[
        Path | None, typer.Option(help="A folder of tables that neuPrint exports.")
    ] = None,
    flywire: Annotated[
        Path | None, typer.Option(help="A folder of tables of FlyWire's Codex.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="What a weight counts or measures, as in synapses.")
    ] = None,
    header: Annotated[
        bool, typer.Option(help="Whether the table of connections names its columns.")
    ] = True,
    out: Out = None,
    seed: Seed = None,
    sealed: Sealed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    split: Split = "random",
    min_weight: MinWeight = 0.0,
    kind_filter: KindFilter = None,
    license_: License = None,
    pre: Annotated[str | None, column("Of --edges: the sender; pre.")] = None,
    post: Annotated[str | None, column("Of --edges: the receiver; post.")] = None,
    weight: Annotated[
        str | None, column("Of --edges: the weight; weight. '' for none, then a row counts 1.")
    ] = None,
    layer: Annotated[
        str | None, column("Of --edges: the layer; none by default, then all is chemical.")
    ] = None,
    node_name: Annotated[str | None, column("Of --nodes: the name; name.")] = None,
    cell_class: Annotated[str | None, column("Of --nodes: the class; class.")] = None,
    transmitter: Annotated[str | None, column("Of --nodes: transmitter.")] = None,
    side: Annotated[str | None, column("Of --nodes: left or right; side.")] = None,
    homolog: Annotated[str | None, column("Of --nodes: the partner's name; homolog.")] = None,
    x: Annotated[str | None, column("Of --nodes: position in um; x.")] = None,
    y: Annotated[str | None, column("Of --nodes: y.")] = None,
    z: Annotated[str | None, column("Of --nodes: z.")] = None,
    as_json: AsJson = False,
) -> None:
    """A connectome of your own: tables, a matrix, GraphML, or exports of neuPrint and FlyWire."""
    from retia.datasets.connectome import inputs
    from retia.datasets.connectome.options import ConnectomeOptions, parse_layers

    source = inputs.choose(
        inputs.Given(
            edges=edges,
            nodes=nodes,
            matrix=matrix,
            graphml=graphml,
            neuprint=neuprint,
            flywire=flywire,
            unit=unit,
            header=header,
            columns={
                "pre": pre,
                "post": post,
                "weight": weight,
                "layer": layer,
                "name": node_name,
                "cell_class": cell_class,
                "transmitter": transmitter,
                "side": side,
                "homolog": homolog,
                "x": x,
                "y": y,
                "z": z,
            },
        )
    )
    options = ConnectomeOptions(
        name=name,
        version=version,
        seed=seed,
        sealed=sealed,
        only=only,
        workers=workers,
        split=split,
        min_weight=min_weight,
        layers=parse_layers(kind_filter),
        license=license_,
    )
    _build(source, options, out, as_json)


def _build(
    source: "ConnectomeSource", options: "ConnectomeOptions", out: Path | None, as_json: bool
) -> None:
    from retia.datasets.connectome import build

    run_build(
        partial(build.build_connectome, source, options), build.count_steps(options), out, as_json
    )
