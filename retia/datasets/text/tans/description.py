"""The table of descriptions: a row a node, and the record of how they came about.

The record is JSON in the schema's metadata, under `RECORD`. Where the names of the classes were in
the prompts, `llm_prediction` is true in it, the description's column says so too, and there is a
column of the predicted classes.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retia.datasets.text.tans.describers.answer import Answer
from retia.datasets.text.tans.kernels import Ints
from retia.datasets.text.tans.subject import TEXT, Subject
from retia.shards.errors import InputError

RECORD = b"retia.descriptions"
BY_TEMPLATE = "The node's place in the graph, in the words of a template."
BY_MODEL = "The node, described by a language model."
PREDICTED = (
    "The node, described by a language model that was given the names of the classes: it holds the "
    "model's prediction of the class. A result on it needs the llm-only row beside it."
)


def described(
    subject: Subject,
    descriptions: pa.Array,
    columns: Mapping[str, pa.Array],
    record: Mapping[str, Any],
) -> pa.Table:
    """The table: ids, descriptions, further columns, the properties; `record` as metadata."""
    predicts = bool(record["llm_prediction"])
    about = PREDICTED if predicts else BY_TEMPLATE if record["with"] == "template" else BY_MODEL
    values = {"id": subject.ids, "description": descriptions, **columns}
    values |= {name: pa.array(value) for name, value in subject.properties.values.items()}
    if predicts:
        codes = predicted_classes(descriptions, subject.classes)
        names = pa.array([*subject.classes, None], TEXT)
        values["llm_prediction"] = names.take(pa.array(codes % len(names)))
    table = pa.table(values)
    place = table.schema.get_field_index("description")
    field = table.schema.field(place).with_metadata({"description": about})
    fields = [*table.schema]
    fields[place] = field
    small = [one.with_type(pa.string()) if one.type == TEXT else one for one in fields]
    return table.cast(pa.schema(small)).replace_schema_metadata({RECORD: json.dumps(dict(record))})


def answer_columns(
    prompts: pa.DictionaryArray, answers: list[Answer]
) -> tuple[pa.Array, dict[str, pa.Array]]:
    """The descriptions (n,), null without an answer, and what came of asking for each.

    `prompts` (n,) are encoded by their U different ones, to which `answers` belong.
    """
    code = prompts.indices
    hashes = [sha256(text.encode()).hexdigest() for text in prompts.dictionary.to_pylist()]

    def spread(values: list[str | None]) -> pa.Array:
        return pa.array(values, TEXT).take(code)

    columns = {
        "status": spread([answer.status for answer in answers]),
        "reason": spread([answer.reason or None for answer in answers]),
        "prompt_sha256": spread(list(hashes)),
        "model": spread([answer.model or None for answer in answers]),
    }
    return spread([answer.text or None for answer in answers]), columns


def predicted_classes(descriptions: pa.Array, classes: tuple[str, ...]) -> Ints:
    """(n,) the class that each description ends with, -1 where it names none of them."""
    found = pc.extract_regex(descriptions, r"(?is)^.*\bclass\W*:(?P<name>[^\n]*)")
    names = pc.utf8_lower(pc.utf8_trim(pc.struct_field(found, "name"), " \t\r*_`'\"."))
    known = pc.utf8_lower(pc.utf8_trim(pa.array(classes, TEXT), " \t\r*_`'\"."))
    place = pc.index_in(names, value_set=known)
    return np.asarray(pc.fill_null(place, -1), dtype=np.int64)


def write_descriptions(table: pa.Table, path: Path) -> None:
    """Write a table of descriptions in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.replace(path)


def read_record(path: Path) -> dict[str, Any] | None:
    """The record in a Parquet file; none where its texts are no descriptions of Retia's."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file ({error})") from error
    return json.loads(metadata[RECORD]) if RECORD in metadata else None
