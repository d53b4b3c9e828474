"""The verb that counts motifs: `motifs`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from retia.cli.output import console, print_json, print_line, print_table, progress
from retia.shards.errors import InputError
from retia.shards.store import resolve
from retia.shards.version import Version

if TYPE_CHECKING:
    from retia.datasets.connectome.motifs.families import Family
    from retia.datasets.connectome.motifs.report import Held, Report
    from retia.datasets.connectome.motifs.wiring import Wiring

Choice = Literal["degree", "mutual", "both", "weights", "spatial"]
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("motifs", rich_help_panel="Datasets")(motifs)


def motifs(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="name or name@version in the local store, or a version's folder."
        ),
    ],
    relation: Annotated[
        str | None,
        typer.Option(help="Whose edges count.", show_default="chemical, or the only one"),
    ] = None,
    null: Annotated[
        Choice | None,
        typer.Option(
            help="Random graphs to hold the counts against. degree: the same in- and out-degrees; "
            "mutual: and the same mutual pairs a node; both: these two; weights: weights shuffled "
            "(with --min-weight); spatial: as many edges of each length (with positions)."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(help="Random graphs of each null model.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same draws.")] = 0,
    swaps: Annotated[
        int, typer.Option(min=1, max=1000, help="Exchanges tried an edge (degree, mutual).")
    ] = 10,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Threads; the result does not depend on them.")
    ] = 2,
    min_weight: Annotated[
        float | None, typer.Option(metavar="W", help="Count edges of at least this weight.")
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Also count triads by the colours of their nodes: a column of the nodes or the "
            "ids, or the label of a node task.",
        ),
    ] = None,
    four: Annotated[bool, typer.Option("--four", help="Also count motifs of four nodes.")] = False,
    rich_club: Annotated[
        bool,
        typer.Option("--rich-club", help="Also count edges among nodes of high degree."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write motifs.csv, motifs.json and, with --null, motifs.svg and motifs.png here, "
            "and keep the draws. Without --null nothing is written unless this is given.",
            show_default="NAME-motifs in the working directory",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count the triads of a relation's visible edges, and hold them against null models.

    A row a triad class: how often three nodes are joined just so, and how often at least so. With
    --null also z, the ratio to the mean of the draws, the empirical p of both tails and q after
    Benjamini and Hochberg. An interrupted run goes on where it was.
    """
    from retia.datasets.connectome.motifs import report as reports
    from retia.datasets.connectome.motifs.source import choose_relation, read_wiring

    version = resolve(reference)
    described = choose_relation(version.manifest, relation)
    nulls = _nulls(null, described.directed)
    wiring = read_wiring(version, described.name, min_weight, colour)
    families = _families(wiring, colour is not None, four, rich_club, nulls)
    folder = out or Path(f"{version.manifest.name}-motifs")
    with progress() as bar:
        task = bar.add_task("draws", total=draws * len(nulls), visible=bool(nulls))
        try:
            report = reports.make_report(
                wiring,
                families,
                nulls,
                draws=draws,
                seed=seed,
                swaps=swaps,
                workers=workers,
                folder=folder / "draws",
                on_draw=lambda number: bar.advance(task, number),
            )
        except KeyboardInterrupt:
            console.print(f"stopped; the same command goes on from {folder / 'draws'}")
            raise
    content = _facts(version, described.name, described.directed) | report.as_dict()
    written = []
    if nulls or out is not None:
        written = reports.write_report(content, folder)
        if nulls:
            written += _write_figures(report, content, folder)
    if as_json:
        print_json(content | {"files": [str(path) for path in written]})
        return
    _show(report, content)
    for path in written:
        print_line(str(path))


def _nulls(choice: Choice | None, directed: bool) -> tuple[str, ...]:
    if choice is None:
        return ()
    if not directed and choice != "mutual":
        raise InputError(
            "an undirected relation counts as mutual pairs, which only --null mutual keeps so"
        )
    return ("degree", "mutual") if choice == "both" else (choice,)


def _families(
    wiring: "Wiring", coloured: bool, four: bool, rich_club: bool, nulls: tuple[str, ...]
) -> "list[Family]":
    from retia.datasets.connectome.motifs import families as known

    if rich_club and not set(nulls) <= {"degree", "mutual"}:
        raise InputError(
            "--rich-club compares graphs of the same degrees: --null degree, mutual or both"
        )
    found = [known.TRIAD_FAMILY]
    if coloured:
        found.append(known.coloured_family(wiring))
    if four:
        found.append(known.four_node_family())
    if rich_club:
        found.append(known.rich_club_family(wiring))
    return found


