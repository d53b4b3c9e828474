import numpy as np
import pytest
import tensorly as tl
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.metrics import adjusted_rand_score
from tensorly.decomposition import non_negative_parafac_hals

from retia.datasets.connectome.functional import communities as found_by
from retia.datasets.connectome.functional.affinity import all_pairs
from retia.datasets.connectome.functional.communities import by_size, find_communities
from retia.datasets.connectome.functional.factorise import (
    RIDGE,
    Factors,
    descend,
    draw,
    factorise,
    masked,
    over_times,
    pair_gram,
    update,
)
from retia.datasets.connectome.functional.lfr import SETTINGS, Setting, lfr_graph, score
from retia.datasets.connectome.functional.planted import Planted, plant, recovery
from retia.datasets.connectome.functional.rank import (
    RankReport,
    assess,
    choose_rank,
    core_consistency,
    match_scores,
)
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

SEED = Randomness.from_seed(0)


def exact(rank: int = 3, shape: tuple[int, int, int] = (30, 6, 28)) -> tuple[np.ndarray, list]:
    """A tensor of that rank, and its factors."""
    rng = np.random.default_rng(rank)
    parts = [rng.random((size, rank)) ** 3 for size in shape]
    parts[1] = 0.2 + rng.random(parts[1].shape)
    return np.einsum("tr,ar,pr->tap", *parts), parts


def small(seed: int) -> Planted:
    return plant(Randomness.from_seed(seed), times=60, animals=8, neurons=21, communities=3)


def rebuilt(factors: Factors) -> np.ndarray:
    return np.einsum("r,tr,ar,pr->tap", factors.scale, factors.time, factors.animal, factors.pair)


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_components_and_communities_are_recovered(seed: int) -> None:
    planted = small(seed)
    assert not planted.seen.all()
    best = factorise(planted.values, planted.seen, 4, SEED, restarts=4)[0]
    for found in recovery(planted, best, SEED):
        assert found.cosine > 0.95
        assert found.ari >= 0.8


def test_values_that_were_not_seen_do_not_matter() -> None:
    planted = small(0)
    wanted = factorise(planted.values, planted.seen, 2, SEED, restarts=1)[0]
    for filling in (np.nan, 1e6):
        filled = np.where(planted.seen, planted.values, np.float32(filling))
        found = factorise(filled, planted.seen, 2, SEED, restarts=1)[0]
        np.testing.assert_array_equal(found.pair, wanted.pair)
        assert found.loss == wanted.loss


def test_loss_is_that_of_the_seen_entries() -> None:
    planted = small(0)
    found = factorise(planted.values.astype(np.float64), planted.seen, 2, SEED, restarts=1)[0]
    left = (planted.values - rebuilt(found))[:, planted.seen]
    assert found.loss == pytest.approx((left**2).sum() / (planted.values**2).sum(), rel=1e-6)
    for factor in (found.time, found.animal, found.pair):
        assert (factor >= 0).all()
        np.testing.assert_allclose(np.linalg.norm(factor, axis=0), 1)
    assert (np.diff(found.scale) <= 0).all()


def test_whole_tensor_is_fitted_as_tensorly_does() -> None:
    tensor = exact()[0] + 0.05 * np.random.default_rng(1).random((30, 6, 28))
    seen = np.ones((6, 28), dtype=bool)
    ours = factorise(tensor, seen, 3, SEED, restarts=3)[0]
    theirs = non_negative_parafac_hals(tensor, 3, n_iter_max=500, init="svd", tol=1e-9)
    loss = ((tensor - tl.cp_to_tensor(theirs)) ** 2).sum() / (tensor**2).sum()
    assert ours.loss == pytest.approx(loss, rel=0.02)


def test_unseen_entries_of_an_exact_tensor_are_predicted() -> None:
    tensor, _ = exact()
    seen = np.random.default_rng(0).random(tensor.shape[1:]) < 0.6
    best = factorise(tensor, seen, 3, SEED, restarts=5, tolerance=1e-10)[0]
    error = (rebuilt(best) - tensor)[:, ~seen]
    assert np.linalg.norm(error) < 0.02 * np.linalg.norm(tensor[:, ~seen])


def test_update_goes_to_the_non_negative_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    tensor, (time, animal, pair) = exact()
    tensor = tensor + rng.normal(0, 0.1, tensor.shape)
    seen = rng.random(tensor.shape[1:]) < 0.7
    gram = pair_gram(seen, animal) * (time.T @ time)
    found = rng.random(pair.shape)
    for _ in range(500):
        found = update(found, over_times(masked(tensor, seen), time, animal), gram)
    design = np.einsum("tr,ar->tar", time, animal)
    for p in range(0, len(pair), 5):
        rows = design[:, seen[:, p]].reshape(-1, 3)
        wanted, _ = nnls(rows, tensor[:, seen[:, p], p].ravel())
        np.testing.assert_allclose(found[p], wanted, atol=1e-6)


