"""Common neighbours on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="common-neighbours",
    summary="number of common neighbours, directions ignored",
    paper="Liben-Nowell and Kleinberg 2007, doi:10.1002/asi.20591",
    tasks=("link",),
    predict=link_baseline("common-neighbours"),
)
