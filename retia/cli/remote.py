"""Verbs that talk to a server: `login`, `submit`, `publish`."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from retia.cli.options import AsJson, Server
from retia.cli.output import console, print_json, print_line, print_table, progress
from retia.shards.errors import CheckError, InputError
from retia.shards.manifest import Manifest, Shard, dump
from retia.shards.store import resolve
from retia.shards.version import SEALED_FOLDER, Version

PANEL = "Publish and submit"
REQUIRED = ("dataset", "version", "digest", "task", "method", "parameters")
SHORTEST_POLL_S, LONGEST_POLL_S = 0.3, 5.0

Wait = Annotated[bool, typer.Option("--wait", help="Wait for the outcome; exit with 1 if bad.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("login", rich_help_panel=PANEL)(login)
    app.command("submit", rich_help_panel=PANEL)(submit)
    app.command("publish", rich_help_panel=PANEL)(publish)


def login(
    server: Server,
    name: Annotated[str | None, typer.Option(help="Account; asked for where not given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="A further scope beside read and submit: publish."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Get a token for a server and keep it in a file that only you can read."""
    import platform

    from retia.loaders.client import Client
    from retia.loaders.tokens import store_token

    with Client(server) as client:
        name = name or typer.prompt("Name", err=True)
        password = (
            sys.stdin.readline().rstrip("\r\n")
            if password_stdin
            else typer.prompt("Password", hide_input=True, err=True)
        )
        scopes = list(dict.fromkeys(["read", "submit", *(scope or [])]))
        label = f"retia login on {platform.node() or 'a machine'}"
        answer = client.create_token(name, password, scopes, label)
        path = store_token(client.server, str(answer["token"]))
    if as_json:
        print_json({key: answer.get(key) for key in ("scopes", "expires")} | {"file": str(path)})
    else:
        print_line(f"Logged in to {client.server} as {name}; token in {path}.")


def submit(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN_DIR", help="Folder with result.json and predictions.parquet."),
    ],
    server: Server,
    method: Annotated[str | None, typer.Option(help="Name of the method on the board.")] = None,
    contact: Annotated[str | None, typer.Option(help="Who to ask: an address or a name.")] = None,
    code_url: Annotated[str | None, typer.Option(help="Where the code is.")] = None,
    paper_url: Annotated[str | None, typer.Option(help="Where the paper is.")] = None,
    notes: Annotated[str | None, typer.Option(help="Remarks shown with the entry.")] = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Submit the predictions of a run to a server's leaderboard.

    Submitting the same run twice counts once.
    """
    from retia.loaders.client import Client, server_url
    from retia.loaders.tokens import require_token

    given = {
        "method": method,
        "contact": contact,
        "code_url": code_url,
        "paper_url": paper_url,
        "notes": notes,
    }
    meta = read_meta(run) | {key: value for key, value in given.items() if value is not None}
    missing = [key for key in REQUIRED if meta.get(key) in (None, "")]
    if missing:
        raise InputError(f"{run / 'result.json'}: submission lacks {', '.join(missing)}")
    predictions = run / "predictions.parquet"
    if not predictions.is_file():
        raise InputError(f"{predictions}: no such file; a finished 'retia run' writes it")
    with Client(server, require_token(server_url(server))) as client:
        answer = client.submit(meta, predictions)
        number = str(answer["id"])
        if wait:
            answer = _poll(lambda: client.submission(number), ("scored", "failed"), f"#{number}")
    if as_json:
        print_json(answer)
    else:
        print_line(f"submission {number}: {answer.get('state')}")
        _print_scores(answer.get("scores") or {})
    if answer.get("state") == "failed":
        raise CheckError(f"submission {number} failed: {_line(answer.get('problem'))}")


def publish(
    reference: Annotated[
        str,
        typer.Argument(metavar="REF", help="name[@version] in the store, or a version's folder."),
    ],
    server: Server,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Publish a dataset on a server. It stays invisible until the server has checked it."""
    from retia.loaders.client import Client, server_url
    from retia.loaders.tokens import require_token

    version = resolve(reference)
    problems = version.verify()
    if problems:
        raise CheckError(f"{version.root}: {problems[0]}; 'retia inspect --verify' shows all")
    manifest = version.manifest
    sealed = _sealed_part(version)
    with Client(server, require_token(server_url(server))) as client:
        _upload(version, client)
        answer = client.publish(dump(manifest), sealed)
        if wait:
            answer = _poll(
                lambda: client.publication(manifest.name, manifest.version),
                ("published", "refused"),
                manifest.reference,
            )
    if as_json:
        print_json(answer)
    else:
        print_line(f"{manifest.reference}: {answer.get('state')}")
        if answer.get("state") == "refused":
            _print_findings(answer.get("findings") or [])
    if answer.get("state") == "refused":
        raise CheckError(f"{manifest.reference} was refused: {_line(answer.get('problem'))}")


