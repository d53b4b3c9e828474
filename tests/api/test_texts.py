"""Datasets of texts on a server: cards on the page, rows with the best encoding on the board."""

from pathlib import Path

from retia.benchmarks import make_config, run
from retia.cli.remote import read_meta
from tests.api.client import API, submit
from tests.api.conftest import Local
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
