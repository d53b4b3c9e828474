from pathlib import Path

import numpy as np
import pytest

from retia.datasets.connectome.functional.affinity import (
    affinities,
    affinity_tensor,
    all_pairs,
    derivatives,
    pair_index,
    typical_difference,
)
from retia.datasets.connectome.functional.traces import Traces, read_traces
from retia.shards.errors import InputError

TIMES = np.arange(12) * 0.5


def csv(folder: Path, rows: list[list[object]], header: str = "time,AVA,AVB") -> Path:
    path = folder / "worm.csv"
    lines = [",".join(map(str, row)) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def plain(**changes: object) -> list[list[object]]:
    """Twelve samples of two neurons; `row_column` sets a cell."""
    rows: list[list[object]] = [[t, np.sin(t), t] for t in TIMES]
    for place, value in changes.items():
        row, column = map(int, place.removeprefix("at").split("_"))
        rows[row][column] = value
    return rows


def nwb(path: Path, values: np.ndarray, names: list[str], **timing: object) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        table = file.create_group("processing/ophys/ImageSegmentation/PlaneSegmentation")
        table["id"] = np.arange(len(names))
        table["neuron_name"] = np.array(names, dtype=h5py.string_dtype())
        series = file.create_group("processing/ophys/Fluorescence/RoiResponseSeries")
        series.attrs["neurodata_type"] = "RoiResponseSeries"
        series["data"] = values
        series["rois"] = np.arange(len(names))[::-1]
        series["rois"].attrs["table"] = table.ref
        if "timestamps" in timing:
            series["timestamps"] = timing["timestamps"]
        else:
            series["starting_time"] = 3.0
            series["starting_time"].attrs["rate"] = timing["rate"]


def test_csv_is_an_animal_named_for_its_file(tmp_path: Path) -> None:
    traces = read_traces(csv(tmp_path, plain()))
    assert (traces.animal, traces.neurons.tolist()) == ("worm", ["AVA", "AVB"])
    assert traces.step_s == pytest.approx(0.5)
    np.testing.assert_allclose(traces.activity, np.column_stack([np.sin(TIMES), TIMES]))


def test_npz_and_nwb_hold_the_same_as_csv(tmp_path: Path) -> None:
    wanted = read_traces(csv(tmp_path, plain()))
    np.savez(
        tmp_path / "worm.npz", traces=wanted.activity, neurons=wanted.neurons, dt=wanted.step_s
    )
    nwb(tmp_path / "worm.nwb", wanted.activity[:, ::-1], ["AVA", "AVB"], rate=2.0)
    for suffix in (".npz", ".nwb"):
        found = read_traces(tmp_path / f"worm{suffix}")
        order = np.argsort(found.neurons)
        assert found.neurons[order].tolist() == ["AVA", "AVB"]
        assert found.step_s == pytest.approx(0.5)
        np.testing.assert_allclose(found.activity[:, order], wanted.activity)


def test_nwb_timestamps_that_jitter_become_even(tmp_path: Path) -> None:
    times = TIMES + np.where(np.arange(12) % 3 == 1, 0.1, 0)
    nwb(tmp_path / "a.nwb", np.column_stack([times, -times]), ["x", "y"], timestamps=times)
    found = read_traces(tmp_path / "a.nwb")
    np.testing.assert_allclose(np.diff(found.activity[:, 0]), found.step_s)


def test_neuron_that_is_all_nan_was_not_seen(tmp_path: Path) -> None:
    rows = [[t, "", t] for t in TIMES]
    assert read_traces(csv(tmp_path, rows)).neurons.tolist() == ["AVB"]


def test_short_gaps_are_interpolated(tmp_path: Path) -> None:
    rows = plain(at4_2="nan", at5_2="", at0_2="NaN")
    traces = read_traces(csv(tmp_path, rows))
    wanted = TIMES.copy()
    wanted[0] = TIMES[1]
    np.testing.assert_allclose(traces.activity[:, 1], wanted)


def test_column_of_whole_numbers_may_end_in_fractions(tmp_path: Path) -> None:
    """Types are not guessed from the first megabyte."""
    rows: list[list[object]] = [[i, "nan" if i < 2 else i % 3, i % 7] for i in range(130_000)]
    path = csv(tmp_path, [*rows, [130_000, 0.5, 0.25]])
    assert path.stat().st_size > 1 << 20
    assert read_traces(path).activity[-1].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("rows", "header", "told"),
    [
        (plain(**{f"at{i}_2": "nan" for i in range(3, 9)}), "t,AVA,AVB", r"AVB is NaN .* 1\.5 s"),
        (plain(), "time,AVA,AVA", "two neurons are named 'AVA'"),
        (plain(), "time,AVA,", "no name"),
        (plain(at4_1="inf"), "t,AVA,AVB", "AVA is infinite at 2 s"),
        (plain(at4_0=1.5), "t,AVA,AVB", "sample 5: times must"),
        (plain(at11_0=60), "t,AVA,AVB", "no sample for 55 s after 5 s"),
        (plain(at3_1="high"), "t,AVA,AVB", "Row #5.*high"),
        (plain()[:5], "t,AVA,AVB", "5 samples"),
        ([[t, "", ""] for t in TIMES], "t,AVA,AVB", "no neuron has a value"),
        ([[t] for t in TIMES], "t", "a column a neuron"),
    ],
)
def test_csv_that_cannot_be_used_is_told_in_a_line(
    tmp_path: Path, rows: list[list[object]], header: str, told: str
) -> None:
    with pytest.raises(InputError, match=rf"worm\.csv.*{told}") as raised:
        read_traces(csv(tmp_path, rows, header))
    assert "\n" not in str(raised.value)


