"""Personalised PageRank on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="personalised-pagerank",
    summary="PageRank of either node for the other, added; restart 0.15, directions ignored",
    paper="Liben-Nowell and Kleinberg 2007, doi:10.1002/asi.20591",
    tasks=("link",),
    predict=link_baseline("personalised-pagerank"),
)
