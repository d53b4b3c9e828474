"""Correct and Smooth: a perceptron whose errors and answers are spread over the graph."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retia.benchmarks.models.mlp import encoder
from retia.benchmarks.models.model import Model, Options

if TYPE_CHECKING:
    from torch import Tensor

    from retia.benchmarks.view import View


class SmoothOptions(Options):
    """Steps of spreading, and the share that is spread, of the errors and of the answers."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 50
    correct: Annotated[float, Field(ge=0, le=1)] = 0.9
    smooth: Annotated[float, Field(ge=0, le=1)] = 0.8


def refine(
    probabilities: "Tensor", view: "View", train: "Tensor", labels: "Tensor", options: SmoothOptions
) -> "Tensor":
    """Spread the errors on training nodes, then the answers with the training labels set."""
    import torch
    from torch_geometric.nn.models import CorrectAndSmooth

    spread = CorrectAndSmooth(options.steps, options.correct, options.steps, options.smooth)
    known = torch.zeros(len(probabilities), dtype=torch.bool, device=probabilities.device)
    known[train] = True
    ordered = torch.zeros_like(known, dtype=torch.long).index_put((train,), labels)[known]
    corrected = spread.correct(probabilities, ordered, known, view.edge_index)
    return spread.smooth(corrected, ordered, known, view.edge_index)


MODEL = Model(
    name="correct-and-smooth",
    summary="perceptron, its errors on training nodes and its answers spread over the graph",
    paper="Huang et al. 2021, arXiv:2010.13993",
    tasks=("node",),
    needs=("features",),
    options=SmoothOptions,
    encoder=encoder,
    refine=refine,
)
