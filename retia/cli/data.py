"""Verbs that show, fetch and convert datasets: `list`, `inspect`, `download`, `export`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from retia.cli.options import AsJson, Server
from retia.cli.output import console, print_json, print_line, print_table
from retia.shards.errors import CheckError, InputError
from retia.shards.manifest import Encoding, Manifest, Task, dump
from retia.shards.store import default_store, resolve, versions
from retia.shards.version import Version

PANEL = "Datasets"
COLUMNS = ("name", "version", "kind", "nodes", "edges", "tasks", "secrecy", "size")
ENCODING = ("name", "encoder", "of", "fitted on", "pooling", "vectors", "normalised")
UNITS = ("B", "kB", "MB", "GB", "TB")

Reference = Annotated[
    str,
    typer.Argument(metavar="REF", help="name[@version] in the local store, or a version's folder."),
]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("list", rich_help_panel=PANEL)(list_datasets)
    app.command("inspect", rich_help_panel=PANEL)(inspect)
    app.command("download", rich_help_panel=PANEL)(download)
    export = typer.Typer(no_args_is_help=True)
    export.command("ogb")(export_ogb)
    export.callback()(_export)
    app.add_typer(export, name="export", rich_help_panel=PANEL)


def list_datasets(
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="List a server's datasets, not the local store's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the datasets of the local store, or of a server."""
    rows = _remote_rows(server) if server else [_row(read) for read in _local_versions()]
    if as_json:
        print_json([_object(row) for row in rows])
        return
    place = server or str(default_store())
    if not rows:
        print_line(f"No datasets in {place}.")
        return
    print_table(place, COLUMNS, [(*row[:-1], human_size(row[-1])) for row in rows])


