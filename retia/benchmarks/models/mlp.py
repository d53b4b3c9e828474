"""A perceptron on a node's own features and position: what is known without any edge."""

from itertools import pairwise
from typing import TYPE_CHECKING

from retia.benchmarks.models.model import EncoderSize, Model

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize) -> "nn.Module":
    """Linear layers with ReLU and dropout between them; the message graph is not looked at."""
    from torch import Tensor, nn

    class FeatureMLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [size.inputs] + [size.hidden] * size.layers
            layers: list[nn.Module] = [nn.Linear(widths[0], widths[1])]
            for before, after in pairwise(widths[1:]):
                layers += [nn.ReLU(), nn.Dropout(size.dropout), nn.Linear(before, after)]
            self.layers = nn.Sequential(*layers)

        def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
            return self.layers(x)

    return FeatureMLP()


MODEL = Model(
    name="mlp",
    summary="perceptron on features and positions, no edges; pair decoder for links",
    paper="Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0",
    tasks=("link", "node", "node-multilabel"),
    needs=("features",),
    encoder=encoder,
)
