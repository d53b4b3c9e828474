"""Verbs that benchmark: `run`, `models`, `metrics`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retia.cli.output import print_json, print_line, print_table, progress

if TYPE_CHECKING:
    from retia.shards.version import Version

PANEL = "Benchmarks"
DEFAULT_OUT = Path("runs")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("run", rich_help_panel=PANEL)(run)
    app.command("models", rich_help_panel=PANEL)(models)
    app.command("metrics", rich_help_panel=PANEL)(metrics)


def run(
    dataset: Annotated[
        str,
        typer.Option(metavar="REF", help="name or name@version, or a version's folder"),
    ],
    model: Annotated[str, typer.Option(help="A model that 'retia models' lists.")],
    task: Annotated[
        str | None, typer.Option(help="The task; needed where the dataset has several.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ...; seed i uses split i.")] = 10,
    out: Annotated[Path, typer.Option(help="Where run directories go.")] = DEFAULT_OUT,
    workers: Annotated[
        int | None, typer.Option(help="Processes, one thread each.", show_default="all cores")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Most epochs.", show_default="30 for links, 100 for nodes")
    ] = None,
    hidden: Annotated[int | None, typer.Option(help="Hidden units.", show_default="32")] = None,
    layers: Annotated[int | None, typer.Option(help="Layers.", show_default="2")] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Dropout.", show_default="0 for links, 0.2 for nodes")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.", show_default="0.01")] = None,
    decoder: Annotated[
        str | None,
        typer.Option(
            help="hadamard or difference.",
            show_default="difference where there are positions, else hadamard",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Encoding of texts among the inputs; 'retia inspect' lists those there are.",
            show_default="none",
        ),
    ] = None,
    transfer_to: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Predict this dataset, with no label of it used: learn on --dataset, through the "
            "--encoding that both share.",
        ),
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Download the dataset from this server.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train and score a model over seeds, into a run directory ready to submit.

    A seed that is done is not run again: an interrupted run goes on where it was. Scores are of
    the best epoch on the validation part; a sealed task has no test scores here, its server has.
    """
    from retia.benchmarks.config import make_config
    from retia.benchmarks.runner import read_result, seeds_of
    from retia.benchmarks.runner import run as run_seeds
    from retia.benchmarks.transfer import make_transfer_config

    version = _version(dataset, server, encoding)
    options = {
        "epochs": epochs,
        "hidden": hidden,
        "layers": layers,
        "dropout": dropout,
        "lr": lr,
        "decoder": decoder,
    }
    source = None
    if transfer_to is None:
        config = make_config(version, model, task, encoding=encoding, **options)
    else:
        source, version = version, _version(transfer_to, server, encoding)
        config = make_transfer_config(source, version, model, encoding, task, **options)
    wanted = seeds_of(config, version.manifest.task(config.task), seeds)
    with progress() as bar:
        seeds_bar = bar.add_task(f"{config.model} on {version.manifest.name}", total=len(wanted))
        folder = run_seeds(
            version,
            config,
            out,
            seeds=seeds,
            workers=workers,
            on_seed=lambda seed: bar.advance(seeds_bar),
            source=source,
        )
    result = read_result(folder)
    if as_json:
        print_json({"run": str(folder), **result})
        return
    _print_result(version, config.task, result)
    print_line(str(folder))


def models(as_json: Json = False) -> None:
    """List the models: what they are, which tasks they fit, what they need."""
    from retia.benchmarks.models import MODELS

    rows = [
        {
            "name": model.name,
            "summary": model.summary,
            "paper": model.paper,
            "tasks": list(model.tasks),
            "trained": model.trained,
            "needs": list(model.needs),
        }
        for model in MODELS.values()
    ]
    if as_json:
        print_json(rows)
        return
    table = [
        (
            model.name,
            ", ".join(model.tasks),
            ", ".join([*(["training"] if model.trained else []), *model.needs]),
            f"{model.summary}. {model.paper}" if model.paper else model.summary,
        )
        for model in MODELS.values()
    ]
    print_table("Models", ("name", "tasks", "needs", "what it is"), table)


def metrics(as_json: Json = False) -> None:
    """List the metrics: what they take, and which way is better."""
    from retia.protocol.metrics import REGISTRY

    rows = [
        {
            "name": metric.name,
            "takes": metric.kind,
            "better": "higher" if metric.higher_is_better else "lower",
            "description": metric.description,
        }
        for metric in REGISTRY.values()
    ]
    if as_json:
        print_json(rows)
        return
    print_table("Metrics", list(rows[0]), (list(row.values()) for row in rows))


def _version(dataset: str, server: str | None, encoding: str | None) -> "Version":
    from retia.loaders import load

    return load(dataset, server=server, encoding=encoding).version


def _print_result(version: "Version", task: str, result: dict[str, Any]) -> None:
    measures = [measure.key for measure in version.manifest.task(task).measures]
    title = f"{result['submission']['method']} on {version.manifest.reference}, {task}, "
    count = len(result["seeds"])
    title += f"{count} seed{'s' if count > 1 else ''}"
    rows = [
        (measure, _mean_std(result["valid"], measure), _mean_std(result["test"], measure))
        for measure in measures
    ]
    print_table(title, ("measure", "valid", "test"), rows)


def _mean_std(summary: dict[str, Any] | None, measure: str) -> str:
    if summary is None:
        return "sealed"
    mean, std = summary[measure]["mean"], summary[measure]["std"]
    return f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"
