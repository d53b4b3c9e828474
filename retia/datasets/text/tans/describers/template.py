"""Describe nodes by a template: plain words for where each property stands among all nodes.

Deterministic, without network. Whoever changes the words raises `VERSION`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.datasets.text.tans.prompts import (
    Setting,
    after,
    as_array,
    join,
    neighbour_texts,
    value_texts,
    word,
)
from retia.datasets.text.tans.properties import NAMES, Floats, Properties
from retia.datasets.text.tans.subject import Subject

VERSION = 1
BOUNDS = (0.1, 0.35, 0.65, 0.9)
LEVELS = ("very low", "low", "middling", "high", "very high")
MEANINGS = {
    "degree": "degree, the number of its neighbours,",
    "clustering": "clustering, how far its neighbours are joined to each other,",
    "square_clustering": "square clustering, how far its neighbours share further neighbours,",
    "closeness": "closeness, how few steps lead to all others,",
    "betweenness": "betweenness, how many shortest paths pass it,",
}


def template_version(setting: Setting) -> str:
    """The name of a template, kept in every record."""
    return f"tans-template-{setting}/{VERSION}"


def describe_by_template(subject: Subject, setting: Setting) -> pa.Array:
    """(n,) texts: the level, value and rank of every property; but in `free`, also neighbours."""
    parts: list[pa.Array | str] = [_opening(subject)]
    parts += [_sentence(subject.properties, name) for name in NAMES]
    if setting != "free" and subject.texts:
        parts.append(_neighbours(subject))
    return join(parts, subject.num_nodes, " ")


def levels(properties: Properties, name: str) -> NDArray[np.str_]:
    """(n,) words for the place of each value among all; `zero` where it is nothing."""
    words = np.array(LEVELS)[np.searchsorted(BOUNDS, properties.quantiles(name), "right")]
    return np.where(properties.values[name] == 0, "zero", words)


def _opening(subject: Subject) -> pa.Array:
    degree: Floats = subject.properties.values["degree"]
    alone = (
        f"This {subject.node} is joined to no other of the {subject.num_nodes:,} {subject.node}s."
    )
    one = f"This {subject.node} is joined to one of the other {subject.num_nodes - 1:,}."
    many = join(
        [
            f"This {subject.node} is joined to ",
            as_array(np.char.mod("%d", degree)),
            f" of the other {subject.num_nodes - 1:,}.",
        ],
        subject.num_nodes,
        "",
    )
    some = pc.if_else(pa.array(degree == 1), word(one), many)
    return pc.if_else(pa.array(degree == 0), word(alone), some)


def _sentence(properties: Properties, name: str) -> pa.Array:
    ranks = properties.ranks(name)
    about = "about " if name in properties.errors else ""
    parts: list[pa.Array | str] = [
        f"Its {MEANINGS[name]} is ",
        as_array(levels(properties, name)),
        f": {about}",
        as_array(value_texts(properties, name)),
        ", rank ",
        as_array(np.char.mod("%d", ranks)),
        f" of {ranks.max()}.",
    ]
    return join(parts, properties.num_nodes, "")


def _neighbours(subject: Subject) -> pa.Array:
    """A sentence with the texts of a few neighbours; null where none has a text."""
    joined = join(list(neighbour_texts(subject, "")), subject.num_nodes, "; ")
    return after("Among those it is joined to: ", joined)
