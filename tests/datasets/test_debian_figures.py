"""What a linear model makes of bookworm's list on this machine, beside the figures on record.

The reference has source packages apart (a fifth for test, drawn once), TF-IDF of short descriptions
reduced to 128 dimensions and rows as they come: 0.558, with two hops of neighbours 0.698 (macro-F1
0.37), and TF-IDF as it is 0.709.
"""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import RidgeClassifier, SGDClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupShuffleSplit

from retia.datasets.text.debian.lists import APT_LISTS, find_list, read_list
from retia.datasets.text.debian.packages import Rare, read_packages
from retia.datasets.text.encoders.encoded import unit_rows
from retia.datasets.text.encoders.tfidf import fit
from retia.datasets.text.graph import TextGraph
from retia.shards.errors import InputError
from tests.conftest import NO_DATA

INSTALLED = ("depends", "pre-depends", "recommends")

Floats = np.ndarray | sparse.csr_array


@pytest.fixture(scope="module")
def packages() -> TextGraph:
    """Bookworm's packages, every section a class of its own."""
    try:
        listed = read_list(find_list())
    except InputError:
        pytest.skip(f"{NO_DATA}: no list of Debian's packages in {APT_LISTS}")
    if listed.release is None or listed.release.codename != "bookworm":
        pytest.skip(f"{NO_DATA}: the list here is not bookworm's")
    return read_packages([listed], rare=Rare(section=1))


def hops(graph: TextGraph, x: np.ndarray) -> np.ndarray:
    """X, S X and S S X side by side; S is normalised, with self-loops, without direction."""
    ends = np.concatenate([graph.relation(name).pairs for name in INSTALLED])
    size = (graph.num_nodes, graph.num_nodes)
    one_way = sparse.csr_array((np.ones(len(ends)), tuple(ends.T)), shape=size)
    joined = ((one_way + one_way.T + sparse.eye_array(graph.num_nodes)) > 0).astype(np.float64)
    root = sparse.diags_array(1 / np.sqrt(joined.sum(axis=1)))
    step = root @ joined @ root
    return np.hstack([x, step @ x, step @ (step @ x)])


@pytest.mark.slow
def test_a_linear_model_comes_as_far_as_on_record(packages: TextGraph) -> None:
    source = packages.group_names("source")
    labels = packages.labels["section"].values
    splitter = GroupShuffleSplit(1, test_size=0.2, random_state=0)
    train, test = next(splitter.split(source, groups=source))

    def score(x: Floats, model: RidgeClassifier | SGDClassifier) -> tuple[float, float]:
        told = model.fit(x[train], labels[train]).predict(x[test])
        return float((told == labels[test]).mean()), f1_score(labels[test], told, average="macro")

    fitted, weights = fit(packages.texts["description"].tolist(), 128, seed=0)
    as_they_come = weights @ fitted.components.T
    assert score(as_they_come, RidgeClassifier())[0] == pytest.approx(0.558, abs=0.02)
    accuracy, macro = score(hops(packages, as_they_come), RidgeClassifier())
    assert accuracy == pytest.approx(0.698, abs=0.02)
    assert macro == pytest.approx(0.37, abs=0.02)
    shipped = unit_rows(as_they_come)
    assert score(shipped, RidgeClassifier())[0] == pytest.approx(0.574, abs=0.02)
    assert score(hops(packages, shipped), RidgeClassifier())[0] == pytest.approx(0.709, abs=0.02)
    words = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0)
    assert score(weights.tocsr(), words)[0] == pytest.approx(0.709, abs=0.02)
