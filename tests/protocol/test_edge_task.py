"""Tasks on the weights of edges: what is hidden, what is asked, and the two mandatory rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from retia.leaderboard.scoring import check_predictions, describe, score
from retia.protocol.baselines import mandatory_predictions
from retia.protocol.edge_task import make_edge_regression_task
from retia.protocol.evaluation import evaluate, load_truth
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.ogb import export_ogb
from retia.shards.version import Version
from tests.toy_connectome import N, chemical, toy_weights, weights

SIZE = {(int(a), int(b)): w for (a, b), w in zip(chemical(), weights(chemical()), strict=True)}


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_weights(tmp_path_factory.mktemp("weights"))


def pairs(table: pa.Table) -> list[tuple[int, int]]:
    return list(zip(table["src"].to_pylist(), table["dst"].to_pylist(), strict=True))


def predictions(version: Version, seeds: list[int], noise: float) -> pa.Table:
    rows = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for part in ("valid", "test"):
            truth = load_truth(version, "weight", seed % 10, part)
            count = len(truth.items)
            rows.append(
                pa.table(
                    {
                        "seed": np.full(count, seed),
                        "part": [part] * count,
                        "item": truth.items,
                        "pred": truth.labels + noise * rng.standard_normal(count),
                    }
                )
            )
    return pa.concat_tables(rows)


def test_every_edge_is_visible_and_a_fifth_of_the_weights_hidden(version: Version) -> None:
    edges = version.edges("chemical")
    assert pairs(edges) == list(SIZE)
    hidden = {
        p for p, w in zip(pairs(edges), edges["weight"].to_pylist(), strict=True) if w is None
    }
    assert len(hidden) == int(0.2 * len(SIZE))
    for split in range(10):
        parts = {p: pairs(version.task_table("weight", split, p)) for p in ("valid", "test")}
        assert set(parts["valid"]) | set(parts["test"]) == hidden
        assert not set(parts["valid"]) & set(parts["test"])
        assert set(pairs(version.task_table("weight", split, "train"))) == set(SIZE) - hidden
        for part, asked in parts.items():
            labels = load_truth(version, "weight", split, part).labels
            assert labels == pytest.approx(np.log1p([SIZE[pair] for pair in asked]), rel=1e-6)
    assert len({tuple(pairs(version.task_table("weight", i, "test"))) for i in range(10)}) == 10


def test_training_labels_are_the_labels_of_the_public_weights(version: Version) -> None:
    train = version.task_table("weight", 3, "train")
    expected = np.log1p([SIZE[pair] for pair in pairs(train)])
    assert train["label"].to_numpy() == pytest.approx(expected, rel=1e-6)


def test_sealed_answers_are_in_no_public_table(tmp_path: Path) -> None:
    version = toy_weights(tmp_path, sealed=True)
    assert not version.has("tasks/weight/0/test-answers")
    valid, test = (
        {p for i in range(10) for p in pairs(version.task_table("weight", i, part))}
        for part in ("valid", "test")
    )
    assert not valid & test
    assert len(load_truth(version, "weight", 0, "test").labels)


def test_scores_go_from_a_table_of_predictions_to_every_measure(version: Version) -> None:
    table = predictions(version, [0, 1], noise=0.0)
    checked = check_predictions(version, "weight", predictions(version, [0, 1], 0.1), False)
    found = {(s.part, s.measure): s.value for s in score(version, "weight", checked)}
    assert {measure for _, measure in found} == {"spearman", "mae", "r2"}
    assert 0.9 < found["test", "spearman"] < 1
    assert 0.05 < found["test", "mae"] < 0.12
    perfect = check_predictions(version, "weight", table, False)
    assert {s.value for s in score(version, "weight", perfect)} == {1.0, 0.0}


def test_seeds_that_rank_alike_are_refused(version: Version) -> None:
    one, other = predictions(version, [0], 0.1), predictions(version, [0], 0.1)
    other = other.set_column(0, "seed", pa.array(np.full(other.num_rows, 10)))
    other = other.set_column(3, "pred", pa.array(3 * other["pred"].to_numpy() - 1))
    with pytest.raises(InputError, match="seeds 0 and 10 order the items alike"):
        both = check_predictions(version, "weight", pa.concat_tables([one, other]), False)
        describe(both, version.manifest.task("weight"), deterministic=False)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("pred", float("nan"), "seed 0, part valid: item 0 is not finite"),
        ("pred", "much", "column 'pred' is string, not a number"),
        ("score", 1.0, "column 'score' is not one of seed, part, item, pred"),
    ],
)
def test_bad_predictions_are_named(
    version: Version, column: str, value: object, message: str
) -> None:
    table = predictions(version, [0], 0.1)
    if column == "score":
        table = table.append_column("score", table["pred"])
    else:
        values = table["pred"].to_pylist()
        values = [str(v) for v in values] if isinstance(value, str) else [value, *values[1:]]
        table = table.set_column(3, "pred", pa.array(values))
    with pytest.raises(InputError, match=message):
        check_predictions(version, "weight", table, False)


def test_mandatory_rows_are_the_mean_and_a_regression_on_degrees(version: Version) -> None:
    rows = mandatory_predictions(version, "weight")
    assert list(rows) == ["mean", "degree-regression"]
    train = version.task_table("weight", 4, "train")
    degree = np.zeros((2, N))
    for side in (0, 1):
        np.add.at(degree[side], chemical()[:, side], 1)

    def design(table: pa.Table) -> np.ndarray:
        ends = degree[0][table["src"].to_numpy()], degree[1][table["dst"].to_numpy()]
        return np.log1p(np.column_stack(ends))

    model = LinearRegression().fit(design(train), train["label"].to_numpy())
    items = version.task_table("weight", 4, "test")
    expected = {
        "mean": np.full(items.num_rows, train["label"].to_numpy().mean()),
        "degree-regression": model.predict(design(items)),
    }
    for name, table in rows.items():
        checked = check_predictions(version, "weight", table, deterministic=True)
        assert checked.values[4, "test"] == pytest.approx(expected[name], rel=1e-5)
    mean = check_predictions(version, "weight", rows["mean"], True).values[4, "test"]
    assert evaluate(load_truth(version, "weight", 4, "test"), mean)["spearman"] == 0


def test_ogb_has_no_such_task(version: Version, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are not exported to OGB"):
        export_ogb(version, "weight", tmp_path)


@pytest.mark.parametrize(
    ("hidden", "label", "message"),
    [(9, 1.0, "9 hidden weights; 10 are needed"), (20, np.nan, "a label is not finite")],
)
def test_what_makes_no_task_is_refused(hidden: int, label: float, message: str) -> None:
    all_pairs = chemical()
    graph = LinkGraph(N, True, all_pairs[hidden:], all_pairs[:hidden])
    with pytest.raises(InputError, match=message):
        make_edge_regression_task(
            graph,
            np.full(len(graph.visible), label),
            np.ones(hidden),
            name="weight",
            relation="chemical",
            column="weight",
            description="d",
            randomness=Randomness.from_seed(0),
            sealed=False,
        )