def test_other_bad_files_are_named(tmp_path: Path) -> None:
    values = np.zeros((12, 2))
    (tmp_path / "text.npz").write_text("no zip")
    np.savez(tmp_path / "names.npz", traces=values, neurons=["a"], dt=1.0)
    np.savez(tmp_path / "step.npz", traces=values, neurons=["a", "b"], dt=0.0)
    np.savez(tmp_path / "pickle.npz", traces=values, neurons=np.array(["a", {}], object), dt=1.0)
    (tmp_path / "text.nwb").write_text("no hdf5")
    (tmp_path / "a.txt").write_text("")
    for name in ("text.npz", "names.npz", "step.npz", "pickle.npz", "text.nwb", "a.txt", "no.csv"):
        with pytest.raises(InputError, match=name):
            read_traces(tmp_path / name)


def animal(name: str, neurons: list[str], seed: int, length: int = 60, step: float = 0.5) -> Traces:
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(length, len(neurons))).cumsum(axis=0)
    return Traces(name, np.array(neurons), step, walk)


def test_affinity_equals_the_formula_pair_by_pair() -> None:
    change = np.random.default_rng(0).normal(size=(20, 5))
    pairs = all_pairs(5)
    differences = [abs(row[i] - row[j]) for row in change for i in range(5) for j in range(i)]
    width = float(np.median(differences))
    assert typical_difference(change, pairs) == pytest.approx(width)
    found = affinities(change, pairs, bins=20, window=1)
    for t in range(20):
        for place, (i, j) in enumerate(pairs):
            a, b = change[t, i], change[t, j]
            wanted = 0.0
            if a * b > 0:
                wanted = min(abs(a), abs(b)) * np.exp(-((a - b) ** 2) / (2 * width**2))
            assert found[t, place] == pytest.approx(wanted, rel=1e-5)


def test_windows_are_means_that_follow_each_other() -> None:
    change = np.random.default_rng(0).normal(size=(21, 4))
    fine = affinities(change[:20], all_pairs(4), bins=20, window=1)
    coarse = affinities(change, all_pairs(4), bins=5, window=4)
    np.testing.assert_allclose(coarse, fine.reshape(5, 4, -1).mean(axis=1), rtol=1e-5)


def test_derivative_is_the_same_in_any_unit() -> None:
    one = animal("a", ["x", "y"], 0)
    other = Traces("a", one.neurons, one.step_s, 7 + 3 * one.activity)
    np.testing.assert_allclose(derivatives(one, 0.5, 60), derivatives(other, 0.5, 60), atol=1e-9)


def test_silent_neuron_has_no_affinity() -> None:
    traces = animal("a", ["x", "y", "z"], 0)
    traces.activity[:, 1] = 4.0
    tensor = affinity_tensor([traces])
    assert not tensor.values[:, :, pair_index(np.array([[0, 1], [1, 2]]), 3)].any()
    assert tensor.values[:, :, 1].any()


def test_pairs_of_neurons_that_an_animal_lacks_are_masked() -> None:
    animals = [animal("b", ["z", "x"], 1), animal("a", ["y", "x", "z"], 2, length=80)]
    tensor = affinity_tensor(animals)
    assert (tensor.animals, tensor.neurons.tolist()) == (("a", "b"), ["x", "y", "z"])
    assert tensor.seen.tolist() == [[True, True, True], [False, True, False]]
    assert tensor.values.shape == (60, 2, 3)
    assert not tensor.values[:, 1, [0, 2]].any()


def test_order_of_animals_and_neurons_and_workers_do_not_matter() -> None:
    one, two = animal("a", ["x", "y", "z"], 1), animal("b", ["x", "y", "w"], 2)
    order = [2, 0, 1]
    turned = Traces("a", one.neurons[order], one.step_s, one.activity[:, order])
    wanted = affinity_tensor([one, two])
    found = affinity_tensor([two, turned], workers=2)
    np.testing.assert_array_equal(found.values, wanted.values)
    np.testing.assert_array_equal(found.seen, wanted.seen)


def test_recordings_of_other_rates_meet_on_the_coarsest() -> None:
    fine = np.arange(0, 30, 0.1)
    coarse = np.arange(0, 40, 0.5)
    animals = [
        Traces(name, np.array(["x", "y"]), step, np.sin(times[:, None] / 3 + [0.0, 0.4]))
        for name, step, times in (("a", 0.1, fine), ("b", 0.5, coarse))
    ]
    tensor = affinity_tensor(animals, smooth_s=0.0)
    assert tensor.step_s == 0.5
    assert tensor.values.shape == (60, 2, 1)


def test_animals_that_do_not_fit_are_refused() -> None:
    one = animal("a", ["x", "y"], 0)
    with pytest.raises(InputError, match="of the animal 'a'"):
        affinity_tensor([one, one])
    with pytest.raises(InputError, match="one neuron has no pair"):
        affinity_tensor([animal("b", ["x"], 0)])
    with pytest.raises(InputError, match="--window"):
        affinity_tensor([one], window_s=1000.0)
    for smooth in (float("nan"), 1e9):
        with pytest.raises(InputError, match="--smooth"):
            affinity_tensor([one], smooth_s=smooth)
