"""Runs on texts: with an encoding, with several classes a node, from one graph to another."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from typer.testing import CliRunner

from retia.benchmarks import RunConfig, make_config, make_transfer_config, run
from retia.benchmarks.inputs import node_inputs, shared_inputs
from retia.benchmarks.runner import read_result
from retia.cli import make_app
from retia.datasets.assemble import write_dataset
from retia.leaderboard.scoring import check_predictions
from retia.protocol.baselines import features_only
from retia.protocol.evaluation import evaluate, load_truth
from retia.shards.arrays import encoding_matrix
from retia.shards.errors import InputError, NotFoundError
from retia.shards.version import Version
from tests.toy_labels import toy_tagged
from tests.toy_text import card, toy_text, toy_texts


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_text(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Another graph with the same encodings and classes."""
    dataset = toy_texts("toy-other", num_nodes=120, seed=7)
    return write_dataset(dataset, tmp_path_factory.mktemp("other")).version


def with_cards(out: Path, name: str, **changes: str) -> Version:
    """A graph whose encoding `good` has another card."""
    dataset = toy_texts(name, seed=7)
    (_, good), noise = dataset.encodings
    return write_dataset(
        replace(dataset, encodings=((card("good", **changes), good), noise)), out
    ).version


def test_inputs_are_the_features_and_the_named_encoding(texts: Version) -> None:
    plain = node_inputs(texts, "colour", 0, "cpu").view.x
    both = node_inputs(texts, "colour", 0, "cpu", "good").view.x
    assert (plain.shape, both.shape) == ((90, 1), (90, 5))
    vectors = encoding_matrix(texts, "good")
    scaled = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    np.testing.assert_allclose(both[:, 1:], scaled, atol=1e-5)


def test_an_encoding_is_recorded_and_changes_the_run(texts: Version, tmp_path: Path) -> None:
    accuracy = {}
    for encoding in ("good", "noise"):
        config = make_config(texts, "mlp", encoding=encoding, epochs=40)
        folder = run(texts, config, tmp_path, seeds=2, workers=1)
        stored = RunConfig.model_validate(yaml.safe_load((folder / "config.yaml").read_bytes()))
        result = read_result(folder)
        accuracy[encoding] = result["test"]["accuracy"]["mean"]
        assert stored.encoding == encoding
        assert result["submission"]["method"] == f"mlp ({encoding})"
        assert "fitted on nothing" in result["submission"]["notes"]
    assert accuracy["good"] > accuracy["noise"] + 0.3


def test_encodings_that_do_not_fit_are_refused(texts: Version) -> None:
    with pytest.raises(NotFoundError, match="no encoding 'bert'"):
        make_config(texts, "mlp", encoding="bert")
    with pytest.raises(InputError, match="'majority' takes no inputs"):
        make_config(texts, "majority", encoding="good")


@pytest.mark.parametrize("model", ["gcn", "majority"])
def test_several_classes_are_predicted_as_the_server_reads_them(model: str, tmp_path: Path) -> None:
    version = toy_tagged(tmp_path / "data")
    trained = model != "majority"
    given = {"encoding": "good", "epochs": 10} if trained else {}
    config = make_config(version, model, **given)
    folder = run(version, config, tmp_path, seeds=2, workers=1)
    table, result = pq.read_table(folder / "predictions.parquet"), read_result(folder)
    checked = check_predictions(version, "tags", table, deterministic=not trained)
    truth = load_truth(version, "tags", 1, "test")
    scored = evaluate(truth, checked.values[1, "test"])
    assert result["test"]["mAP"]["seeds"][1] == pytest.approx(scored["mAP"])
    assert scored.keys() == {"mAP", "micro-f1", "macro-f1"}


def test_a_transfer_learns_on_one_graph_and_predicts_the_other(
    texts: Version, other: Version, tmp_path: Path
) -> None:
    config = make_transfer_config(texts, other, "mlp", "good", epochs=40)
    folder = run(other, config, tmp_path, seeds=2, workers=1, source=texts)
    result = read_result(folder)
    assert folder.parts[-3] == "toy-other@1.0.0"
    assert result["test"]["accuracy"]["mean"] > 0.8
    told = result["submission"]
    assert (told["dataset"], told["digest"]) == ("toy-other", other.manifest.digest)
    assert told["method"] == "mlp from toy-text (good)"
    assert str(texts.manifest.digest) in told["external_data"]


