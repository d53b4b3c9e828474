"""What training learns, and that it does so twice the same."""

import numpy as np
import pytest
import torch

from retia.benchmarks import make_config
from retia.benchmarks.decoders import PairDecoder
from retia.benchmarks.training import Trained, torch_settings, train
from retia.protocol import evaluate, load_truth
from retia.protocol.heuristics import link_scores
from retia.shards.version import Version


def _train(version: Version, model: str, seed: int = 0, **options: object) -> Trained:
    config = make_config(version, model, **options)
    with torch_settings(1):
        return train(version, config, seed, "cpu", lambda record: None)


@pytest.mark.parametrize("name", ["communities", "spatial", "colours"])
@pytest.mark.parametrize("model", ["mlp", "gcn", "graphsage"])
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
    curve: list[dict[str, float]] = []
    config = make_config(communities, "mlp", epochs=500, patience=3)
    with torch_settings(1):
        trained = train(communities, config, 0, "cpu", curve.append)
    assert trained.epochs == curve[-1]["epoch"] < 500
    scores = [record["valid.hard.mrr"] for record in curve]
    assert curve[int(np.argmax(scores))]["epoch"] == trained.best_epoch
    truth = load_truth(communities, "link", 0, "valid")
    assert evaluate(truth, trained.predictions["valid"])["hard.mrr"] == pytest.approx(max(scores))


@pytest.mark.parametrize("kind", ["hadamard", "difference"])
def test_decoder_is_symmetric_just_where_the_relation_is_undirected(kind: str) -> None:
    torch.manual_seed(0)
    z, pairs = torch.randn(10, 8), torch.tensor([[0, 1], [2, 3], [4, 5]])
    undirected, directed = (PairDecoder(kind, 8, flag) for flag in (False, True))
    torch.testing.assert_close(undirected(z, pairs), undirected(z, pairs.flip(1)))
    assert not torch.allclose(directed(z, pairs), directed(z, pairs.flip(1)))