def _facts(version: Version, relation: str, directed: bool) -> dict[str, Any]:
    """What the counts are of."""
    hidden = [
        task.name
        for task in version.manifest.tasks
        if task.type in ("link", "edge-regression") and task.relation == relation
    ]
    return {
        "dataset": version.manifest.reference,
        "digest": version.manifest.digest,
        "relation": relation,
        "directed": directed,
        "edges_hidden_by": hidden,
    }


def _write_figures(report: "Report", content: dict[str, Any], folder: Path) -> list[Path]:
    from retia.datasets.connectome.motifs.figure import write_rich_club, write_triads

    title = f"{content['dataset']}, {content['relation']}"
    size = f"{report.nodes:,} nodes, {report.edges:,} edges; {report.nulls[0].draws:,} draws"
    paths = write_triads(report.significance("triads"), title, size, folder)
    if any(family.name == "rich-club" for family in report.families):
        paths += write_rich_club(report.significance("rich-club"), title, size, folder)
    return paths


def _show(report: "Report", content: dict[str, Any]) -> None:
    print_line(f"{content['dataset']}, {content['relation']}")
    for name, value in _lines(report, content):
        print_line(f"  {name:<12} {value}")
    for family in report.families:
        _show_family(report, family)


def _lines(report: "Report", content: dict[str, Any]) -> list[tuple[str, str]]:
    strong = "" if report.min_weight is None else f" of weight {report.min_weight:g} or more"
    lines = [("graph", f"{report.nodes:,} nodes, {report.edges:,} edges{strong}")]
    if not content["directed"]:
        lines.append(("undirected", "every edge counts as a mutual pair"))
    if content["edges_hidden_by"]:
        tasks = ", ".join(content["edges_hidden_by"])
        lines.append(("visible", f"the edges that '{tasks}' asks for are hidden, and not counted"))
    mutual = f"{report.reciprocity:.3f}, {report.mutual_pairs:,} mutual pairs"
    lines.append(("reciprocity", mutual if report.edges else "no edges"))
    return lines + [(f"null {held.null}", _describe(held)) for held in report.nulls]


def _describe(held: "Held") -> str:
    text = f"{held.draws:,} draws, seed {held.seed}"
    mixing = held.mixing
    if mixing is None:
        return f"{text}, each drawn outright"
    text += f", {mixing.accepted:.1f} of {mixing.steps:.0f} exchanges an edge taken; "
    text += f"{mixing.overlap:.1%} of the edges shared, {mixing.halfway_overlap:.1%} halfway; "
    return text + ("mixed" if mixing.mixed else "NOT MIXED: give more --swaps")


def _show_family(report: "Report", family: "Family") -> None:
    counts, is_triads = report.counts[family.name], family.name == "triads"
    shown, which = _choose_rows(family, counts.tolist())
    heads = ["motif", "count", *(["non-induced"] if is_triads else [])]
    for held in report.nulls:
        heads += [f"z {held.null}", "ratio", "p", "q"]
    rows = []
    for place in shown:
        motif = family.motifs[place]
        row: list[Any] = [motif, int(counts[place])]
        if is_triads:
            row.append(report.noninduced.get(motif))
        for held in report.nulls:
            row += _cells(held, family.name, place)
        rows.append(row)
    print_table(f"\n{family.about}{which}", heads, rows)


def _choose_rows(family: "Family", counts: list[int]) -> tuple[list[int], str]:
    """The rows that a table shows, and which these are."""
    places, number = list(range(len(counts))), f"{len(counts):,}"
    if len(places) <= SHOWN:
        return places, ""
    if family.in_order:
        step = -(-len(places) // SHOWN)
        return places[::step], f"; one in {step} of {number}"
    places.sort(key=lambda place: -counts[place])
    return places[:SHOWN], f"; the {SHOWN} most frequent of {number}"


def _cells(held: "Held", family: str, place: int) -> list[str | None]:
    from retia.datasets.connectome.motifs.report import figures

    found = figures(held.significance[family], place)
    formats = {"z": ".1f", "ratio": ".2f", "p": ".4f", "q": ".4f"}
    return [None if found[key] is None else format(found[key], how) for key, how in formats.items()]