def read_meta(run: Path) -> dict[str, Any]:
    """The meta of a submission that a run has left in its `result.json`."""
    path = run / "result.json"
    try:
        meta = json.loads(path.read_bytes())["submission"]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; a finished 'retia run' writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: no JSON with the key 'submission' ({error})") from error
    if not isinstance(meta, dict):
        raise InputError(f"{path}: the key 'submission' holds no object")
    return meta


def _sealed_part(version: Version) -> dict[str, Any] | None:
    if version.manifest.sealed_commitment is None:
        return None
    if not (version.root / SEALED_FOLDER).is_dir():
        raise InputError(
            f"{version.root}: the sealed part is not here; publish from where it was built"
        )
    return {"manifest": dump(version.sealed_manifest()), "secret": version.secret().hex()}


def _upload(version: Version, client: Any) -> None:
    """Upload the blobs that the server lacks, and all sealed ones."""
    public, sealed = _blobs(version)
    with progress() as bar:
        for shard in bar.track(public, description="public files"):
            if not client.has_blob(shard.sha256):
                client.put_blob(version.root / shard.path, shard.sha256)
        for shard in bar.track(sealed, description="sealed files"):
            path = version.root / SEALED_FOLDER / shard.path
            client.put_blob(path, shard.sha256, sealed=True)


def _blobs(version: Version) -> tuple[list[Shard], list[Shard]]:
    manifest: Manifest = version.manifest
    public = {shard.sha256: shard for shard in manifest.shards}
    if manifest.sealed_commitment is None:
        return list(public.values()), []
    sealed = {shard.sha256: shard for shard in version.sealed_manifest().shards}
    return list(public.values()), list(sealed.values())


def _poll(
    ask: Callable[[], dict[str, Any]], final: tuple[str, ...], subject: str
) -> dict[str, Any]:
    """Ask until the state is final, ever less often."""
    delay, said = SHORTEST_POLL_S, None
    while True:
        answer = ask()
        state = answer.get("state")
        if state in final:
            return answer
        if state != said:
            console.print(f"{subject}: {_line(state)}", markup=False)
            said = state
        time.sleep(delay)
        delay = min(delay * 1.5, LONGEST_POLL_S)


def _print_scores(scores: dict[str, Any]) -> None:
    rows = [
        (part, measure, _number(value["mean"]), _number(value["std"]), len(value["seeds"]))
        for part, measures in scores.items()
        for measure, value in measures.items()
    ]
    if rows:
        print_table("", ("part", "measure", "mean", "std", "seeds"), rows)


def _print_findings(findings: list[dict[str, Any]]) -> None:
    failed = [finding for finding in findings if finding.get("status") == "failed"]
    columns = ("check", "subject", "status", "detail")
    rows = [[_line(finding.get(column)) for column in columns] for finding in failed]
    if rows:
        print_table("Failed checks", columns, rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _line(text: Any) -> str:
    from retia.loaders.client import one_line

    return one_line(str(text if text is not None else "no reason given"))
