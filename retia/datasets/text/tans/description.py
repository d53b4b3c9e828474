"""The table of descriptions: a row a node, and the record of how they came about.

Where the names of the classes were in the prompts, the description's column says so, and there is
a column of the predicted classes.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retia.datasets.text.tans.describers.answer import Answer
from retia.datasets.text.tans.record import RECORD, about
from retia.datasets.text.tans.subject import TEXT, Subject
from retia.protocol.llm_only import predicted_classes


def described(
    subject: Subject,
    descriptions: pa.Array,
    columns: Mapping[str, pa.Array],
    record: Mapping[str, Any],
) -> pa.Table:
    """The table: ids, descriptions, further columns, the properties; `record` as metadata."""
    values = {"id": subject.ids, "description": descriptions, **columns}
    values |= {name: pa.array(value) for name, value in subject.properties.values.items()}
    if record["llm_prediction"]:
        codes = predicted_classes(descriptions, subject.classes)
        names = pa.array([*subject.classes, None], TEXT)
        values["llm_prediction"] = names.take(pa.array(codes % len(names)))
    table = pa.table(values)
    place = table.schema.get_field_index("description")
    field = table.schema.field(place).with_metadata({"description": about(record)})
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


def write_descriptions(table: pa.Table, path: Path) -> None:
    """Write a table of descriptions in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.replace(path)
