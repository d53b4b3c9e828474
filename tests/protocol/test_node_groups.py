"""Grouped and few-shot splits of nodes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.protocol.audit import audit
from retia.protocol.groups import NodeGroups
from retia.protocol.link_task import TaskTables
from retia.protocol.node_task import make_few_shot_task, make_node_task
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from tests.toy_labels import tags_task, toy_groups, toy_tagged


def node_task(labels: np.ndarray, grouping: NodeGroups | None = None, **changes: object):
    about = {"name": "kind", "label": "kind", "classes": tuple("abcd"), "description": "d"}
    randomness = Randomness.from_seed(0)
    given = {"randomness": randomness, "sealed": False, "grouping": grouping}
    return make_node_task(labels, **(about | given | changes))


def few_shot(labels: np.ndarray, shots: int) -> TaskTables:
    about = {"name": "kind", "label": "kind", "classes": tuple("abcd"), "description": "d"}
    return make_few_shot_task(labels, shots=shots, randomness=Randomness.from_seed(0), **about)


def parts_of(tables: TaskTables, split: int) -> dict[str, np.ndarray]:
    columns = {"train": "node", "valid": "item", "test": "item"}
    name = tables.task.name
    return {
        part: tables.public[f"tasks/{name}/{split}/{part}"][column].to_numpy()
        for part, column in columns.items()
    }


def many_groups(num_nodes: int, seed: int) -> tuple[np.ndarray, NodeGroups]:
    """Labels that mostly follow groups of very different sizes."""
    rng = np.random.default_rng(seed)
    size = np.minimum(rng.zipf(2, size=num_nodes), 40)
    group = np.repeat(np.arange(num_nodes), size)[:num_nodes]
    labels = np.where(rng.random(num_nodes) < 0.8, group % 4, rng.integers(4, size=num_nodes))
    names = np.array([f"source-{g}" for g in group], dtype=object)
    names[rng.random(num_nodes) < 0.05] = ""
    return np.where(rng.random(num_nodes) < 0.1, -1, labels), NodeGroups(names, "source", "source")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_group_is_in_two_parts(seed: int) -> None:
    labels, groups = many_groups(400, seed)
    tables = node_task(labels, groups)
    for split in range(10):
        parts = parts_of(tables, split)
        drawn = np.concatenate(list(parts.values()))
        assert np.array_equal(np.sort(drawn), np.flatnonzero(labels >= 0))
        seen = [set(groups.names[nodes]) - {""} for nodes in parts.values()]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_shares_hold_within_classes_as_nearly_as_groups_allow() -> None:
    labels, groups = many_groups(20_000, 5)
    parts = parts_of(node_task(labels, groups), 0)
    for c in range(4):
        count = [(labels[nodes] == c).sum() for nodes in parts.values()]
        assert np.array(count) / sum(count) == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_groups_of_one_are_no_grouping() -> None:
    labels, _ = many_groups(400, 1)
    alone = NodeGroups(np.full(400, ""), "source", "source")
    for split in range(10):
        one, other = parts_of(node_task(labels, alone), split), parts_of(node_task(labels), split)
        assert all(np.array_equal(one[part], other[part]) for part in one)


def test_a_task_says_what_its_groups_are() -> None:
    labels, groups = many_groups(400, 1)
    split = node_task(labels, groups).task.split
    assert split.scheme == "grouped"
    assert (split.parameters["by"], split.parameters["column"]) == ("source", "source")


def test_one_group_for_all_leaves_no_test_part() -> None:
    with pytest.raises(InputError, match="no node is left for test, valid"):
        node_task(np.arange(400) % 4, NodeGroups(np.full(400, "one"), "source", "source"))


def test_the_audit_finds_a_planted_straddling_group(tmp_path: Path) -> None:
    groups = toy_groups()
    assert "groups" not in failed_checks(toy_tagged(tmp_path / "good", groups))
    random = tags_task()
    claimed = replace(
        random, task=random.task.model_copy(update={"split": tags_task(groups).task.split})
    )
    found = failed_checks(toy_tagged(tmp_path / "bad", groups, tasks=(claimed,)))
    assert "groups are in two parts" in found["groups"]


def test_groups_that_no_public_column_tells_are_not_checked(tmp_path: Path) -> None:
    version = toy_tagged(tmp_path, toy_groups(), sealed=True)
    status = {finding.check: finding.status for finding in audit(version)}
    assert status["groups"] == "not checked"


def failed_checks(version) -> dict[str, str]:
    return {
        finding.check: finding.detail for finding in audit(version) if finding.status == "failed"
    }


def test_few_shots_are_as_many_of_each_class_and_the_rest_is_test() -> None:
    labels, _ = many_groups(400, 2)
    tables = few_shot(labels, 5)
    assert tables.task.num_splits == 10
    assert tables.task.split.parameters == {"train_per_class": 5, "valid_per_class": 5}
    drawn = [parts_of(tables, split) for split in range(10)]
    for parts in drawn:
        for part in ("train", "valid"):
            assert np.array_equal(np.bincount(labels[parts[part]]), [5] * 4)
        everything = np.sort(np.concatenate(list(parts.values())))
        assert np.array_equal(everything, np.flatnonzero(labels >= 0))
    assert len({tuple(parts["train"]) for parts in drawn}) == 10


def test_a_class_too_small_for_the_shots_is_named() -> None:
    labels = np.repeat([0, 1, 2, 3], [40, 40, 8, 40])
    with pytest.raises(InputError, match="class 'c' has 8 labelled nodes; 4 shots need at least 9"):
        few_shot(labels, 4)
    few_shot(labels, 3)
