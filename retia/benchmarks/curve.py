"""The learning curve of a seed: `metrics.jsonl`, a record an evaluation."""

import json
from pathlib import Path
from typing import Any


class Curve:
    """Records of evaluations, in memory and, with a path, in a file that is only added to."""

    def __init__(self, path: Path | None = None) -> None:
        self.path, self.records = path, read_curve(path) if path is not None else []

    def keep_until(self, epoch: int) -> None:
        """Drop what was recorded after that epoch: training goes on from there."""
        self.records = [record for record in self.records if record["epoch"] <= epoch]
        if self.path is not None:
            self.path.write_text("".join(_line(record) for record in self.records))

    def add(self, record: dict[str, Any]) -> None:
        """Add a record; it has an `epoch`."""
        self.records.append(record)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(_line(record))


def read_curve(path: Path) -> list[dict[str, Any]]:
    """The records of a `metrics.jsonl`; a last line that a kill has cut is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"
