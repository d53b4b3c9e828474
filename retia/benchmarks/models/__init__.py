"""The models that Retia ships, one a file, by name."""

from difflib import get_close_matches

from retia.benchmarks.models import (
    adamic_adar,
    buddy,
    common_neighbours,
    coordinate_mlp,
    correct_and_smooth,
    degree,
    degree_regression,
    distance,
    gat,
    gav,
    gcn,
    gin,
    graphsage,
    hiponet,
    katz,
    knn_rank,
    l3,
    label_propagation,
    linkx,
    majority,
    matrix_factorisation,
    mean,
    mlp,
    ncn,
    node2vec,
    pair_logistic,
    personalised_pagerank,
    resource_allocation,
    rgcn,
    seal,
    sheaf,
    sign,
    snowflake,
)
from retia.benchmarks.models.model import EncoderSize, Model
from retia.shards.errors import NotFoundError

__all__ = ["MODELS", "EncoderSize", "Model", "model"]

_MODULES = (
    degree,
    common_neighbours,
    adamic_adar,
    resource_allocation,
    l3,
    katz,
    personalised_pagerank,
    distance,
    knn_rank,
    pair_logistic,
    mean,
    degree_regression,
    majority,
    label_propagation,
    mlp,
    coordinate_mlp,
    matrix_factorisation,
    node2vec,
    sign,
    linkx,
    correct_and_smooth,
    gcn,
    graphsage,
    gat,
    gin,
    rgcn,
    gav,
    sheaf,
    snowflake,
    hiponet,
    ncn,
    buddy,
    seal,
)

MODELS: dict[str, Model] = {module.MODEL.name: module.MODEL for module in _MODULES}


def model(name: str) -> Model:
    """The model of that name; an unknown name is answered with the nearest ones."""
    if name in MODELS:
        return MODELS[name]
    near = get_close_matches(name.lower(), MODELS, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise NotFoundError(f"no model '{name}'; {hint}'retia models' lists all of them")
