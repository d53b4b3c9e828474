import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.protocol.predictions import PARTS, read_predictions
from retia.shards.errors import InputError
from retia.shards.manifest import Task
from tests.toys import toy_link, toy_node

Items = dict[tuple[int, str], np.ndarray]


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Items]:
    return _items(toy_link(tmp_path_factory.mktemp("link")), "link")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Items]:
    return _items(toy_node(tmp_path_factory.mktemp("node")), "colour")


def _items(version, name: str) -> tuple[Task, Items]:
    task = version.manifest.task(name)
    items = {
        (split, part): version.task_table(name, split, part)["item"].to_numpy()
        for split in range(task.num_splits)
        for part in PARTS
    }
    return task, items


def rows(items: Items, seeds: tuple[int, ...] = (0, 1)) -> dict[str, list]:
    table: dict[str, list] = {"seed": [], "part": [], "item": []}
    for seed in seeds:
        for part in PARTS:
            wanted = items[seed % 10, part].tolist()
            table["seed"] += [seed] * len(wanted)
            table["part"] += [part] * len(wanted)
            table["item"] += wanted
    return table


def scored(items: Items, **changes: tuple[int, object]) -> pa.Table:
    table = rows(items)
    table["score"] = [float(i % 7) for i in range(len(table["seed"]))]
    for column, (row, value) in changes.items():
        table[column][row] = value
    return pa.table(table)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_the_order_of_rows_does_not_matter(link: tuple[Task, Items], seed: int) -> None:
    task, items = link
    table = scored(items)
    shuffled = np.random.default_rng(seed).permutation(table.num_rows)
    one = read_predictions(table, task, items)
    two = read_predictions(table.take(shuffled), task, items)
    assert one.seeds == two.seeds == (0, 1)
    for key, values in one.values.items():
        assert (values == two.values[key]).all()


def test_values_are_aligned_with_the_items(link: tuple[Task, Items]) -> None:
    task, items = link
    table = pa.table({**rows(items), "score": np.array(rows(items)["item"], dtype=float)})
    predictions = read_predictions(table, task, items)
    assert (predictions.values[1, "test"] == items[1, "test"]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": (3, 4)}, "seed 0, part valid: item 4 stands twice"),
        ({"item": (3, 10**6)}, "seed 0, part valid: item 1000000 is unknown"),
        ({"score": (5, float("nan"))}, "seed 0, part valid: item 5 is not finite"),
        ({"score": (5, float("inf"))}, "seed 0, part valid: item 5 is not finite"),
        ({"score": (5, None)}, "row 5: column 'score' has no value"),
        ({"part": (0, "train")}, "row 0: part 'train' is neither valid nor test"),
        ({"seed": (0, -1)}, "seed -1 is negative"),
    ],
)
def test_the_first_offender_is_named(link: tuple[Task, Items], changes, message: str) -> None:
    task, items = link
    with pytest.raises(InputError, match=message):
        read_predictions(scored(items, **changes), task, items)


def test_a_missing_item_is_named(link: tuple[Task, Items]) -> None:
    task, items = link
    table = scored(items)
    short = pa.concat_tables([table.slice(0, 7), table.slice(8)])
    with pytest.raises(InputError, match="seed 0, part valid: item 7 is missing"):
        read_predictions(short, task, items)


def test_columns_are_checked(link: tuple[Task, Items]) -> None:
    task, items = link
    table = scored(items)
    with pytest.raises(InputError, match="column 'score' is missing"):
        read_predictions(table.drop_columns(["score"]), task, items)
    with pytest.raises(InputError, match="column 'label' is not one of"):
        read_predictions(table.append_column("label", table["item"]), task, items)
    text = table.set_column(3, "score", pa.array(["a"] * table.num_rows))
    with pytest.raises(InputError, match="column 'score' is string, not a number"):
        read_predictions(text, task, items)
    with pytest.raises(InputError, match="the table is empty"):
        read_predictions(table.slice(0, 0), task, items)


def test_classes_come_as_an_index_or_as_one_column_a_class(node: tuple[Task, Items]) -> None:
    task, items = node
    table = rows(items)
    pred = np.arange(len(table["seed"])) % 3
    one_hot = {f"class_{c}": (pred == c).astype(float) for c in range(3)}
    by_index = read_predictions(pa.table({**table, "pred": pred}), task, items)
    by_column = read_predictions(pa.table({**table, **one_hot}), task, items)
    for key, values in by_index.values.items():
        assert (values == by_column.values[key]).all()
    pred[2] = 3
    with pytest.raises(InputError, match=r"has class 3, the classes are 0 to 2"):
        read_predictions(pa.table({**table, "pred": pred}), task, items)


def test_the_form_may_be_narrow_or_dictionary_coded(
    link: tuple[Task, Items],
) -> None:
    task, items = link
    table = scored(items)
    narrow = pa.table(
        {
            "seed": table["seed"].cast(pa.int8()),
            "part": table["part"].dictionary_encode(),
            "item": table["item"].cast(pa.int32()),
            "score": table["score"].cast(pa.float32()),
        }
    )
    assert read_predictions(narrow, task, items).seeds == (0, 1)
