"""What training learns, and that it does so twice the same."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight as weigh

from retia.benchmarks import Training, make_config
from retia.benchmarks.checkpoint import Checkpoint, Progress
from retia.benchmarks.curve import Curve
from retia.benchmarks.decoders import pair_decoder
from retia.benchmarks.inputs import EdgeInputs, node_inputs
from retia.benchmarks.layers.perceptron import NodePerceptron
from retia.benchmarks.learners import EdgeLearner, NodeLearner
from retia.benchmarks.training import Trained, torch_settings, train
from retia.benchmarks.view import View
from retia.protocol import evaluate, load_truth
from retia.protocol.heuristics import link_scores
from retia.shards.errors import InputError, IntegrityError
from retia.shards.version import Version


def _train(version: Version, model: str, seed: int = 0, **options: object) -> Trained:
    config = make_config(version, model, **options)
    with torch_settings(1):
        return train(version, config, seed, "cpu", Curve())


@pytest.mark.parametrize("name", ["communities", "spatial", "colours"])
@pytest.mark.parametrize("model", ["mlp", "gcn", "graphsage", "sheaf"])
def test_same_seed_gives_the_same_bits(
    name: str, model: str, request: pytest.FixtureRequest
) -> None:
    version = request.getfixturevalue(name)
    first, second = (_train(version, model, seed=3, epochs=3) for _ in range(2))
    for part in ("valid", "test"):
        assert first.predictions[part].tobytes() == second.predictions[part].tobytes()


def test_another_seed_gives_other_scores(spatial: Version) -> None:
    splits = spatial.manifest.task("link").num_splits
    first, second = (_train(spatial, "gcn", seed=s, epochs=2) for s in (0, splits))
    assert not np.array_equal(first.predictions["test"], second.predictions["test"])


def test_gcn_beats_degree_where_communities_are_planted(communities: Version) -> None:
    truth = load_truth(communities, "link", 0, "test")
    rows = communities.task_table("link", 0, "test")
    src, dst = rows["src"].to_numpy(), rows["dst"].to_numpy()
    degree = evaluate(truth, link_scores("degree", communities, "link", src, dst))
    gcn = evaluate(truth, _train(communities, "gcn").predictions["test"])
    assert gcn["matched.rocauc"] > degree["matched.rocauc"] + 0.08
    assert gcn["hard.mrr"] > degree["hard.mrr"]


def test_neighbours_tell_a_class_that_features_do_not(colours: Version) -> None:
    truth = load_truth(colours, "colour", 0, "test")
    accuracy = {
        model: np.mean(
            [
                evaluate(
                    load_truth(colours, "colour", seed, "test"),
                    _train(colours, model, seed=seed).predictions["test"],
                )["accuracy"]
                for seed in range(4)
            ]
        )
        for model in ("mlp", "graphsage")
    }
    assert len(truth.items)
    assert accuracy["graphsage"] > accuracy["mlp"]


def test_training_stops_early_and_keeps_the_best_epoch(communities: Version) -> None:
    curve = Curve()
    config = make_config(communities, "mlp", epochs=500, patience=3)
    with torch_settings(1):
        trained = train(communities, config, 0, "cpu", curve)
    assert trained.epochs == curve.records[-1]["epoch"] < 500
    scores = [record["valid.hard.mrr"] for record in curve.records]
    assert curve.records[int(np.argmax(scores))]["epoch"] == trained.best_epoch
    truth = load_truth(communities, "link", 0, "valid")
    assert evaluate(truth, trained.predictions["valid"])["hard.mrr"] == pytest.approx(max(scores))


@pytest.mark.parametrize("kind", ["dot", "hadamard", "difference", "distance", "metric"])
def test_decoder_is_symmetric_just_where_the_relation_is_undirected(kind: str) -> None:
    torch.manual_seed(0)
    z, pairs = torch.randn(10, 8), torch.tensor([[0, 1], [2, 3], [4, 5]])
    view = View(z, torch.zeros(2, 0, dtype=torch.long), torch.zeros(0), (False,), None)
    undirected, directed = (pair_decoder(kind, 8, flag) for flag in (False, True))
    torch.testing.assert_close(undirected(z, pairs, view), undirected(z, pairs.flip(1), view))
    assert not torch.allclose(directed(z, pairs, view), directed(z, pairs.flip(1), view))


def test_classes_weigh_the_same_unless_told_otherwise(colours: Version) -> None:
    inputs = node_inputs(colours, "colour", 0, "cpu")
    few = inputs.labels.ne(0) | (inputs.labels.eq(0).cumsum(0) <= 2)
    inputs = replace(inputs, train=inputs.train[few], labels=inputs.labels[few])
    labels, losses = inputs.labels.numpy(), []
    for weights in ("balanced", "none"):
        torch.manual_seed(0)
        settings = Training(epochs=1, evaluate_every=1, dropout=0, class_weights=weights)
        encoder, rng = NodePerceptron(inputs.view.x.shape[1], 32, 1, 0), torch.Generator()
        learner = NodeLearner(encoder, inputs, settings, rng)
        losses.append(learner.epoch(lambda loss: None))
    with torch.no_grad():
        z = learner.module["head"](learner.module["encoder"](inputs.view))[inputs.train].numpy()
    balanced = log_loss(labels, softmax(z, axis=1), sample_weight=weigh("balanced", labels))
    np.testing.assert_allclose(losses, [balanced, log_loss(labels, softmax(z, axis=1))], rtol=1e-5)


def test_class_weights_of_links_are_refused(communities: Version) -> None:
    with pytest.raises(InputError, match="'link' is no task of one class a node"):
        make_config(communities, "gcn", class_weights="none")


@pytest.mark.parametrize("decoder", ["dot", "hadamard", "difference", "distance", "metric"])
def test_every_decoder_learns_communities(communities: Version, decoder: str) -> None:
    truth = load_truth(communities, "link", 0, "test")
    found = evaluate(
        truth, _train(communities, "matrix-factorisation", decoder=decoder).predictions["test"]
    )
    assert found["matched.rocauc"] > 0.6


def test_weights_of_edges_are_learned_in_their_unit() -> None:
    draws = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    x, pairs = torch.randn(80, 3, generator=draws), torch.randint(80, (600, 2), generator=draws)
    weight = 50 + 10 * (x[pairs[:, 0], 0] - x[pairs[:, 1], 0])
    view = View(x, pairs.T[:, :400], torch.zeros(400, dtype=torch.long), (True,), None)
    mean, spread = float(weight[:400].mean()), float(weight[:400].std())
    labels = (weight[:400] - mean) / spread
    inputs = EdgeInputs(view, True, pairs[:400], labels, mean, spread, {"test": pairs[400:]})
    training = Training(epochs=1, evaluate_every=1, dropout=0)
    learner = EdgeLearner(
        NodePerceptron(3, 32, 1, 0), pair_decoder("difference", 32, True), inputs, training
    )
    optimiser = torch.optim.Adam(learner.module.parameters(), lr=0.01)

    def update(loss: torch.Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    for _ in range(200):
        learner.epoch(update)
    with torch.inference_mode():
        error = learner.predict("test") - weight[400:].numpy()
    assert np.abs(error).mean() < 0.2 * float(weight.std())


def test_one_encoding_serves_several_steps_of_the_decoder(communities: Version) -> None:
    """The encoder's gradient is the mean over the shares, as if it had been encoded for each."""
    truth = load_truth(communities, "link", 0, "test")
    trained = _train(communities, "gcn", decoder_steps=4)
    assert evaluate(truth, trained.predictions["test"])["matched.rocauc"] > 0.6


