"""Give a graph the descriptions of its nodes as a text, joined on the ids."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retia.datasets.sources import LocalFile, fetch
from retia.datasets.text.graph import MISSING, Texts, as_texts, clean_texts, find_rows
from retia.datasets.text.inputs import Raw, TextSource
from retia.datasets.text.tans.record import about, read_descriptions
from retia.protocol.llm_only import DESCRIPTION
from retia.shards.errors import InputError


@dataclass(frozen=True)
class Described:
    """A source, and the file of `retia describe` with descriptions of its nodes."""

    source: TextSource
    path: Path

    @property
    def known_to_all(self) -> str | None:
        """As the source."""
        return self.source.known_to_all

    def read(self, license_: str | None) -> Raw:
        """Read both; raises `InputError` where a description is of no node."""
        raw = self.source.read(license_)
        if DESCRIPTION in raw.graph.texts:
            raise InputError(f"{self.path}: the nodes have a text '{DESCRIPTION}' already")
        record, table = read_descriptions(self.path)
        rows = find_rows(str(self.path), raw.graph.ids, as_texts(table["id"].to_pylist()), "row")
        if len(np.unique(rows)) < len(rows):
            raise InputError(f"{self.path}: a node is described twice")
        texts: Texts = np.full(raw.graph.num_nodes, MISSING, dtype=object)
        texts[rows] = as_texts(table[DESCRIPTION].to_pylist())
        texts, _ = clean_texts(f"{self.path}, {DESCRIPTION}", texts, raw.graph.ids)
        source = fetch(LocalFile(self.path, raw.license))[0].as_source()
        return replace(
            raw,
            graph=replace(raw.graph, texts=raw.graph.texts | {DESCRIPTION: texts}),
            sources=(*raw.sources, source),
            parameters=raw.parameters | {"descriptions": record},
            about_texts=raw.about_texts | {DESCRIPTION: about(record)},
        )
