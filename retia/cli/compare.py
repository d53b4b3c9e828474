"""The verb that compares what models have learned: `compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retia.cli.output import print_json, print_line, print_table, progress

if TYPE_CHECKING:
    from retia.benchmarks.analysis.comparison import Comparison

LEARNED = {"same": "the same", "different": "something else", "open": "not decided"}


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("compare", rich_help_panel="Benchmarks")(compare)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Directories of runs made with --embeddings."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write compare.html and the figures, as SVG, here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hold the embeddings of runs of one dataset against each other: who learned the same thing.

    CKA, RSA, topological RSA, relative representations and affine stitching, over all seeds. Two
    runs learned the same thing when they are as alike as two seeds of one of them are.
    """
    from retia.benchmarks.analysis.comparison import compare_runs
    from retia.benchmarks.analysis.measures import MEASURES

    with progress() as bar:
        task = bar.add_task("measures", total=len(MEASURES))
        comparison = compare_runs(runs, lambda name: bar.advance(task))
    written = []
    if out is not None:
        from retia.benchmarks.analysis.page import write_comparison

        written = write_comparison(comparison, out)
    if as_json:
        print_json(comparison.as_dict() | {"files": [str(path) for path in written]})
        return
    _show(comparison)
    for path in written:
        print_line(str(path))


def _show(comparison: "Comparison") -> None:
    from retia.benchmarks.analysis.measures import MEASURES

    runs = [
        (str(i + 1), label, len(run.seeds))
        for i, (label, run) in enumerate(zip(comparison.labels, comparison.runs, strict=True))
    ]
    print_table(f"{comparison.dataset}, {comparison.nodes:,} nodes", ("", "run", "seeds"), runs)
    number = len(runs)
    places = [(i, i) for i in range(number)]
    places += [(i, j) for i in range(number) for j in range(i + 1, number)]
    words = [MEASURES[name].word for name in comparison.by_run]
    # Stitching differs by direction: a row shows the mean of both.
    means = [(matrix + matrix.T) / 2 for matrix in comparison.by_run.values()]
    rows = [(f"{i + 1} · {j + 1}", *(_figure(mean[i, j]) for mean in means)) for i, j in places]
    print_table("\nSimilarity within and between runs", ("runs", *words), rows)
    pairs = [
        (
            f"{i + 1} · {j + 1}",
            _figure(pair["ratio"]),
            *map(_figure, pair["interval"]),
            LEARNED[pair["verdict"]],
        )
        for (i, j), pair in zip(places[number:], comparison.pairs(), strict=True)
    ]
    title = "\nCKA between runs as a share of that within them"
    print_table(title, ("runs", "ratio", "from", "to", "learned"), pairs)
    for group in comparison.groups:
        if len(group) > 1:
            print_line(f"the same thing: {'; '.join(group)}")


def _figure(value: float | None) -> str | None:
    return None if value is None or value != value else f"{value:.3f}"
