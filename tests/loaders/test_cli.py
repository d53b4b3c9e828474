"""The verbs of the client, in the forms users type them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from retia.cli import make_app
from retia.shards.errors import RetiaError
from retia.shards.version import Version
from tests.toys import toy_link, toy_node

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


def retia(*words: object, rc: int = 0, stdin: str = "", **environment: object) -> str:
    """What the command prints: its stdout, and where it is to fail its error as well."""
    settings = {key: str(value) for key, value in environment.items()}
    done = CliRunner().invoke(make_app(), [str(word) for word in words], stdin, settings)
    if not isinstance(done.exception, RetiaError):
        assert done.exit_code == rc == 0, done.output
        return done.stdout
    assert done.exception.exit_code == rc, str(done.exception)
    return f"{done.stdout}retia: {done.exception}\n"


def process(*words: object) -> list[str]:
    return [sys.executable, "-m", "retia", *map(str, words)]


def test_list_shows_the_store(store):
    shown = retia("list", RETIA_STORE=store)
    assert "toy-spatial" in shown and "sealed" in shown
    rows = json.loads(retia("list", "--json", RETIA_STORE=store))
    assert [(row["name"], row["version"]) for row in rows] == [
        ("toy-link", "1.0.0"),
        ("toy-link", "1.0.1"),
        ("toy-node", "1.0.0"),
        ("toy-node-sealed", "1.0.0"),
        ("toy-sealed", "1.0.0"),
        ("toy-spatial", "1.0.0"),
    ]
    edges = Version.open(store / "toy-node/1.0.0").edges("edge").num_rows
    assert (rows[2]["nodes"], rows[2]["edges"], rows[2]["tasks"]) == (80, edges, "colour")


def test_list_of_an_empty_store_says_so(tmp_path):
    assert "No datasets" in retia("list", RETIA_STORE=tmp_path)
    assert json.loads(retia("list", "--json", RETIA_STORE=tmp_path)) == []


def test_inspect_verify_counts_the_files(store):
    folder = store / "toy-sealed/1.0.0"
    files = sum(path.is_file() for path in folder.rglob("*"))
    shown = retia("inspect", folder, "--verify")
    assert f"{files} files, all sums right" in shown


def test_inspect_verify_names_what_is_wrong_and_fails(tmp_path):
    folder = toy_link(tmp_path).root
    (folder / "nodes/part-00000.parquet").write_bytes(b"x")
    (folder / "ids/part-00000.parquet").unlink()
    shown = retia("inspect", folder, "--verify", rc=1)
    assert "nodes/part-00000.parquet: 1 bytes" in shown
    assert "ids/part-00000.parquet: missing" in shown
    value = json.loads(retia("inspect", folder, "--verify", "--json", rc=1).split("retia:")[0])
    assert len(value["problems"]) == 2


def test_inspect_of_nothing_is_one_line_on_stderr(tmp_path):
    done = subprocess.run(process("inspect", "nothing"), capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("retia: no dataset 'nothing'")


def test_download_fills_the_store_that_other_verbs_look_at(server, tmp_path):
    retia("download", "toy-link@1.0.0", "--server", server.url, RETIA_STORE=tmp_path / "mine")
    shown = retia("inspect", "toy-link", "--verify", RETIA_STORE=tmp_path / "mine")
    assert "all sums right" in shown


def test_download_goes_where_it_is_told(server, tmp_path):
    words = ("download", "toy-link", "--server", server.url, "--out", tmp_path, "--json")
    told = json.loads(retia(*words))
    assert told["path"] == str(tmp_path / "toy-link/1.0.1")
    assert Version.open(Path(told["path"])).verify() == []


def test_download_of_what_is_not_there_is_one_line(server, tmp_path):
    shown = retia("download", "nothing", "--server", server.url, "--out", tmp_path, rc=2)
    assert shown == f"retia: {server.url}: no such thing\n"
    assert list(tmp_path.iterdir()) == []


def test_export_ogb_tells_what_it_wrote(store, tmp_path):
    words = ("export", "ogb", store / "toy-node/1.0.0", "--out", tmp_path, "--json")
    told = json.loads(retia(*words))
    assert told["zip"] == str(tmp_path / "ogbn_toy_node/toy_node.zip")
    assert all(Path(path).exists() for path in told.values())


def test_export_ogb_of_a_sealed_task_is_refused(store, tmp_path):
    words = ("export", "ogb", store / "toy-sealed/1.0.0", "--out", tmp_path)
    assert "is sealed" in retia(*words, rc=2)


def test_submit_without_a_token_says_how_to_get_one(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"submission": _meta(None)}))
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    shown = retia("submit", tmp_path, "--server", "http://127.0.0.1:9", rc=2)
    assert "run: retia login --server http://127.0.0.1:9" in shown


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (None, "no such file"),
        ("{", "no JSON"),
        ("[]", "no JSON"),
        ("{}", "'submission'"),
        ('{"submission": {"dataset": "x"}}', "lacks version"),
    ],
)
def test_submit_of_what_is_no_run_is_one_line(tmp_path, content, wanted):
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    shown = retia("submit", tmp_path, "--server", "http://127.0.0.1:9", rc=2)
    assert wanted in shown and shown.count("\n") == 1


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The real server, in a process, with the publisher ann."""
    data = tmp_path_factory.mktemp("server") / "data"
    words = ("admin", "user", "add", "ann", "--role", "publisher", "--password-stdin")
    retia(*words, "--data", data, stdin=PASSWORD + "\n")
    command = process("serve", "--data", data, "--port", 0)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.communicate(timeout=30)


