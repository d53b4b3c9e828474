"""RDMs and their topological forms against rsatoolbox, networkx and scipy."""

import networkx as nx
import numpy as np
import pytest
import rsatoolbox
from hypothesis import given
from hypothesis import strategies as st
from rsatoolbox.rdm import RDMs, calc_rdm, compare, geotopological_transform
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from retia.benchmarks.analysis.rsa import correlation_rdm, euclidean_rdm, spearman_matrix
from retia.benchmarks.analysis.topology import geo_topological, geodesic
from tests.benchmarks.analysis.spaces import moved, space


def toolbox_rdm(x: np.ndarray, method: str) -> RDMs:
    return calc_rdm(rsatoolbox.data.Dataset(x), method=method)


def test_rdms_equal_those_of_rsatoolbox(rng: np.random.Generator) -> None:
    x = space(rng, 40, 6)
    squared = toolbox_rdm(x, "euclidean").dissimilarities[0] * x.shape[1]
    assert euclidean_rdm(x) == pytest.approx(np.sqrt(squared))
    assert correlation_rdm(x) == pytest.approx(toolbox_rdm(x, "correlation").dissimilarities[0])


def test_a_constant_row_correlates_with_nothing() -> None:
    x = np.array([[0.3, 0.3, 0.3], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    assert correlation_rdm(x) == pytest.approx([1, 1, 2])


def test_spearman_equals_those_of_rsatoolbox_and_scipy(rng: np.random.Generator) -> None:
    x, y = space(rng, 300, 6), space(rng, 300, 4)
    rdms = [geo_topological(euclidean_rdm(z)) for z in (x, y)]
    found = spearman_matrix(rdms)[0, 1]
    assert found == pytest.approx(spearmanr(*rdms).statistic, abs=1e-5)
    toolbox = compare(*(RDMs(rdm[None]) for rdm in rdms), method="spearman")[0, 0]
    assert found == pytest.approx(toolbox, abs=1e-5)


@given(st.integers(0, 2**32 - 1))
def test_rsa_does_not_depend_on_rotation_scale_or_translation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = space(rng, 25, 5)
    other = moved(x, rng)
    for rdm in (euclidean_rdm, lambda z: geo_topological(euclidean_rdm(z))):
        assert spearman_matrix([rdm(x), rdm(other)])[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_constant_rdm_has_no_rank_correlation() -> None:
    assert np.isnan(spearman_matrix([np.ones(6), np.arange(6.0)])[0, 1])


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.4), st.floats(0.5, 1))
def test_geo_topological_equals_that_of_rsatoolbox(seed: int, low: float, high: float) -> None:
    rdm = euclidean_rdm(space(np.random.default_rng(seed), 15, 3))
    toolbox = geotopological_transform(RDMs(rdm[None].copy()), low, high)
    assert geo_topological(rdm, low, high) == pytest.approx(toolbox.dissimilarities[0])


@given(st.integers(0, 2**32 - 1))
def test_geodesics_are_the_shortest_paths_over_near_pairs(seed: int) -> None:
    rdm = euclidean_rdm(space(np.random.default_rng(seed), 20, 3))
    weights = squareform(geo_topological(rdm, low=0))
    graph = nx.Graph()
    graph.add_nodes_from(range(20))
    graph.add_weighted_edges_from(
        (i, j, weights[i, j]) for i in range(20) for j in range(i) if weights[i, j] < 1
    )
    paths = np.asarray(nx.floyd_warshall_numpy(graph))
    assert geodesic(rdm) == pytest.approx(squareform(paths, checks=False))


def test_geodesics_see_a_line_that_was_bent(rng: np.random.Generator) -> None:
    """Along a line bent to a C the way stays as long; across the gap of the C it does not."""
    turn = np.sort(rng.uniform(0, 1, size=300))
    bent = np.column_stack([np.cos(5.5 * turn), np.sin(5.5 * turn)])
    line = np.column_stack([turn, np.zeros(300)])
    rdms = [euclidean_rdm(z) for z in (bent, line)]
    euclidean = spearman_matrix(rdms)[0, 1]
    along = spearman_matrix(geodesic(rdm) for rdm in rdms)[0, 1]
    assert along > 0.99 > 0.92 > euclidean
