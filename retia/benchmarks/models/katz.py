"""The Katz index of short walks on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="katz",
    summary="walks of 1 to 4 steps, each weighted by 0.005 to its length; directions ignored",
    paper="Katz 1953, doi:10.1007/BF02289026",
    tasks=("link",),
    predict=link_baseline("katz"),
)
