"""Preferential attachment: the product of two visible degrees."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="degree",
    summary="product of the visible degrees; out-degree times in-degree where directed",
    paper="Barabási and Albert 1999, doi:10.1126/science.286.5439.509",
    tasks=("link",),
    predict=link_baseline("degree"),
)
