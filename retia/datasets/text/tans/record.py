"""The record that a table of descriptions carries: how they came about.

It is JSON in the schema's metadata, under `RECORD`. `llm_prediction` is true in it where the names
of the classes were in the prompts.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retia.shards.errors import InputError

RECORD = b"retia.descriptions"
BY_TEMPLATE = "The node's place in the graph, in the words of a template."
BY_MODEL = "The node, described by a language model."
PREDICTED = (
    "The node, described by a language model that was given the names of the classes: it holds the "
    "model's prediction of the class. A result on it needs the llm-only row beside it."
)


def about(record: Mapping[str, Any]) -> str:
    """What a column of descriptions holds, by their record."""
    if record["llm_prediction"]:
        return PREDICTED
    return BY_TEMPLATE if record["with"] == "template" else BY_MODEL


def is_described(path: Path) -> bool:
    """Whether a file is a table of `retia describe`."""
    try:
        return RECORD in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def read_record(path: Path) -> dict[str, Any] | None:
    """The record in a Parquet file; none where its texts are not of `retia describe`."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file ({error})") from error
    return json.loads(metadata[RECORD]) if RECORD in metadata else None
