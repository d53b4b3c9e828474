"""`retia compare`: from runs to matrices, groups and a page."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retia.benchmarks import make_config, run
from retia.benchmarks.analysis.comparison import compare_runs, label_runs
from retia.benchmarks.analysis.embeddings import Embedding
from retia.benchmarks.analysis.measures import MEASURES
from retia.shards.errors import InputError, IntegrityError
from retia.shards.version import Version


def retia(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "retia", *words], capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(colours: Version, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three seeds each of two sizes of one model, and of one that sees no edges."""
    out = tmp_path_factory.mktemp("runs")
    return {
        name: run(
            colours,
            make_config(colours, model, epochs=40, hidden=hidden),
            out,
            seeds=3,
            workers=1,
            embeddings=True,
        )
        for name, model, hidden in (("gcn", "gcn", 16), ("wide", "gcn", 32), ("mlp", "mlp", 16))
    }


def test_models_that_see_the_same_learn_the_same(runs: dict[str, Path]) -> None:
    found = compare_runs(list(runs.values()))
    assert found.labels == ("gcn, hidden 16", "gcn, hidden 32", "mlp")
    assert found.groups == [["gcn, hidden 16", "gcn, hidden 32"], ["mlp"]]
    assert [pair["verdict"] for pair in found.pairs()] == ["same", "different", "different"]
    assert list(found.by_run) == list(MEASURES)
    owner, seed = found.owners
    assert owner.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert seed.tolist() == [0, 1, 2] * 3
    for name, matrix in found.by_seed.items():
        assert matrix.shape == (9, 9)
        assert np.isfinite(matrix).all()
        if not name.startswith("stitching"):
            assert np.allclose(matrix, matrix.T)
        # Embeddings that agree do so by every measure.
        means = found.by_run[name]
        assert means[0, 1] > means[0, 2], name


def test_command_prints_and_writes(runs: dict[str, Path], tmp_path: Path) -> None:
    words = ["compare", *map(str, runs.values())]
    shown = retia(*words, "--out", str(tmp_path / "out"))
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    assert "the same thing: gcn, hidden 16; gcn, hidden 32" in shown.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"compare.html", "cka-seeds.svg", "tree.svg"} | {f"{m}.svg" for m in MEASURES}
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "<link" not in page
    assert "http://www.w3.org" in page  # the name of SVG's language, and no other address
    assert page.count("://") == page.count("http://www.w3.org/")
    found = json.loads(retia(*words, "--json").stdout)
    assert found["groups"][0] == ["gcn, hidden 16", "gcn, hidden 32"]
    assert np.shape(found["by_run"]["cka"]) == (3, 3)
    assert np.shape(found["by_seed"]["cka"]) == (9, 9)


def test_embeddings_do_not_change_a_run_and_are_added_to_one_that_is_done(
    colours: Version, runs: dict[str, Path], tmp_path: Path
) -> None:
    config = make_config(colours, "gcn", epochs=40, hidden=16)
    folder = run(colours, config, tmp_path, seeds=1, workers=1)
    seed, before = folder / "seeds" / "0", runs["gcn"] / "seeds" / "0"
    assert not (seed / "embeddings.parquet").exists()
    run(colours, config, tmp_path, seeds=1, workers=1, embeddings=True)
    assert np.array_equal(Embedding.read(seed).z, Embedding.read(before).z)
    predictions = [p / "predictions.parquet" for p in (seed, before)]
    assert predictions[0].read_bytes() == predictions[1].read_bytes()


def test_head_answers_as_the_model_predicted(colours: Version, runs: dict[str, Path]) -> None:
    import pyarrow.parquet as pq

    seed = runs["gcn"] / "seeds" / "1"
    embedding = Embedding.read(seed)
    table = pq.read_table(seed / "predictions.parquet")
    items = table["item"].to_numpy()
    assert embedding.head is not None
    assert np.array_equal(embedding.nodes, np.arange(80))
    answers = embedding.head.answers(embedding.z)[items, 0]
    assert np.array_equal(answers, table["pred"].to_numpy())


def test_runs_without_embeddings_are_refused(
    colours: Version, runs: dict[str, Path], tmp_path: Path
) -> None:
    config = make_config(colours, "gcn", epochs=1)
    bare = run(colours, config, tmp_path, seeds=1, workers=1)
    with pytest.raises(InputError, match="run it again with --embeddings"):
        compare_runs([runs["gcn"], bare])
    computed = run(colours, make_config(colours, "majority"), tmp_path)
    with pytest.raises(InputError, match="'majority' is computed, and embeds no nodes"):
        compare_runs([runs["gcn"], computed])
    with pytest.raises(InputError, match="is computed"):
        run(colours, make_config(colours, "majority"), tmp_path, embeddings=True)
    with pytest.raises(InputError, match="is no run directory"):
        compare_runs([runs["gcn"], tmp_path])


def test_runs_of_other_data_are_refused(
    spatial: Version, runs: dict[str, Path], tmp_path: Path
) -> None:
    config = make_config(spatial, "gcn", epochs=1)
    other = run(spatial, config, tmp_path, seeds=1, workers=1, embeddings=True)
    shown = retia("compare", str(runs["gcn"]), str(other))
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert shown.stderr.count("\n") == 1
    assert "toy-node@1.0.0" in shown.stderr
    assert "toy-spatial@1.0.0" in shown.stderr


def test_one_run_alone_is_refused(runs: dict[str, Path]) -> None:
    for folders in ([runs["gcn"]], [runs["gcn"], runs["gcn"]]):
        with pytest.raises(InputError, match="two or more different run directories"):
            compare_runs(folders)


def test_other_nodes_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(runs["mlp"], tmp_path / "copy")
    seed = copy / "seeds" / "2"
    embedding = Embedding.read(seed)
    Embedding(embedding.nodes + 1, embedding.z, embedding.head).write(seed)
    with pytest.raises(IntegrityError, match="of other nodes"):
        compare_runs([runs["gcn"], copy])


def test_labels_say_what_differs(colours: Version) -> None:
    configs = [
        make_config(colours, "gcn", lr=0.1),
        make_config(colours, "gcn", hidden=8),
        make_config(colours, "mlp"),
    ]
    assert label_runs(configs) == ["gcn, hidden 32, lr 0.1", "gcn, hidden 8, lr 0.01", "mlp"]
    assert label_runs([configs[2], configs[2]]) == ["mlp (1)", "mlp (2)"]
    other = configs[2].model_copy(update={"task": "shape"})
    assert label_runs([configs[0], other]) == ["gcn, task colour", "mlp, task shape"]
