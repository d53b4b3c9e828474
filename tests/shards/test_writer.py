import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retia.shards import writer
from retia.shards.errors import InputError
from retia.shards.store import resolve, versions
from retia.shards.version import Version
from tests.toys import toy_link

ROOT = Path(__file__).resolve().parents[2]


def test_same_build_gives_the_same_digest_and_the_standing_version_stays(tmp_path: Path) -> None:
    first = toy_link(tmp_path / "a")
    again = toy_link(tmp_path / "b")
    assert first.manifest.digest == again.manifest.digest
    written = (first.root / "manifest.json").stat().st_mtime_ns
    repeated = toy_link(tmp_path / "a")
    assert repeated.manifest.digest == first.manifest.digest
    assert (first.root / "manifest.json").stat().st_mtime_ns == written
    assert [path.name for path in first.root.parent.iterdir()] == ["1.0.0"]


def test_other_content_under_a_standing_version_is_refused(tmp_path: Path) -> None:
    first = toy_link(tmp_path)
    with pytest.raises(InputError, match="versions never change"):
        toy_link(tmp_path, seed=1)
    assert Version.open(first.root).verify() == []
    assert len(list(first.root.parent.iterdir())) == 1


def test_sealed_builds_differ_by_their_secret(tmp_path: Path) -> None:
    one, two = toy_link(tmp_path / "a", sealed=True), toy_link(tmp_path / "b", sealed=True)
    assert one.manifest.digest != two.manifest.digest
    assert one.manifest.sealed_commitment != two.manifest.sealed_commitment
    repeated = toy_link(tmp_path / "c", sealed=True, secret=one.secret())
    assert repeated.manifest.digest == one.manifest.digest


def test_a_failing_build_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="half way"),
        writer.write_version(tmp_path, "half", "1.0.0") as half,
    ):
        half.add("nodes", pa.table({"x": [1.0, 2.0]}))
        raise RuntimeError("half way")
    assert list((tmp_path / "half").iterdir()) == []


KILLED = """
import sys, time, pyarrow as pa
from pathlib import Path
from retia.shards.writer import write_version
with write_version(Path(sys.argv[1]), "half", "1.0.0") as half:
    half.add("nodes", pa.table({"x": [1.0, 2.0]}))
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_build_leaves_no_version_and_the_next_one_sweeps(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert versions(tmp_path) == []
    assert len(list((tmp_path / "half").iterdir())) == 1
    time.sleep(0.05)
    with pytest.raises(RuntimeError), writer.write_version(tmp_path, "half", "1.0.0"):
        raise RuntimeError
    assert list((tmp_path / "half").iterdir()) == []


def test_tables_are_cut_into_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = toy_link(tmp_path / "whole")
    monkeypatch.setattr(writer, "SHARD_BYTES", 1000)
    parts = toy_link(tmp_path / "parts")
    assert len(whole.manifest.files("edges/edge")) == 1
    assert len(parts.manifest.files("edges/edge")) > 3
    assert parts.edges("edge").equals(whole.edges("edge"))
    assert parts.verify() == []


def test_a_reference_names_the_newest_version(tmp_path: Path) -> None:
    for number in ("1.0.0", "1.10.0", "1.9.0"):
        toy_link(tmp_path, version=number)
    assert resolve("toy-link", tmp_path).manifest.version == "1.10.0"
    assert resolve("toy-link@1.9.0", tmp_path).manifest.version == "1.9.0"
    assert resolve(str(tmp_path / "toy-link" / "1.0.0")).manifest.version == "1.0.0"


def test_the_row_groups_serve_ranges(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    writer.write_parquet(pa.table({"x": np.arange(300_000)}), path)
    import pyarrow.parquet as pq

    assert pq.read_metadata(path).num_row_groups == 3
