"""The state of training on disk, so that a killed run ends as one that was not killed.

A checkpoint is written in one step, at an evaluation, when some time has passed since the last. It
is read as plain tensors and numbers, never unpickled.
"""

import io
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from retia.shards.errors import IntegrityError
from retia.shards.writer import write_atomically

FORMAT = 1
EVERY_S = 2.0
SHARE = 0.05
"""No more than that share of the time goes into writing."""


@dataclass
class Progress:
    """Where training is: the last and the best epoch, the best score and state, all randomness."""

    epoch: int
    best: float
    best_epoch: int
    best_state: dict[str, Any]
    module: dict[str, Any]
    optimiser: dict[str, Any]
    draws: torch.Tensor
    rng: torch.Tensor
    cuda_rng: list[torch.Tensor]


class Checkpoint:
    """The checkpoint file of one seed; `key` is what it must have been written for."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self._written, self._cost = time.monotonic(), 0.0

    def load(self) -> Progress | None:
        """What was saved, or none; raises `IntegrityError` where the file is not ours."""
        if not self.path.exists():
            return None
        advice = "delete it to train this seed from the start"
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError) as error:
            raise IntegrityError(f"{self.path}: not readable as a checkpoint; {advice}") from error
        found = saved.get("format") if isinstance(saved, dict) else None
        if found != FORMAT or saved.get("key") != self.key:
            raise IntegrityError(
                f"{self.path}: a checkpoint of another version or run (format {found}, "
                f"not {FORMAT}); {advice}"
            )
        return Progress(**saved["progress"])

    def due(self) -> bool:
        """Whether enough time has passed since the last one."""
        return time.monotonic() - self._written > max(EVERY_S, self._cost / SHARE)

    def save(self, progress: Progress) -> None:
        """Write it in one step."""
        start = time.monotonic()
        content = io.BytesIO()
        saved = {"format": FORMAT, "key": self.key, "progress": _fields(progress)}
        torch.save(saved, content)
        write_atomically(self.path, content.getvalue())
        self._written = time.monotonic()
        self._cost = self._written - start


def _fields(progress: Progress) -> dict[str, Any]:
    return {name: getattr(progress, name) for name in Progress.__dataclass_fields__}