def inspect(
    reference: Reference,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every file; exit with 1 if one is wrong.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a dataset holds; with --verify, check the sha256 of every file."""
    version = resolve(reference)
    absent = version.absent_encodings()
    problems = version.verify(without=absent) if verify else []
    if as_json:
        checked = {"problems": problems, "absent_encodings": absent} if verify else {}
        print_json(dump(version.manifest) | checked)
    else:
        _show(version)
        for problem in problems:
            print_line(problem)
        if verify and not problems:
            print_line(f"{_count_files(version):,} files, all sums right")
        if verify and absent:
            print_line(f"not downloaded: the encodings {', '.join(absent)}")
    if problems:
        raise CheckError(
            f"{version.manifest.reference}: {len(problems)} problems in {version.root}"
        )


def download(
    reference: Annotated[
        str, typer.Argument(metavar="NAME[@V]", help="Dataset, by default its newest version.")
    ],
    server: Server,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write DIR/name/version/; by default the local store."),
    ] = None,
    encoding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Of the encodings of texts this one alone; may be repeated.",
            show_default="all",
        ),
    ] = None,
    no_encodings: Annotated[
        bool, typer.Option("--no-encodings", help="Leave the encodings of texts out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download a dataset from a server, and verify every file. A cut download is resumed.

    Run again with another --encoding, it adds that one.
    """
    from retia.loaders.cache import fetch
    from retia.loaders.client import Client

    if encoding and no_encodings:
        raise InputError("--encoding and --no-encodings exclude each other")
    wanted = () if no_encodings else encoding
    with Client(server) as client:
        version = fetch(reference, client, out or default_store(), wanted)
    if as_json:
        manifest = version.manifest
        absent = version.absent_encodings()
        present = [card.name for card in manifest.encodings or () if card.name not in absent]
        files = len(manifest.files_with(present))
        print_json({"path": str(version.root), "digest": manifest.digest, "files": files})
    else:
        print_line(str(version.root))


def _export() -> None:
    """Write a dataset in the format of another library."""


def export_ogb(
    reference: Reference,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")],
    task: Annotated[
        str | None, typer.Option(metavar="T", help="Task; not needed where there is one.")
    ] = None,
    split: Annotated[int, typer.Option(min=0, help="The split that loaders take by default.")] = 0,
    encoding: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Encoding of texts to put after the features."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write an open task for OGB's own loaders: a folder, its zip, and meta_dict.pt.

    Load it with ogb 1.3.6 and TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 set, giving the loader
    meta_dict=torch.load("meta_dict.pt").
    """
    from retia.shards.ogb import export_ogb as write

    version = resolve(reference)
    path = write(version, version.manifest.task(task).name, out, split, encoding)
    meta = path.with_name("meta_dict.pt")
    if as_json:
        print_json({"zip": str(path), "folder": str(path.with_suffix("")), "meta_dict": str(meta)})
    else:
        print_line(str(path))
        console.print(f"load it with meta_dict=torch.load('{meta}')", markup=False, soft_wrap=True)


def human_size(size: int | None) -> str:
    """A number of bytes for people."""
    if size is None:
        return ""
    value, step = float(size), 0
    while value >= 1000 and step < len(UNITS) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.0f} {UNITS[step]}" if step == 0 else f"{value:.1f} {UNITS[step]}"


def _local_versions() -> list[Manifest]:
    return [Version.open(folder).manifest for folder in versions(default_store())]


def _row(manifest: Manifest) -> tuple[Any, ...]:
    edges = sum(relation.num_edges for relation in manifest.relations)
    tasks = ", ".join(task.name for task in manifest.tasks)
    size = sum(shard.bytes for shard in manifest.shards)
    nodes, secrecy = manifest.num_nodes, _secrecy(task.secrecy for task in manifest.tasks)
    return manifest.name, manifest.version, manifest.kind, nodes, edges, tasks, secrecy, size


def _remote_rows(server: str) -> list[tuple[Any, ...]]:
    from retia.loaders.client import Client

    with Client(server) as client:
        return [_remote_row(entry) for entry in client.datasets()]


def _remote_row(entry: dict[str, Any]) -> tuple[Any, ...]:
    from retia.loaders.client import one_line

    tasks = [task for task in entry.get("tasks") or [] if isinstance(task, dict)]
    shown = [one_line(str(entry.get(key, ""))) for key in ("name", "version", "kind")]
    counts = [entry.get("num_nodes"), entry.get("num_edges")]
    names = one_line(", ".join(str(task.get("name")) for task in tasks))
    secrecy = one_line(_secrecy(str(task.get("secrecy")) for task in tasks))
    return (*shown, *counts, names, secrecy, None)


def _secrecy(values: Any) -> str:
    return ", ".join(sorted(set(values)))


def _object(row: tuple[Any, ...]) -> dict[str, Any]:
    return {key: value for key, value in zip(COLUMNS, row, strict=True) if value is not None}


def _files(manifest: Manifest) -> int:
    return len(manifest.shards)


def _count_files(version: Version) -> int:
    return sum(path.is_file() for path in version.root.rglob("*"))


def _show(version: Version) -> None:
    manifest = version.manifest
    edges = sum(relation.num_edges for relation in manifest.relations)
    size = sum(shard.bytes for shard in manifest.shards)
    facts = [
        ("title", manifest.title),
        ("kind", f"{manifest.kind}{', synthetic' if manifest.provenance.synthetic else ''}"),
        ("licence", manifest.license),
        ("graph", f"{manifest.num_nodes:,} nodes, {edges:,} visible edges"),
        ("files", f"{_files(manifest):,}, {human_size(size)}"),
        ("folder", version.root),
        ("built by", f"{manifest.provenance.builder}, Retia {manifest.provenance.retia_version}"),
        ("created", manifest.created),
        ("digest", manifest.digest),
    ]
    print_line(manifest.reference)
    for name, value in facts:
        print_line(f"  {name:<10}{value}")
    relations = [
        (r.name, "directed" if r.directed else "undirected", r.num_edges, _names(r.columns))
        for r in manifest.relations
    ]
    print_table("\nRelations", ("name", "kind", "edges", "columns"), relations)
    columns = [(c.name, c.dtype, c.role, c.unit, c.description) for c in manifest.columns]
    if columns:
        print_table("\nNode columns", ("name", "type", "role", "unit", "description"), columns)
    if manifest.encodings:
        print_table("\nEncodings", ENCODING, [_encoding_row(card) for card in manifest.encodings])
    tasks = [_task_row(task) for task in manifest.tasks]
    if tasks:
        heads = ("name", "type", "on", "splits", "train", "valid", "test", "measured by", "secrecy")
        print_table("\nTasks", heads, tasks)
    accepted = [(a.check, a.subject, a.reason) for a in manifest.accepted or ()]
    if accepted:
        print_table("\nAccepted findings of the audit", ("check", "on", "reason"), accepted)
    sources = [(s.uri, s.license, s.sha256[:12]) for s in manifest.provenance.sources]
    print_table("\nSources", ("from", "licence", "sha256"), sources)


def _encoding_row(card: Encoding) -> tuple[Any, ...]:
    encoder = f"{card.encoder} {card.revision}" if card.revision else card.encoder
    pooling = card.pooling or ""
    if card.max_length:
        pooling = f"{pooling} of {card.max_length} tokens".strip()
    vectors = f"{card.dimensions} {card.dtype}"
    normalised = "yes" if card.normalised else "no"
    return card.name, encoder, card.texts, card.fitted_on, pooling, vectors, normalised


def _task_row(task: Task) -> tuple[Any, ...]:
    counts = task.counts[0]
    subject = task.relation or task.label
    sizes = (counts.train, counts.valid, counts.test)
    splits = f"{task.num_splits} {task.split.scheme}"
    return task.name, task.type, subject, splits, *sizes, task.primary.key, task.secrecy


def _names(columns: Any) -> str:
    return ", ".join(column.name for column in columns)
