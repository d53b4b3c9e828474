"""Graph-learning datasets, benchmarks and a leaderboard for biological networks.

`retia.load("celegans-link", server=...)` hands over a dataset; see `retia.loaders`.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retia.loaders import load

__all__ = ["__version__", "load"]

__version__ = metadata.version("retia")


def __getattr__(name: str) -> Any:
    if name == "load":
        return import_module("retia.loaders").load
    raise AttributeError(f"module 'retia' has no attribute '{name}'")