def test_no_label_of_the_target_is_used(texts: Version, other: Version, tmp_path: Path) -> None:
    config = make_transfer_config(texts, other, "gcn", "good", epochs=10)
    tables = []
    for shuffled in (False, True):
        dataset = toy_texts("toy-other", num_nodes=120, seed=7)
        if shuffled:
            rng = np.random.default_rng(0)
            for name, table in dataset.tasks[0].public.items():
                if "label" in table.column_names:
                    column = table["label"].take(rng.permutation(table.num_rows))
                    dataset.tasks[0].public[name] = table.set_column(1, "label", column)
        target = write_dataset(dataset, tmp_path / str(shuffled)).version
        folder = run(target, config, tmp_path / f"run-{shuffled}", seeds=2, workers=1, source=texts)
        tables.append(pq.read_table(folder / "predictions.parquet"))
    assert tables[0].equals(tables[1])


def test_both_graphs_are_scaled_by_the_source(texts: Version, other: Version) -> None:
    own = shared_inputs(texts, "colour", 0, "cpu", "good", texts).view.x
    asked = shared_inputs(other, "colour", 0, "cpu", "good", texts).view.x
    vectors = encoding_matrix(texts, "good")
    back = asked.numpy() * vectors.std(axis=0) + vectors.mean(axis=0)
    np.testing.assert_allclose(back, encoding_matrix(other, "good"), atol=1e-5)
    torch.testing.assert_close(own.mean(dim=0), torch.zeros(4), atol=1e-6, rtol=0)


def test_encodings_fitted_on_different_texts_are_refused(texts: Version, tmp_path: Path) -> None:
    fitted = with_cards(tmp_path, "toy-fitted", fitted_on="these texts")
    again = with_cards(tmp_path, "toy-again", fitted_on="these texts")
    for source, target in ((fitted, again), (fitted, texts), (texts, fitted)):
        with pytest.raises(InputError, match="fitted on different texts"):
            make_transfer_config(source, target, "mlp", "good")
    by_source = f"{fitted.manifest.reference} {fitted.manifest.digest}"
    encoded = with_cards(tmp_path, "toy-encoded", fitted_on=by_source)
    assert make_transfer_config(fitted, encoded, "mlp", "good").source is not None
    with pytest.raises(InputError, match="fitted on different texts"):
        make_transfer_config(encoded, fitted, "mlp", "good")


def test_other_encoders_classes_and_siblings_are_refused(
    texts: Version, other: Version, tmp_path: Path
) -> None:
    sharper = with_cards(tmp_path, "toy-sharper", revision="2")
    with pytest.raises(InputError, match="differ in revision"):
        make_transfer_config(texts, sharper, "mlp", "good")
    dataset = toy_texts("toy-grey", seed=7, classes=("red", "green", "grey"))
    grey = write_dataset(dataset, tmp_path).version
    with pytest.raises(InputError, match="the classes of 'colour' differ: blue, grey in one alone"):
        make_transfer_config(texts, grey, "mlp", "good")
    with pytest.raises(InputError, match="built from one source"):
        make_transfer_config(texts, texts, "mlp", "good")
    with pytest.raises(InputError, match="needs an encoding"):
        make_transfer_config(texts, other, "mlp", None)


def test_the_verb_names_both_graphs(texts: Version, other: Version, tmp_path: Path) -> None:
    words = ["run", "--dataset", str(texts.root), "--transfer-to", str(other.root)]
    words += ["--encoding", "good", "--model", "mlp", "--seeds", "1", "--epochs", "5"]
    done = CliRunner().invoke(make_app(), [*words, "--out", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    config = yaml.safe_load((Path(result["run"]) / "config.yaml").read_bytes())
    assert config["source"]["digest"] == texts.manifest.digest
    assert config["digest"] == other.manifest.digest


def test_the_row_without_edges_takes_the_encoding_that_is_best(texts: Version) -> None:
    truth = load_truth(texts, "colour", 0, "test")
    scores = {
        name: evaluate(truth, features_only(texts, "colour", 0, name)[truth.items])["accuracy"]
        for name in ("good", "noise")
    }
    assert scores["good"] > scores["noise"] + 0.3
