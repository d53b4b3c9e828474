"""The client: download, verify, cache; hand over as PyG, networkx and pandas; submit."""

from retia.loaders.client import Client
from retia.loaders.dataset import Dataset, load
from retia.loaders.splits import Candidates, LinkSplit, NodeSplit

__all__ = ["Candidates", "Client", "Dataset", "LinkSplit", "NodeSplit", "load"]
