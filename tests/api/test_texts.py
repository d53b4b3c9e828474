"""Datasets of texts on a server: cards on the page, rows with the best encoding on the board."""

from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

import retia
from retia.benchmarks import make_config, run
from retia.cli.remote import read_meta
from retia.shards.arrays import encoding_matrix
from tests.api.client import API, publish, submit
from tests.api.conftest import Local, Running
from tests.toy_labels import toy_groups, toy_tagged
from tests.toy_text import card, toy_text, toy_texts


def rows(local: Local, board: str) -> dict[str, dict]:
    items = local.client.get(f"{API}/leaderboards/{board}").json()["items"]
    return {item["method"]: item for item in items}


def test_a_dataset_of_texts_shows_its_encodings_and_its_rows(local: Local, tmp_path: Path) -> None:
    encodings = ((card("good", pooling="mean <of all>"), toy_texts().encodings[0][1]),)
    assert local.publish(toy_text(tmp_path, encodings=encodings))["state"] == "published"
    page = local.client.get("/datasets/toy-text/1.0.0", headers={"Accept": "text/html"}).text
    assert "Encodings of the texts" in page
    assert "pooled by mean &lt;of all&gt;" in page
    assert rows(local, "toy-text/colour").keys() == {"majority", "features-only (good)"}


def test_a_task_of_several_classes_is_published_and_scored(local: Local, tmp_path: Path) -> None:
    version = toy_tagged(tmp_path, toy_groups())
    outcome = local.publish(version)
    assert outcome["state"] == "published", outcome
    config = make_config(version, "mlp", encoding="good", epochs=5)
    folder = run(version, config, tmp_path, seeds=2, workers=1)
    meta, table = read_meta(folder), (folder / "predictions.parquet").read_bytes()
    answer = submit(local.client, local.tokens["uma"], meta, table)
    assert answer.status_code == 202, answer.text
    local.work()
    board = rows(local, "toy-tags/tags")
    assert board.keys() == {"majority", "features-only (good)", "mlp (good)"}


def test_a_running_server_is_asked_for_the_named_encoding_alone(
    serve: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, running = toy_text(tmp_path / "store"), serve()
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    url, paths, send = str(running.client.base_url), [], httpx.Client.send

    def counted(client: httpx.Client, request: httpx.Request, **options: object) -> httpx.Response:
        paths.append(request.url.path)
        return send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", counted)
    shared = {"server": url, "cache": tmp_path / "cache"}
    loaded = retia.load("toy-text", encoding="good", **shared)
    files = sorted(path.partition("/files/")[2] for path in paths if "/files/" in path)
    wanted = [shard.path for shard in version.manifest.shards]
    assert files == sorted(path for path in wanted if not path.startswith("encodings/noise/"))
    assert [path for path in files if path.startswith("encodings/")] == [
        "encodings/good/part-00000.parquet"
    ]
    assert np.array_equal(loaded.data.x[:, 1:], encoding_matrix(version, "good"))
    paths.clear()
    retia.load("toy-text", encoding="good", **shared)
    assert not [path for path in paths if "/files/" in path], "it is in the cache"
