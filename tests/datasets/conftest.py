"""Shared by the tests of the builders: the command in this process, and Voreen's tables."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from retia.cli import main
from retia.datasets.vessel.synthetic import as_csv, generate_vessels
from retia.protocol.randomness import Randomness


@pytest.fixture
def retia(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command; returns its exit code."""

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["retia", *map(str, words)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """A network of 400 nodes as the user's own nodes.csv and edges.csv."""
    folder = tmp_path / "tables"
    folder.mkdir()
    paths = (folder / "nodes.csv", folder / "edges.csv")
    made = generate_vessels(400, Randomness.from_seed(3))
    for path, table in zip(paths, (made.nodes, made.edges), strict=True):
        path.write_bytes(as_csv(table))
    return paths
