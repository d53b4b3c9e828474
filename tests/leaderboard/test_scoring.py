"""Files of predictions: what is read, refused and scored."""

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from retia.leaderboard.scoring import check_predictions, describe, open_predictions, score
from retia.protocol.baselines import mandatory_predictions
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.api.client import SECRET, predictions
from tests.toys import toy_link, toy_node


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_link(tmp_path_factory.mktemp("link"))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_link(tmp_path_factory.mktemp("sealed"), sealed=True, secret=SECRET)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_node(tmp_path_factory.mktemp("node"))


def write(table: pa.Table, folder: Path) -> Path:
    pq.write_table(table, folder / "predictions.parquet")
    return folder / "predictions.parquet"


def order(version: Version, table: pa.Table) -> str:
    found = check_predictions(version, "link", table, deterministic=False)
    return describe(found, version.manifest.task("link"), deterministic=False).order_sha256


def test_scores_are_those_of_scikit_learn(link: Version) -> None:
    table = predictions(link, "link", seeds=2, skill=1.0)
    scores = score(link, "link", check_predictions(link, "link", table, deterministic=False))
    for found in scores:
        if found.measure != "uniform.rocauc":
            continue
        members = link.answers("link", found.seed, found.part, "candidates").to_pandas()
        items = members[members.candidates == "uniform"]["item"]
        answers = link.answers("link", found.seed, found.part).to_pandas().set_index("item")
        rows = table.to_pandas().query(f"seed == {found.seed} and part == '{found.part}'")
        given = rows.set_index("item").score
        expected = roc_auc_score(answers.label.loc[items], given.loc[items])
        assert found.value == pytest.approx(expected, abs=1e-12)


def test_the_order_of_the_rows_does_not_matter(link: Version) -> None:
    table = predictions(link, "link", seeds=2)
    shuffled = table.take(np.random.default_rng(0).permutation(table.num_rows))
    first = score(link, "link", check_predictions(link, "link", table, deterministic=False))
    second = score(link, "link", check_predictions(link, "link", shuffled, deterministic=False))
    assert first == second


def test_sealed_test_scores_have_four_decimals(sealed: Version) -> None:
    table = predictions(sealed, "link", seeds=2)
    scores = score(sealed, "link", check_predictions(sealed, "link", table, deterministic=False))
    assert all(s.value == round(s.value, 4) for s in scores if s.part == "test")
    assert any(s.value != round(s.value, 4) for s in scores if s.part == "valid")


def test_seeds_that_rank_alike_are_refused(link: Version) -> None:
    table = predictions(link, "link", seeds=1)
    scaled = table.set_column(0, "seed", pa.array(np.full(table.num_rows, 10)))
    scaled = scaled.set_column(3, "score", pa.array(2 * table["score"].to_numpy() + 1))
    with pytest.raises(InputError, match="seeds 0 and 10 order the items alike"):
        order(link, pa.concat_tables([table, scaled]))


def test_two_submissions_that_rank_alike_have_one_order(link: Version) -> None:
    table = predictions(link, "link", seeds=2)
    scaled = table.set_column(3, "score", pa.array(np.exp(table["score"].to_numpy())))
    swapped = table.set_column(0, "seed", pa.array(10 + table["seed"].to_numpy()))
    other = predictions(link, "link", seeds=2, skill=1.0)
    assert order(link, table) == order(link, scaled) == order(link, swapped)
    assert order(link, other) != order(link, table)


def test_a_deterministic_method_gives_each_split_once(link: Version, node: Version) -> None:
    for version in (link, node):
        for task in version.manifest.tasks:
            for table in mandatory_predictions(version, task.name).values():
                check_predictions(version, task.name, table, deterministic=True)
    with pytest.raises(InputError, match="gives each split once, seeds 0 to 9"):
        check_predictions(link, "link", predictions(link, "link", seeds=3), deterministic=True)


def test_more_than_twenty_seeds_are_refused(node: Version) -> None:
    with pytest.raises(InputError, match="21 seeds, at most 20"):
        check_predictions(node, "colour", predictions(node, "colour", seeds=21), False)


def test_a_file_with_too_many_rows_is_refused_before_it_is_read(
    link: Version, tmp_path: Path
) -> None:
    rows = 3_000_000
    table = pa.table({"seed": np.zeros(rows, np.int32), "item": np.zeros(rows, np.int32)})
    with pytest.raises(InputError, match="rows, at most"):
        open_predictions(write(table, tmp_path), link.manifest.task("link"))


def test_a_column_that_unpacks_to_much_is_refused(link: Version, tmp_path: Path) -> None:
    table = pa.table({"seed": [0, 0], "part": ["x" * 1_000_000] * 2, "item": [0, 1]})
    with pytest.raises(InputError, match="bytes when unpacked"):
        open_predictions(write(table, tmp_path), link.manifest.task("link"))


def test_a_file_that_lies_about_its_size_is_refused(
    link: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file would whose metadata tell of less than its pages hold."""
    monkeypatch.setattr("retia.leaderboard.scoring._check_size", lambda file, task: None)
    table = pa.table({"seed": [0, 0], "part": ["x" * 1_000_000] * 2, "item": [0, 1]})
    with pytest.raises(InputError, match="bytes when unpacked"):
        open_predictions(write(table, tmp_path), link.manifest.task("link"))


def test_more_columns_than_expected_are_refused(link: Version, tmp_path: Path) -> None:
    table = predictions(link, "link", seeds=1)
    for number in range(3):
        table = table.append_column(f"more_{number}", table["score"])
    with pytest.raises(InputError, match="there is also 'more_0'"):
        open_predictions(write(table, tmp_path), link.manifest.task("link"))


@pytest.mark.parametrize("content", [b"", b"PAR1", pickle.dumps([1]), b"seed,part,item\n"])
def test_what_is_not_parquet_is_refused(content: bytes, link: Version, tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable Parquet file"):
        open_predictions(path, link.manifest.task("link"))
