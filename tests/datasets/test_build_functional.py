import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from skimage.filters import threshold_otsu
from sklearn.metrics import adjusted_rand_score

from retia.api.checking import check_version
from retia.datasets.connectome.functional.affinity import all_pairs
from retia.datasets.connectome.functional.atlas import Intervals, find_intervals, motif_edges
from retia.datasets.connectome.functional.build import build_functional
from retia.datasets.connectome.functional.factorise import Factors
from retia.datasets.connectome.functional.options import FunctionalOptions
from retia.datasets.connectome.functional.planted import plant
from retia.protocol.audit import audit
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.toy_connectome import toy_weights
from tests.toys import toy_link, toy_node

Command = Callable[..., int]

NEURONS, GROUPS, SAMPLES, STEP_S = 18, 2, 240, 0.5
NAMES = np.array([f"n{i}" for i in range(NEURONS)])
GROUP = np.arange(NEURONS) % GROUPS


@pytest.fixture(scope="module")
def worms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four animals whose two groups of neurons act in turn, 20 s each; four neurons unseen."""
    folder = tmp_path_factory.mktemp("worms")
    rng = np.random.default_rng(1)
    turn = (np.arange(SAMPLES) // 40) % GROUPS
    paths = []
    for animal in "abcd":
        drive = gaussian_filter1d(rng.normal(size=(SAMPLES, GROUPS)), 3, axis=0)
        drive = 10 * drive * (turn[:, None] == np.arange(GROUPS))
        own = gaussian_filter1d(rng.normal(size=(SAMPLES, NEURONS)), 2, axis=0)
        activity = drive[:, GROUP] * rng.uniform(0.5, 1.5, NEURONS) + 0.8 * own
        seen = rng.permutation(NEURONS)[:14]
        path = folder / f"{animal}.csv"
        table = np.column_stack([np.arange(SAMPLES) * STEP_S, activity[:, seen]])
        header = ",".join(["time", *NAMES[seen]])
        np.savetxt(path, table, "%.6f", ",", header=header, comments="")
        paths.append(path)
    return paths


def options(**changes: object) -> FunctionalOptions:
    choices = {"name": "atlas", "window_s": 2.0, "rank": 2, "restarts": 4}
    return FunctionalOptions(**(choices | changes))


def build(worms: list[Path], out: Path, **changes: object) -> Version:
    return build_functional(worms, options(**changes), out)[0].version


@pytest.fixture(scope="module")
def atlas(worms: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Version:
    return build(worms, tmp_path_factory.mktemp("atlas"))


def test_atlas_stands_without_a_task(atlas: Version) -> None:
    manifest = atlas.manifest
    assert (manifest.kind, manifest.tasks, manifest.num_nodes) == ("connectome", (), NEURONS)
    assert [relation.name for relation in manifest.relations] == [
        "motif-1",
        "motif-2",
        "functional",
    ]
    assert atlas.table("ids")["name"].to_pylist() == sorted(NAMES)
    assert atlas.verify() == []
    assert [finding for finding in audit(atlas) if finding.status != "passed"] == []
    assert {finding.status for finding in check_version(atlas)} == {"passed"}


def test_motifs_are_the_groups_that_act_together(atlas: Version) -> None:
    group = np.array([int(name[1:]) % GROUPS for name in atlas.table("ids")["name"].to_pylist()])
    led = set()
    for motif in (1, 2):
        edges = atlas.edges(f"motif-{motif}")
        ends = group[np.column_stack([edges["src"].to_numpy(), edges["dst"].to_numpy()])]
        own = int(np.median(ends))
        within = (ends == own).all(axis=1)
        assert within.mean() > 0.8
        assert within.sum() > 0.8 * (NEURONS // 2) * (NEURONS // 2 - 1) / 2
        labels = atlas.nodes()[f"motif_{motif}_community"].to_numpy()
        assert adjusted_rand_score(group, labels) > 0.5
        led.add(own)
    assert led == {0, 1}


def test_intervals_follow_the_turns_and_edges_tell_their_affinity(atlas: Version) -> None:
    told = atlas.manifest.provenance.parameters
    intervals = told["intervals"]
    assert len(intervals) == 6
    starts = [interval["start_s"] for interval in intervals]
    np.testing.assert_allclose(starts, np.arange(6) * 20, atol=4)
    edges = atlas.edges("functional")
    by_interval = np.stack(edges["by_interval"].to_numpy())
    assert by_interval.shape == (edges.num_rows, 6)
    motifs = np.array([interval["motif"] for interval in intervals])
    first = atlas.edges("motif-1")
    strongest = int(np.argmax(first["weight"].to_numpy()))
    pair = (first["src"][strongest].as_py(), first["dst"][strongest].as_py())
    row = list(zip(edges["src"].to_pylist(), edges["dst"].to_pylist(), strict=True)).index(pair)
    values = by_interval[row]
    assert values[motifs == "motif-1"].mean() > 3 * values[motifs == "motif-2"].mean()


def test_order_of_files_and_workers_do_not_change_the_digest(
    worms: list[Path], atlas: Version, tmp_path: Path
) -> None:
    again = build(worms[::-1], tmp_path, workers=2)
    assert again.manifest.digest == atlas.manifest.digest


def test_another_seed_finds_the_same_motifs(
    worms: list[Path], atlas: Version, tmp_path: Path
) -> None:
    again = build(worms, tmp_path, seed=5)
    assert again.manifest.digest != atlas.manifest.digest
    scales = [v.manifest.provenance.parameters["scale"] for v in (atlas, again)]
    np.testing.assert_allclose(*scales, rtol=1e-2)


def test_structure_is_aligned_by_name(worms: list[Path], tmp_path: Path) -> None:
    wired = toy_node(tmp_path)
    found = build(worms, tmp_path, structure=str(wired.root))
    about = found.manifest.provenance.parameters["structure"]
    assert about["matched"] == NEURONS
    assert about["structural_without_recording"] == 80 - NEURONS
    assert about["recorded_without_structure"] == 0
    names = np.array(found.table("ids")["name"].to_pylist())
    edges, source = found.edges("edge"), wired.edges("edge")
    pairs = np.column_stack([edges["src"].to_numpy(), edges["dst"].to_numpy()])
    kept = {
        (f"n{i}", f"n{j}", weight)
        for i, j, weight in zip(
            *(source[c].to_pylist() for c in ("src", "dst", "weight")), strict=True
        )
        if max(i, j) < NEURONS
    }
    weights = edges["weight"].to_pylist()
    got = {
        (*sorted(names[pair], key=lambda n: int(n[1:])), w)
        for pair, w in zip(pairs, weights, strict=True)
    }
    assert got == kept
    assert found.manifest.license == "LicenseRef-unstated AND CC0-1.0"
    assert set(wired.manifest.provenance.sources) <= set(found.manifest.provenance.sources)
    assert [finding for finding in audit(found) if finding.status != "passed"] == []


def test_structure_that_hides_edges_or_names_nobody_is_refused(
    worms: list[Path], tmp_path: Path
) -> None:
    hidden = toy_link(tmp_path)
    with pytest.raises(InputError, match="hides edges for its task 'link'"):
        build(worms, tmp_path, structure=str(hidden.root))
    weighted = toy_weights(tmp_path)
    with pytest.raises(InputError, match="hides weights for its task"):
        build(worms, tmp_path, structure=str(weighted.root))
    stranger = worms[0].read_text().replace("n", "m")
    path = tmp_path / "z.csv"
    path.write_text(stranger)
    with pytest.raises(InputError, match="none of its neurons has the name"):
        build([path], tmp_path, structure=str(toy_node(tmp_path).root))
    assert not (tmp_path / "atlas").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rank": 0}, "--rank 0"),
        ({"max_rank": 99}, "--max-rank 99"),
        ({"name": "Atlas"}, "lower-case"),
        ({"communities": "sbm"}, "graph-tool is not installed"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    changes: dict[str, object], told: str, worms: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        build(worms, tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


def test_neurons_that_never_change_alike_leave_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "still.csv"
    path.write_text("t,a,b\n" + "".join(f"{i},1,2\n" for i in range(20)))
    with pytest.raises(InputError, match="nothing to factorise"):
        build([path], tmp_path / "out", window_s=None)


def test_command_takes_several_files_and_chooses_the_rank(
    worms: list[Path], retia: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--name", "cli", "--max-rank", 3, "--window", 2, "--out", tmp_path, "--json")
    assert retia("build", "functional", "--traces", *worms, *words) == 0
    (built,) = json.loads(capsys.readouterr().out)
    told = Version.open(Path(built["path"])).manifest.provenance.parameters
    assert told["animals"] == ["a", "b", "c", "d"]
    assert told["rank"] == 2
    assert [report["rank"] for report in told["ranks"]] == [1, 2, 3]


def test_edges_of_a_motif_are_the_pairs_within_its_groups() -> None:
    planted = plant(Randomness.from_seed(0))
    for weights, membership in zip(planted.pair.T, planted.membership, strict=True):
        same = np.diff(membership[all_pairs(50)], axis=1)[:, 0] == 0
        edges = motif_edges(weights)
        assert same[edges].all()
        assert len(edges) > 0.9 * same.sum()


def test_cut_of_a_motif_is_that_of_scikit_image() -> None:
    weights = np.random.default_rng(0).integers(0, 40, 500).astype(float)
    weights[:150] += 60
    cut = threshold_otsu(weights.astype(np.int64), nbins=100)
    assert motif_edges(weights).tolist() == np.flatnonzero(weights > cut).tolist()


def test_motif_of_equal_weights_holds_all_and_of_none_nothing() -> None:
    assert motif_edges(np.ones(6)).tolist() == list(range(6))
    assert len(motif_edges(np.zeros(6))) == 0
    assert motif_edges(np.ones(1)).tolist() == [0]


def test_interval_is_a_run_of_the_heaviest_component() -> None:
    time = np.zeros((9, 2))
    time[:4, 0] = 1
    time[4:7, 1] = 1
    factors = Factors(np.array([2.0, 1.0]), time, np.ones((1, 2)), np.ones((1, 2)), 0.0, 1)
    found = find_intervals(factors, step_s=1.0, hold_s=1.0)
    assert isinstance(found, Intervals)
    assert found.first.tolist() == [0, 4]
    assert found.last.tolist() == [4, 7]
    assert found.motif.tolist() == [0, 1]


def test_silence_after_activity_belongs_to_no_interval() -> None:
    """The rounding of a running mean is no activity."""
    time = np.zeros((200, 1))
    time[20:60, 0] = np.random.default_rng(0).random(40)
    factors = Factors(np.ones(1), time, np.ones((1, 1)), np.ones((1, 1)), 0.0, 1)
    found = find_intervals(factors, step_s=1.0, hold_s=5.0)
    assert (found.first.tolist(), found.last.tolist()) == ([18], [62])