def test_pair_seen_only_where_a_component_is_absent_stays_small() -> None:
    """Without the ridge its factor is noise over nearly nothing, and outweighs all others."""
    tensor, (_, animal, _) = exact()
    animal[0] = [1, 1, 0]
    tensor = np.einsum("tr,ar,pr->tap", *exact()[1][:1], animal, exact()[1][2])
    tensor += np.random.default_rng(0).normal(0, 0.02, tensor.shape)
    seen = np.ones(tensor.shape[1:], dtype=bool)
    seen[1:, :4] = False
    best = factorise(tensor, seen, 3, SEED, restarts=3)[0]
    assert RIDGE > 0
    assert (best.pair[:4].max(axis=0) < 0.9).all()


def test_animals_and_pairs_in_another_order_give_the_same_factors() -> None:
    tensor, _ = exact()
    seen = np.random.default_rng(0).random(tensor.shape[1:]) < 0.8
    rng = np.random.default_rng(2)
    animals, pairs = rng.permutation(tensor.shape[1]), rng.permutation(tensor.shape[2])
    start = draw(tensor.shape, 3, SEED.stream("start"))
    one = descend(masked(tensor, seen), seen, start)
    turned = np.ascontiguousarray(tensor[:, animals][:, :, pairs])
    seen = seen[animals][:, pairs]
    other = descend(masked(turned, seen), seen, [start[0], start[1][animals], start[2][pairs]])
    np.testing.assert_allclose(other.animal, one.animal[animals], atol=1e-6)
    np.testing.assert_allclose(other.pair, one.pair[pairs], atol=1e-6)
    np.testing.assert_allclose(other.time, one.time, atol=1e-6)


def test_workers_do_not_change_the_factors() -> None:
    planted = small(1)
    one = factorise(planted.values, planted.seen, 3, SEED, restarts=4, sweeps=20)
    two = factorise(planted.values, planted.seen, 3, SEED, restarts=4, sweeps=20, workers=2)
    assert [a.loss for a in one] == [b.loss for b in two]
    np.testing.assert_array_equal(one[0].pair, two[0].pair)


def as_factors(parts: list[np.ndarray]) -> Factors:
    norms = np.prod([np.linalg.norm(part, axis=0) for part in parts], axis=0)
    return Factors(norms, *(part / np.linalg.norm(part, axis=0) for part in parts), 0.0, 1)


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_core_consistency_of_an_exact_model_is_100(share: float) -> None:
    tensor, parts = exact()
    seen = np.random.default_rng(0).random(tensor.shape[1:]) < share
    assert core_consistency(tensor, seen, as_factors(parts)) == pytest.approx(100)


def test_core_consistency_equals_the_dense_least_squares_core() -> None:
    rng = np.random.default_rng(0)
    tensor, parts = exact()
    tensor = tensor + rng.normal(0, 0.2, tensor.shape)
    parts = [part + 0.2 * rng.random(part.shape) for part in parts]
    seen = rng.random(tensor.shape[1:]) < 0.7
    factors = as_factors(parts)
    scaled = (factors.time, factors.animal, factors.pair * factors.scale)
    design = np.einsum("tx,ay,pz->tapxyz", *scaled)[:, seen].reshape(-1, 27)
    core = np.linalg.lstsq(design, tensor[:, seen].ravel(), rcond=None)[0].reshape(3, 3, 3)
    unit = np.zeros((3, 3, 3))
    unit[range(3), range(3), range(3)] = 1
    wanted = 100 * (1 - ((core - unit) ** 2).sum() / 3)
    assert core_consistency(tensor, seen, factors) == pytest.approx(wanted, rel=1e-6)


def test_rank_above_the_number_of_animals_is_not_accepted() -> None:
    """Restarts agree on more components than were planted, and no core contradicts them."""
    tensor, _ = exact(shape=(30, 2, 28))
    seen = np.ones(tensor.shape[1:], dtype=bool)
    reports = [
        assess(tensor, seen, factorise(tensor, seen, rank, SEED, restarts=4)) for rank in (1, 2, 3)
    ]
    assert reports[2].consistency == 0
    assert choose_rank(reports) < 3


def test_rule_finds_the_planted_rank() -> None:
    planted = plant(SEED, rank=3, times=80, animals=8, neurons=20, communities=3)
    reports = [
        assess(
            planted.values,
            planted.seen,
            factorise(planted.values, planted.seen, rank, SEED, restarts=6),
        )
        for rank in (2, 3, 4)
    ]
    assert choose_rank(reports) == 3


def test_rule_takes_the_largest_stable_rank_or_the_best_of_none() -> None:
    good, loose, shaky = (
        RankReport(2, 0.3, 0.95, 90),
        RankReport(3, 0.2, 0.99, 20),
        RankReport(4, 0.1, 0.3, 80),
    )
    assert choose_rank([good, loose, shaky]) == 2
    assert choose_rank([loose, shaky]) == 4


