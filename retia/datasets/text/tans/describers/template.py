"""Describe nodes by a template: plain words for where each property stands among all nodes.

Deterministic, without network. Every level of every property has a word of its own, and ranks are
shares of the nodes: so encoders that only count words tell them apart, and graphs of any size have
the same words. Whoever changes these raises `VERSION`.
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
    word,
)
from retia.datasets.text.tans.properties import Properties
from retia.datasets.text.tans.subject import Subject

VERSION = 1
BOUNDS = (0.1, 0.35, 0.65, 0.9)
WORDS = {
    "degree": ("hardly", "thinly", "moderately", "well", "richly"),
    "clustering": ("scattered", "loose", "mixed", "tight", "cliquish"),
    "square_clustering": ("rarely", "seldom", "sometimes", "often", "mostly"),
    "closeness": ("remote", "outlying", "halfway", "close", "central"),
    "betweenness": ("peripheral", "minor", "intermediate", "notable", "pivotal"),
}
"""The words of the nodes below each of `BOUNDS`, and of those above all of them."""
ZERO = {
    "degree": "not",
    "clustering": "untied",
    "square_clustering": "never",
    "closeness": "unreachable",
    "betweenness": "bypassed",
}
SENTENCES = {
    "degree": ("It is ", " connected: its degree is "),
    "clustering": ("Its neighbourhood is ", ": its clustering is "),
    "square_clustering": ("Its neighbours ", " share others: its square clustering is "),
    "closeness": ("Its location is ", ": its closeness is "),
    "betweenness": ("Its place on shortest paths is ", ": its betweenness is "),
}


def template_version(setting: Setting) -> str:
    """The name of a template, kept in every record."""
    return f"tans-template-{setting}/{VERSION}"


def describe_by_template(subject: Subject, setting: Setting) -> pa.Array:
    """(n,) texts: word, value and rank of every property; but in `free`, also neighbours."""
    parts: list[pa.Array | str] = [_opening(subject)]
    parts += [_sentence(subject, name) for name in SENTENCES]
    if setting != "free" and subject.texts:
        parts.append(_neighbours(subject))
    return join(parts, subject.num_nodes, " ")


def levels(properties: Properties, name: str) -> NDArray[np.str_]:
    """(n,) words for the place of each value among all; another word where it is 0."""
    words = np.array(WORDS[name])[np.searchsorted(BOUNDS, properties.quantiles(name), "right")]
    return np.where(properties.values[name] == 0, ZERO[name], words)


def _opening(subject: Subject) -> pa.Array:
    degree = subject.properties.values["degree"]
    alone = word(f"This {subject.node} is joined to no other.")
    one = word(f"This {subject.node} is joined to one other.")
    number = as_array(np.char.mod("%d", degree))
    many = join([f"This {subject.node} is joined to ", number, " others."], len(degree), "")
    some = pc.if_else(pa.array(degree == 1), one, many)
    return pc.if_else(pa.array(degree == 0), alone, some)


def _sentence(subject: Subject, name: str) -> pa.Array:
    """As: It is well connected: its degree is 47, higher than that of 83 % of the airports."""
    properties = subject.properties
    values = properties.values[name]
    lower = 100 * np.searchsorted(np.sort(values), values, "left") // len(values)
    begin, end = SENTENCES[name]
    parts: list[pa.Array | str] = [
        begin,
        as_array(levels(properties, name)),
        end + ("about " if name in properties.errors else ""),
        as_array(np.char.mod("%.3g" if name != "degree" else "%d", values)),
        ", higher than that of ",
        as_array(np.char.mod("%d", lower)),
        f" % of the {subject.node}s.",
    ]
    return join(parts, subject.num_nodes, "")


def _neighbours(subject: Subject) -> pa.Array:
    """The texts of a few neighbours; null where none has a text."""
    joined = join(list(neighbour_texts(subject, "")), subject.num_nodes, "; ")
    return after("Among those it is joined to: ", joined)
