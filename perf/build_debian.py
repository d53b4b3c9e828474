"""What the datasets of Debian's packages cost, and how far a linear model comes on them.

    python perf/build_debian.py [--words] [OPTIONS OF retia build debian]

The build is the command a user would run, in a process of its own, on the lists of this machine;
seconds are wall time and that of the processors, memory is the peak resident size. Then ridge
regression tells the section on the stored split: from the encoding alone (X), after two steps along
the relations that a package installs by (S S X), and from X, S X and S S X together; with `--words`
also from TF-IDF itself, which takes a minute. S is the adjacency of depends, pre-depends and
recommends without direction, divided by the roots of the degrees of both ends.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import f1_score

from retia.shards.arrays import encoding_matrix
from retia.shards.version import Version

INSTALLED = ("depends", "pre-depends", "recommends")


def main() -> None:
    """Print what the build cost, and a row a model."""
    words = sys.argv[1:]
    raw = "--words" in words
    folder = Path(tempfile.mkdtemp(prefix="retia-perf-"))
    try:
        seconds, cpu, peak = build(folder, *(word for word in words if word != "--words"))
        print(f"build {seconds:.1f} s, {cpu:.1f} s of processors, {peak:.2f} GB", flush=True)
        score(Version.open(folder / "debian-node" / "1.0.0"), raw)
    finally:
        shutil.rmtree(folder)


def build(out: Path, *words: str) -> tuple[float, float, float]:
    """Wall and processor seconds and peak GB of the build; a failure ends the benchmark."""
    command = [sys.executable, "-m", "retia", "build", "debian", "--out", str(out), *words]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the build ended with {os.waitstatus_to_exitcode(status)}")
    cpu = usage.ru_utime + usage.ru_stime
    return time.monotonic() - start, cpu, usage.ru_maxrss / 2**20


def score(version: Version, raw: bool) -> None:
    """Print accuracy and macro-F1 on the test part of `section`."""
    train = version.task_table("section", 0, "train")
    test = version.answers("section", 0, "test")
    rows = train["node"].to_numpy(), test["item"].to_numpy()
    labels = train["label"].to_numpy(), test["label"].to_numpy()
    majority = np.bincount(labels[0]).argmax()
    print(f"{'majority':<20} {(labels[1] == majority).mean():.3f}")
    for name, matrix in features(version, raw).items():
        model = RidgeClassifier(alpha=1.0).fit(matrix[rows[0]], labels[0])
        told = model.predict(matrix[rows[1]])
        accuracy, macro = (told == labels[1]).mean(), f1_score(labels[1], told, average="macro")
        print(f"{name:<20} {accuracy:.3f} ({macro:.2f})", flush=True)


def features(version: Version, raw: bool) -> dict[str, np.ndarray | sparse.csr_array]:
    """The features of each model, (n, d)."""
    assert version.manifest.encodings is not None
    name = version.manifest.encodings[0].name
    x = encoding_matrix(version, name)
    step = adjacency(version)
    once = step @ x
    found = {
        name: x,
        f"{name}, S S X": step @ once,
        f"{name}, all": np.hstack([x, once, step @ once]),
    }
    if raw:
        texts = version.nodes(["description"])["description"].to_pylist()
        found["TF-IDF"] = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts).tocsr()
    return found


def adjacency(version: Version) -> sparse.csr_array:
    """S, (n, n)."""
    size = version.manifest.num_nodes
    tables = [version.edges(name) for name in INSTALLED]
    ends = [np.concatenate([table[end].to_numpy() for table in tables]) for end in ("src", "dst")]
    one_way = sparse.csr_array((np.ones(len(ends[0])), tuple(ends)), shape=(size, size))
    joined = ((one_way + one_way.T) > 0).astype(np.float64)
    root = sparse.diags_array(1 / np.sqrt(np.maximum(joined.sum(axis=1), 1)))
    return root @ joined @ root


if __name__ == "__main__":
    main()
