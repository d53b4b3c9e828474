"""Preferential attachment: the product of two visible degrees."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="degree",
    summary="product of the visible degrees; out-degree times in-degree where directed",
    paper="Barabási and Albert 1999, arXiv:cond-mat/9910332",
    tasks=("link",),
    predict=link_baseline("degree"),
)
