"""The row of a language model alone, where the texts of nodes hold its predictions.

A dataset whose descriptions came from prompts with the names of the classes says so in its
parameters, under `generated_text`, as `retia describe` recorded it. What a model of graphs adds to
such texts is only seen beside what the language model had guessed.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.shards.manifest import Task
from retia.shards.version import Version

Ints = NDArray[np.int64]

GENERATED_TEXT = "generated_text"
DECORATION = " \t\r*_`'\"."


def holds_predictions(version: Version, task: Task) -> bool:
    """Whether the texts hold predictions of this task's classes, or of some of them."""
    record = version.manifest.provenance.parameters.get(GENERATED_TEXT)
    if task.type != "node" or not isinstance(record, dict) or not record.get("llm_prediction"):
        return False
    named = record.get("classes")
    return isinstance(named, list) and any(name in named for name in task.classes)


def llm_only(version: Version, task: str, split: int) -> Ints:
    """(n,) the class that each description ends with, the commonest training class without one."""
    texts = version.nodes([GENERATED_TEXT])[GENERATED_TEXT].combine_chunks()
    found = predicted_classes(texts, version.manifest.task(task).classes)
    return filled(version, task, split, found)


def predicted_classes(descriptions: pa.Array, classes: tuple[str, ...]) -> Ints:
    """(n,) the class in the last line `Class: NAME` of each text, -1 where it is none of them."""
    texts = descriptions.cast(pa.large_string())
    found = pc.extract_regex(texts, r"(?is)^.*\bclass\W*:(?P<name>[^\n]*)")
    names = pc.utf8_lower(pc.utf8_trim(pc.struct_field(found, "name"), DECORATION))
    known = pc.utf8_lower(pc.utf8_trim(pa.array(classes, pa.large_string()), DECORATION))
    place = pc.index_in(names, value_set=known)
    return np.asarray(pc.fill_null(place, -1), dtype=np.int64)


def filled(version: Version, task: str, split: int, predicted: Ints) -> Ints:
    """(n,) predicted classes, the commonest training class where there is none (-1)."""
    labels = version.task_table(task, split, "train")["label"].to_numpy()
    return np.where(predicted >= 0, predicted, np.bincount(labels).argmax())
