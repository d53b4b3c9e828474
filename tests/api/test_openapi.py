"""The description of the API: whole, valid, true, and good for making a client."""

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from retia.api.openapi import ANSWERS, LINKS, STATUSES
from retia.shards.version import Version
from tests.api.client import meta_of, parquet, predictions, publish, submit, wait
from tests.api.conftest import Local, Running

SEED = "42"
RAW = {"file", "file_head", "has_blob", "revoke_token", "measured"}
"""Operations that answer with bytes, text or nothing."""


@pytest.fixture(scope="module")
def document(board: Local) -> dict[str, Any]:
    return board.client.get("/openapi.json").json()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for place in document["paths"].values()
        for operation in place.values()
    }


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_says_what_it_answers(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) == sum(len(place) for place in document["paths"].values()), "ids are unique"
    assert found.keys() >= ANSWERS.keys() | STATUSES.keys() | LINKS.keys()
    for name, operation in found.items():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]
        success = next(s for s in operation["responses"] if s.startswith("2"))
        if name not in RAW:
            schema = operation["responses"][success]["content"]["application/json"]["schema"]
            assert "$ref" in schema, f"{name} has no model in retia.api.openapi.ANSWERS"
        for status, response in operation["responses"].items():
            if status >= "400" and response["content"]:
                assert list(response["content"]) == ["application/problem+json"]


def test_what_needs_a_token_says_so(document: dict[str, Any], board: Local) -> None:
    """Held against the server: without a token, exactly these answer 401."""
    for path, place in document["paths"].items():
        for method, operation in place.items():
            url = path.replace("{sha256}", "0" * 64).replace("{token_id}", "1")
            for part in ("name", "version", "path", "dataset", "task", "submission_id"):
                url = url.replace(f"{{{part}}}", "x")
            status = board.client.request(method, url).status_code
            assert (status == 401) == ("security" in operation), (method, path, status)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: tuple[Path, dict[str, str]],
    versions: dict[str, Version],
) -> Iterator[Running]:
    """A server with a dataset, and a submission of its administrator's own."""
    folder = tmp_path_factory.mktemp("openapi") / "data"
    running = Running.on(folder, accounts, RETIA_REGISTRATION="open", RETIA_QUOTA="1000")
    version = versions["link"]
    assert publish(running.client, running.tokens["root"], version)["state"] == "published"
    table = predictions(version, "link", seeds=2)
    meta = meta_of(version, "link", method="first")
    answer = submit(running.client, running.tokens["root"], meta, table)
    url = f"/api/v1/submissions/{answer.json()['id']}"
    assert wait(lambda: running.client.get(url).json(), {"scored"})
    yield running
    running.stop()


def statuses(running: Running) -> dict[tuple[str, str], set[str]]:
    """By method and route, what the server has answered, as it counts itself."""
    found: dict[tuple[str, str], set[str]] = {}
    for family in text_string_to_metric_families(running.client.get("/metrics").text):
        if family.name == "retia_requests":
            for sample in family.samples:
                labels = sample.labels
                key = (labels["method"], labels["route"])
                found.setdefault(key, set()).add(labels["status"])
    return found


CLIENT_CONFIG = """
post_hooks: []
content_type_overrides:
  application/vnd.apache.parquet: application/octet-stream
  multipart/byteranges: application/octet-stream
"""
KNOWN = """
[parameters]
name = "toy-link"
dataset = "toy-link"
version = "1.0.0"
task = "link"
path = "nodes/part-00000.parquet"
"""
CONFIG = """
[checks.positive_data_acceptance]
# 422: what no schema can say, as that a digest has to fit its manifest
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""


def attack(running: Running, user: str, folder: Path, *words: str, fixed: str = "") -> None:
    """Run schemathesis, with all its checks and phases."""
    (folder / "schemathesis.toml").write_text(fixed + CONFIG)
    url = str(running.client.base_url).rstrip("/")
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json",
        "-H", f"Authorization: Bearer {running.tokens[user]}",
        "--phases", "examples,coverage,fuzzing,stateful",
        "--continue-on-failure", "--seed", SEED, "--warnings", "off", *words,
    ]  # fmt: skip
    found = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, timeout=300
    )
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]


def test_schemathesis_finds_no_fault(running: Running, tmp_path: Path) -> None:
    """Stateful, with an administrator's token: no 5xx, and every answer as it is described."""
    attack(running, "root", tmp_path, "-n", "5", "--exclude-operation-id", "revoke_token")
    attack(running, "uma", tmp_path, "-n", "5", "--include-operation-id", "revoke_token",
           "--include-operation-id", "create_token")  # fmt: skip
    known = [
        word
        for name in ("dataset", "manifest", "publication", "file", "file_head", "leaderboard")
        for word in ("--include-operation-id", name)
    ]
    attack(running, "root", tmp_path, "-n", "8", *known, fixed=KNOWN)
    seen = statuses(running)
    assert not any(status >= "500" for found in seen.values() for status in found)
    api = "/api/v1"
    for method, route in (
        ("GET", f"{api}/datasets"),
        ("GET", f"{api}/datasets/{{name}}"),
        ("GET", f"{api}/datasets/{{name}}/{{version}}"),
        ("GET", f"{api}/leaderboards/{{dataset}}/{{task}}"),
        ("GET", f"{api}/submissions/{{submission_id}}"),
        ("GET", f"{api}/tokens"),
        ("GET", f"{api}/audit"),
        ("POST", f"{api}/users"),
        ("POST", f"{api}/invitations"),
    ):
        assert any(status < "300" for status in seen[method, route]), (method, route, "never done")


def test_a_generated_client_works(
    running: Running,
    versions: dict[str, Version],
    document: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What openapi-python-client makes of the document lists, submits, polls and fails."""
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "made.yml").write_text(CLIENT_CONFIG)
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json",
         "--config", "made.yml", "--meta", "none", "--output-path", "made_client",
         "--fail-on-warning"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    made_client = importlib.import_module("made_client")
    client = made_client.AuthenticatedClient(
        base_url=str(running.client.base_url), token=running.tokens["uma"]
    )

    def call(module: str, **words: Any) -> Any:
        return importlib.import_module(f"made_client.api.{module}").sync(client=client, **words)

    page = call("datasets.datasets")
    assert [item.name for item in page.items] == ["toy-link"]
    assert page.items[0].tasks[0].secrecy.value == "open"
    board = call("leaderboards.leaderboard", dataset="toy-link", task="link")
    assert board.items[0].scores.to_dict()
    problem = call("datasets.dataset", name="nothing")
    assert (problem.status, problem.detail) == (404, "no dataset 'nothing' is published here")
    models = importlib.import_module("made_client.models")
    file = importlib.import_module("made_client.types").File
    version = versions["link"]
    content = io.BytesIO(parquet(predictions(version, "link", seeds=2)))
    body = models.SubmitBody(
        meta=models.Meta.from_dict(meta_of(version, "link", method="by a made client")),
        predictions=file(payload=content, file_name="predictions.parquet"),
    )
    answer = call("submissions.submit", body=body)
    assert call("submissions.submission", submission_id=answer.id).method == "by a made client"
    own = call("accounts.tokens")
    assert own.user == "uma"
