"""Adamic-Adar on the undirected union of the visible edges."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="adamic-adar",
    summary="common neighbours weighted by 1 / log(degree), directions ignored",
    paper="Adamic and Adar 2003, doi:10.1016/S0378-8733(03)00009-1",
    tasks=("link",),
    predict=link_baseline("adamic-adar"),
)