def _wait_for(url: str) -> None:
    """The address is printed a moment before the server answers there."""
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport, timeout=30) as client:
        assert client.get(f"{url}/healthz").is_success


def _login(server: str, *scopes: str) -> None:
    words = [word for scope in scopes for word in ("--scope", scope)]
    common = ("login", "--server", server, "--name", "ann", "--password-stdin")
    retia(*common, *words, stdin=PASSWORD + "\n")


def test_a_sealed_dataset_is_published_downloaded_and_recognised(live, tmp_path):
    version = toy_link(
        tmp_path / "store", name="live-link", spatial=True, sealed=True, num_nodes=400
    )
    _login(live, "publish")
    assert "live-link@1.0.0: published" in retia(
        "publish", version.root, "--server", live, "--wait"
    )
    assert "published" in retia("publish", version.root, "--server", live, "--wait")
    names = [row["name"] for row in json.loads(retia("list", "--server", live, "--json"))]
    assert "live-link" in names
    retia("download", "live-link", "--server", live, "--out", tmp_path / "out")
    fetched = Version.open(tmp_path / "out/live-link/1.0.0")
    assert fetched.manifest == version.manifest and fetched.verify() == []
    assert not (fetched.root / "sealed").exists()
    shown = retia("publish", fetched.root, "--server", live, rc=2)
    assert "the sealed part is not here" in shown


def test_a_refused_dataset_is_shown_with_its_findings(live, tmp_path):
    """The open sibling gives a sealed one away: same source."""
    _login(live, "publish")
    for sealed, rc in ((False, 0), (True, 1)):
        version = toy_node(tmp_path / "store", name=f"told-{rc}", sealed=sealed, source="told")
        shown = retia("publish", version.root, "--server", live, "--wait", rc=rc)
    assert "told-1@1.0.0 was refused" in shown


def test_predictions_are_submitted_and_scored_once(live, tmp_path):
    version = toy_node(tmp_path / "store", name="live-node", source="live-node")
    _login(live, "publish")
    retia("publish", version.root, "--server", live, "--wait")
    run = _run(version, tmp_path / "run")
    words = ("submit", run, "--server", live, "--method", "all red")
    answer = json.loads(retia(*words, "--wait", "--json"))
    assert (answer["state"], answer["method"]) == ("scored", "all red")
    labels = [version.answers("colour", i, "test")["label"].to_numpy() for i in range(10)]
    wanted = [np.mean(label == 0) for label in labels]
    assert answer["scores"]["test"]["accuracy"]["mean"] == pytest.approx(np.mean(wanted))
    again = json.loads(retia(*words, "--json"))
    assert again["id"] == answer["id"], "the same content is one submission"
    assert "accuracy" in retia(*words, "--wait")


def test_publishing_without_the_scope_is_refused(live, tmp_path):
    version = toy_node(tmp_path / "store", name="unscoped")
    _login(live)
    assert "scope" in retia("publish", version.root, "--server", live, rc=2)


def test_a_wrong_password_is_one_line_and_leaves_no_token(live, tmp_path, monkeypatch):
    monkeypatch.setenv("RETIA_CONFIG", str(tmp_path / "none"))
    common = ("login", "--server", live, "--name", "ann", "--password-stdin")
    shown = retia(*common, stdin="wrong horse battery\n", rc=2)
    assert shown.count("\n") == 1 and not (tmp_path / "none").exists()


def _meta(version: Version | None) -> dict[str, object]:
    manifest = version.manifest if version else None
    return {
        "dataset": manifest.name if manifest else "x",
        "version": "1.0.0",
        "digest": manifest.digest if manifest else "0" * 64,
        "task": "colour",
        "method": "red",
        "parameters": 0,
        "deterministic": True,
    }


def _run(version: Version, folder: Path) -> Path:
    """A run that calls every node red, under every seed."""
    folder.mkdir()
    columns: dict[str, list[np.ndarray]] = {"seed": [], "part": [], "item": []}
    for seed in range(10):
        for part in ("valid", "test"):
            item = version.task_table("colour", seed, part)["item"].to_numpy()
            columns["seed"].append(np.full(len(item), seed))
            columns["part"].append(np.full(len(item), part))
            columns["item"].append(item)
    table = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    table["pred"] = np.zeros(len(table["item"]), np.int64)
    pq.write_table(pa.table(table), folder / "predictions.parquet")
    (folder / "result.json").write_text(json.dumps({"submission": _meta(version)}))
    return folder
