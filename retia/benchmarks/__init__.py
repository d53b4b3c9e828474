"""Models, their training over seeds, and run directories; torch lives here alone.

Importing this room imports no torch: `run` loads it in the processes that train.
"""

from retia.benchmarks.config import RunConfig, Training, make_config
from retia.benchmarks.models import MODELS, Model, model
from retia.benchmarks.runner import run
from retia.benchmarks.transfer import make_transfer_config

__all__ = [
    "MODELS",
    "Model",
    "RunConfig",
    "Training",
    "make_config",
    "make_transfer_config",
    "model",
    "run",
]
