"""Make a node dataset of a graph in the layout of Geom-GCN, with its published splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from retia.datasets.assemble import (
    Built,
    Dataset,
    EdgeColumns,
    NodeColumn,
    Origin,
    Step,
    check_names,
    write_dataset,
)
from retia.datasets.webkb.folder import WebkbFolder, read_webkb
from retia.protocol.given_task import given_node_task
from retia.shards.manifest import Column

STEPS = 2


@dataclass(frozen=True)
class WebkbOptions:
    """How to import: name of the dataset (that of the folder by default), version, licence."""

    name: str | None = None
    version: str = "1.0.0"
    license: str = "LicenseRef-unstated"


def import_webkb(
    folder: Path, options: WebkbOptions, out: Path, step: Step = lambda _: None
) -> list[Built]:
    """Import a graph of pages; raises `InputError` before anything is written."""
    check_names(*([options.name] if options.name else []), version=options.version)
    step("read the files")
    source = read_webkb(folder, options.license)
    name = options.name or source.name.replace("_", "-").lower()
    check_names(name, version=options.version, license_=options.license)
    step(f"write {name}")
    return [write_dataset(_dataset(source, name, options), out)]


def _dataset(source: WebkbFolder, name: str, options: WebkbOptions) -> Dataset:
    loops = source.edges[:, 0] == source.edges[:, 1]
    pairs = np.unique(source.edges[~loops], axis=0)
    task = given_node_task(
        source.labels,
        source.splits,
        name="category",
        classes=tuple(str(number) for number in range(int(source.labels.max()) + 1)),
        description="Tell the category of a page, in the published splits.",
        scheme=source.scheme,
    )
    words = Column(
        name="words",
        dtype="float32",
        shape=(source.features.shape[1],),
        description="bag of words of the page, as published",
        role="feature",
    )
    return Dataset(
        name=name,
        version=options.version,
        kind="text",
        title=f"{name}, imported from Geom-GCN's files",
        description="Pages as bags of words, and the links between them. Imported from Geom-GCN's "
        f"files with their {len(source.splits)} splits and their node order; the features are the "
        "published ones alone.",
        license=options.license,
        citation="Pei et al. 2020, Geom-GCN, https://arxiv.org/abs/2002.05287.",
        num_nodes=len(source.labels),
        relations=(EdgeColumns("link", True, pairs),),
        columns=(NodeColumn(words, source.features),),
        ids=pa.table({"node": np.arange(len(source.labels), dtype=np.int32)}),
        tasks=(task,),
        origin=Origin(
            builder="webkb",
            sources=tuple(file.as_source() for file in source.files),
            parameters={
                "split": source.scheme,
                "report": {
                    "self_loops_dropped": int(loops.sum()),
                    "duplicates_dropped": int((~loops).sum()) - len(pairs),
                },
            },
        ),
    )