def test_components_are_matched_whatever_their_order() -> None:
    factors = as_factors(exact()[1])
    order = [2, 0, 1]
    turned = Factors(
        factors.scale[order],
        factors.time[:, order],
        factors.animal[:, order],
        factors.pair[:, order],
        0.0,
        1,
    )
    np.testing.assert_allclose(match_scores(factors, turned), 1)


def block_weights(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    i, j = all_pairs(len(truth)).T
    return np.where(truth[i] == truth[j], 1.0, 0.1) * rng.uniform(0.5, 1.5, len(i))


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_communities_do_not_depend_on_the_order_of_neurons(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(32) % number)
    weights = block_weights(truth, rng)
    found = find_communities(weights, 32, SEED)
    assert adjusted_rand_score(truth, found.labels) == 1
    order = rng.permutation(32)
    matrix = np.zeros((32, 32))
    matrix[tuple(all_pairs(32).T)] = weights
    turned = (matrix + matrix.T)[np.ix_(order, order)][np.triu_indices(32, k=1)]
    again = find_communities(turned, 32, SEED)
    assert adjusted_rand_score(found.labels[order], again.labels) == 1


def test_neuron_without_a_pair_has_no_community() -> None:
    truth = np.repeat([0, 1], [8, 4])
    weights = block_weights(truth, np.random.default_rng(0))
    weights[(all_pairs(12) == 11).any(axis=1)] = 0
    labels = find_communities(weights, 12, SEED).labels
    assert labels.tolist() == [0] * 8 + [1] * 3 + [-1]
    assert find_communities(np.zeros(66), 12, SEED).labels.tolist() == [-1] * 12


def test_modularity_line_equals_networkx() -> None:
    import networkx as nx

    rng = np.random.default_rng(0)
    labels = np.arange(12) % 3
    weights, pairs = rng.random(66), all_pairs(12)
    graph = nx.Graph()
    graph.add_weighted_edges_from(
        (*pair, w) for pair, w in zip(pairs.tolist(), weights, strict=True)
    )
    groups = [set(np.flatnonzero(labels == c).tolist()) for c in range(3)]
    within, expected = found_by._line(pairs, weights, labels)
    for resolution in (0.5, 1.0, 2.0):
        wanted = nx.community.modularity(graph, groups, resolution=resolution)
        assert within - resolution * expected == pytest.approx(wanted)


def test_labels_are_numbered_by_size() -> None:
    assert by_size(np.array([5, 2, 2, 7, 7, 2])).tolist() == [2, 0, 0, 1, 1, 0]


def test_block_model_without_graph_tool_says_where_to_get_it() -> None:
    with pytest.raises(InputError, match="graph-tool is not installed"):
        find_communities(np.ones(6), 4, SEED, "sbm")


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_lfr_graph_mixes_as_asked(number: int) -> None:
    setting = SETTINGS[number]
    mixing, degrees = [], []
    for seed in range(4):
        graph = lfr_graph(setting, Randomness.from_seed(seed))
        outside = np.diff(graph.membership[graph.pairs], axis=1)[:, 0] != 0
        mixing.append((outside.mean(), graph.weights[outside].sum() / graph.weights.sum()))
        degrees.append(2 * len(graph.pairs) / setting.nodes)
        assert graph.membership.max() > 0
        assert (graph.pairs[:, 0] < graph.pairs[:, 1]).all()
    mut, muw = np.mean(mixing, axis=0)
    assert mut == pytest.approx(setting.mut, abs=0.04)
    assert muw == pytest.approx(setting.muw, abs=0.01)
    assert np.mean(degrees) == pytest.approx(setting.degree, rel=0.15)


def test_lfr_strength_follows_degree_by_beta() -> None:
    setting = Setting(beta=1.5)
    graph = lfr_graph(setting, SEED)
    ends = graph.pairs.ravel()
    degree = np.bincount(ends, minlength=setting.nodes)
    strength = np.bincount(ends, weights=np.repeat(graph.weights, 2), minlength=setting.nodes)
    slope = np.polyfit(np.log(degree), np.log(strength), 1)[0]
    assert slope == pytest.approx(1.5, abs=0.25)


def test_clear_lfr_communities_are_found_without_their_labels() -> None:
    result = score(lfr_graph(Setting(mut=0.3, muw=0.15), SEED), SEED)
    assert (result.nmi, result.ari) == pytest.approx((1, 1))
    assert result.found == result.planted > 1


def test_lfr_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="mean < maximum"):
        lfr_graph(Setting(degree=200), SEED)
    with pytest.raises(InputError, match="no communities were found"):
        lfr_graph(Setting(nodes=30, degree=25, max_degree=28, mut=0.1), SEED)
