"""Labels of nodes from words, as a source has them."""

import numpy as np
import pandas as pd

from retia.datasets.text.graph import Ints, Labels, Texts, check_classes, known_rows

NO_LABEL = ("nan",)
MOST_DIGITS = 18


def single_labels(words: Texts) -> Labels:
    """The classes that occur, in the order of their names, and each node's, "" being none."""
    classes = sorted(set(words.tolist()) - {""}, key=_in_order)
    return Labels(tuple(classes), known_rows(np.array(classes, dtype=object), words))


def multi_labels(where: str, num_nodes: int, rows: Ints, words: Texts) -> Labels:
    """Labels of any number a node, from (m,) rows and words; a node without any is unlabelled.

    Raises `InputError` for words that are no names of classes, before it makes room for them.
    """
    place, classes = pd.factorize(words, sort=True)
    check_classes(where, tuple(classes.tolist()))
    values = np.zeros((num_nodes, len(classes)), dtype=bool)
    values[rows, place] = True
    return Labels(tuple(classes.tolist()), values, np.asarray(values.any(axis=1)))


def _in_order(name: str) -> tuple[int, int, str]:
    """Numbers by size, before words."""
    number = name.isdecimal() and len(name) <= MOST_DIGITS
    return (0, int(name), "") if number else (1, 0, name)
