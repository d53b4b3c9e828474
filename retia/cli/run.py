"""Verbs that benchmark: `run`, `models`, `metrics`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retia.cli.output import print_json, print_line, print_table, progress
from retia.shards.errors import InputError

if TYPE_CHECKING:
    from retia.benchmarks.config import RunFile
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
        str | None,
        typer.Option(metavar="REF", help="name or name@version, or a version's folder"),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model that 'retia models' lists.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML with dataset, model, task, encoding, transfer_to, seeds, training, options; "
            "the options of this command go before it.",
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="The task; needed where the dataset has several.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Seeds 0, 1, ...; seed i uses split i.", show_default="10")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where run directories go.")] = DEFAULT_OUT,
    workers: Annotated[
        int | None, typer.Option(help="Processes side by side.", show_default="all cores")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda or cuda:N.", show_default="a GPU where there is one"),
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
            help="dot, hadamard, difference, distance or metric.",
            show_default="difference where there are positions, else hadamard",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Another field of training, or an option of the model; may be given again.",
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
    embeddings: Annotated[
        bool,
        typer.Option("--embeddings", help="Keep embeddings of up to 2,000 nodes, to compare."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train and score a model over seeds, into a run directory ready to submit.

    A seed that is done is not run again, and one that was cut off goes on from its checkpoint.
    Scores are of the best epoch on the validation part; a sealed task has no test scores here, its
    server has.
    """
    from retia.benchmarks.config import make_config
    from retia.benchmarks.runner import read_result, seeds_of
    from retia.benchmarks.runner import run as run_seeds
    from retia.benchmarks.transfer import make_transfer_config

    wish = _run_file(
        config,
        dataset=dataset,
        model=model,
        task=task,
        seeds=seeds,
        encoding=encoding,
        transfer_to=transfer_to,
    )
    training = {
        "epochs": epochs,
        "hidden": hidden,
        "layers": layers,
        "dropout": dropout,
        "lr": lr,
        "decoder": decoder,
    }
    given = {name: value for name, value in training.items() if value is not None}
    training, options = _settings(wish.model, setting or [])
    training = {**wish.training, **given, **training}
    options = {**wish.options, **options}
    version, source = _version(wish.dataset, server, wish.encoding), None
    if wish.transfer_to is None:
        made = make_config(
            version, wish.model, wish.task, encoding=wish.encoding, options=options, **training
        )
    else:
        source, version = version, _version(wish.transfer_to, server, wish.encoding)
        made = make_transfer_config(
            source, version, wish.model, wish.encoding, wish.task, options=options, **training
        )
    wanted = seeds_of(made, version.manifest.task(made.task), wish.seeds)
    with progress() as bar:
        seeds_bar = bar.add_task(f"{made.model} on {version.manifest.name}", total=len(wanted))
        folder = run_seeds(
            version,
            made,
            out,
            seeds=wish.seeds,
            workers=workers,
            on_seed=lambda seed: bar.advance(seeds_bar),
            source=source,
            device=device,
            embeddings=embeddings,
        )
    result = read_result(folder)
    if as_json:
        print_json({"run": str(folder), **result})
        return
    _print_result(version, made.task, result)
    print_line(str(folder))


def _run_file(path: Path | None, **flags: Any) -> "RunFile":
    """What to run: the file's keys, if there is one, and the flags before them."""
    from retia.benchmarks.config import RunFile
    from retia.benchmarks.settings import read_settings, read_yaml

    given = {name: value for name, value in flags.items() if value is not None}
    if path is not None:
        wish = read_yaml(RunFile, path)
        return read_settings(RunFile, {**wish.model_dump(), **given}, str(path))
    for name in ("dataset", "model"):
        if name not in given:
            raise InputError(f"--{name} is missing: give it, or a --config file")
    return read_settings(RunFile, given, "run")


def _settings(model_name: str, settings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`KEY=VALUE` words as fields of training, and options of the model."""
    import yaml

    from retia.benchmarks.config import Training
    from retia.benchmarks.models import model

    training: dict[str, Any] = {}
    options: dict[str, Any] = {}
    own = model(model_name).options.model_fields
    for word in settings:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"--set {word}: KEY=VALUE is needed")
        chosen = training if name in Training.model_fields and name not in own else options
        try:
            chosen[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {word}: the value is not readable") from error
    return training, options


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
            "options": {name: field.default for name, field in model.options.model_fields.items()},
        }
        for model in MODELS.values()
    ]
    if as_json:
        print_json(rows)
        return
    for trained in (False, True):
        print_line("Trained, over seeds:" if trained else "Computed, once a split:")
        for row in rows:
            if row["trained"] is trained:
                _print_model(row)


def _print_model(row: dict[str, Any]) -> None:
    needs = f"; needs {' and '.join(row['needs'])}" if row["needs"] else ""
    print_line(f"\n  {row['name']}    {', '.join(row['tasks'])}{needs}")
    print_line(f"    {row['summary']}")
    if row["paper"]:
        print_line(f"    {row['paper']}")
    if row["options"]:
        given = " ".join(f"{name}={value}" for name, value in row["options"].items())
        print_line(f"    --set {given}")


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
