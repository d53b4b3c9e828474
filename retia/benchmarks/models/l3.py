"""Degree-normalised paths of three edges on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="l3",
    summary="paths of three edges, each weighted by 1 / √(degrees of its inner nodes)",
    paper="Kovács et al. 2019, doi:10.1038/s41467-019-09177-y",
    tasks=("link",),
    predict=link_baseline("l3"),
)
