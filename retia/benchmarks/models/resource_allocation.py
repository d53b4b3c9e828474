"""Resource allocation on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="resource-allocation",
    summary="common neighbours weighted by 1 / degree, directions ignored",
    paper="Zhou, Lü and Zhang 2009, arXiv:0901.0553",
    tasks=("link",),
    predict=link_baseline("resource-allocation"),
)