def test_mixed_precision_stays_near(communities: Version) -> None:
    exact = _train(communities, "mlp", epochs=2).predictions["test"]
    mixed = _train(communities, "mlp", epochs=2, precision="bfloat16").predictions["test"]
    assert np.corrcoef(exact, mixed)[0, 1] > 0.98
    assert not np.array_equal(exact, mixed)


def test_training_cut_off_goes_on_to_the_same_bits(
    communities: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    config = make_config(communities, "gcn", epochs=12, dropout=0.3, patience=50)
    with torch_settings(1):
        whole = train(communities, config, 0, "cpu", Curve(tmp_path / "whole.jsonl"))

    saved, save = Checkpoint(tmp_path / "checkpoint.pt", "run"), Checkpoint.save

    def save_and_stop(self: Checkpoint, progress: Progress) -> None:
        save(self, progress)
        if progress.epoch == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", save_and_stop)
    cut = tmp_path / "cut.jsonl"
    with torch_settings(1):
        with pytest.raises(KeyboardInterrupt):
            train(communities, config, 0, "cpu", Curve(cut), checkpoint=saved)
        cut.write_text(cut.read_text() + '{"epoch": 6, "lo')
        resumed = train(communities, config, 0, "cpu", Curve(cut), checkpoint=saved)
    for part in ("valid", "test"):
        assert resumed.predictions[part].tobytes() == whole.predictions[part].tobytes()
    assert cut.read_text() == (tmp_path / "whole.jsonl").read_text()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps({"format": 1})])
def test_checkpoint_of_something_else_is_refused(
    communities: Version, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="delete it to train this seed from the start"):
        Checkpoint(path, "run").load()


def test_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    path, empty = tmp_path / "checkpoint.pt", torch.zeros(1)
    Checkpoint(path, "one").save(Progress(1, 0.5, 1, {}, {}, {}, empty, empty, []))
    assert Checkpoint(path, "one").load().epoch == 1
    with pytest.raises(IntegrityError, match="another version or run"):
        Checkpoint(path, "other").load()
