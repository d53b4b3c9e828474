"""The verbs `run`, `models` and `metrics`."""

import json
import subprocess
import sys
from pathlib import Path

from retia.benchmarks import MODELS
from retia.shards.version import Version


def _retia(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "retia", *words], capture_output=True, text=True)


def test_models_lists_every_model() -> None:
    listed = json.loads(_retia("models", "--json").stdout)
    assert [row["name"] for row in listed] == list(MODELS)
    assert {"gcn", "graphsage", "mlp", "degree"} <= set(MODELS)


def test_metrics_lists_the_registry() -> None:
    listed = json.loads(_retia("metrics", "--json").stdout)
    assert {"rocauc", "mrr", "hits@20", "accuracy"} <= {row["name"] for row in listed}


def test_run_prints_its_result_and_directory(communities: Version, tmp_path: Path) -> None:
    words = ["run", "--dataset", str(communities.root), "--model", "degree"]
    words += ["--out", str(tmp_path)]
    shown = _retia(*words)
    assert shown.returncode == 0
    folder = Path(shown.stdout.splitlines()[-1])
    assert (folder / "predictions.parquet").is_file()
    assert "hard.mrr" in shown.stdout
    result = json.loads(_retia(*words, "--json").stdout)
    assert result["run"] == str(folder)
    assert result["submission"]["dataset"] == "toy-link"


def test_trained_run_is_quiet_in_a_pipe(colours: Version, tmp_path: Path) -> None:
    words = ["run", "--dataset", str(colours.root), "--model", "gcn", "--seeds", "2"]
    shown = _retia(*words, "--epochs", "3", "--out", str(tmp_path), "--workers", "2")
    assert shown.returncode == 0
    assert shown.stderr == ""


def test_unknown_model_is_one_line_and_exit_code_2(communities: Version) -> None:
    shown = _retia("run", "--dataset", str(communities.root), "--model", "graphsge")
    assert shown.returncode == 2
    assert shown.stderr.startswith("retia: no model 'graphsge'; did you mean graphsage?")
    assert shown.stderr.count("\n") == 1


def test_listing_models_loads_no_torch() -> None:
    code = "import sys; import retia.benchmarks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
