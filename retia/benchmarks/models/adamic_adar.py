"""Adamic-Adar on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="adamic-adar",
    summary="common neighbours weighted by 1 / log(degree), directions ignored",
    paper="Adamic and Adar 2003, Social Networks 25:211-230",
    tasks=("link",),
    predict=link_baseline("adamic-adar"),
)
