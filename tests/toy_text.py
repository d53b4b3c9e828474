"""A small text-attributed version for tests, with two encodings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from retia.datasets.assemble import Dataset, EdgeColumns, NodeColumn, Origin, write_dataset
from retia.protocol.node_task import make_node_task
from retia.protocol.randomness import Randomness
from retia.shards.canonical import sha256_bytes
from retia.shards.manifest import Column, Encoding, Source
from retia.shards.version import Version

CLASSES = ("red", "green", "blue")
TEXT = Column(name="text", dtype="string", description="what a node says", role="text")
MISSING = Column(name="missing_text", dtype="bool", description="no text", role="feature")
EDGE_TEXT = Column(name="text", dtype="string", description="what an edge says", role="text")


def card(name: str, dimensions: int = 4, dtype: str = "float32", **changes: str) -> Encoding:
    """A card of an encoder that was never fitted."""
    fields = {"encoder": "toy", "texts": "text", "texts_sha256": sha256_bytes(b"toy")}
    about = {"fitted_on": "nothing", "normalised": False, "dtype": dtype}
    return Encoding(name=name, dimensions=dimensions, **{**fields, **about, **changes})


def toy_texts(
    name: str = "toy-text",
    num_nodes: int = 90,
    seed: int = 0,
    classes: tuple[str, ...] = CLASSES,
) -> Dataset:
    """Communities that chat: `good` tells them apart, `noise` does not; every fifth is silent."""
    rng = np.random.default_rng(seed)
    community = rng.integers(len(classes), size=num_nodes)
    texts = np.array([f"the {classes[c]} one" for c in community], dtype=object)
    texts[::5] = ""
    pairs = np.unique(np.sort(rng.integers(num_nodes, size=(6 * num_nodes, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    said = np.array([f"{a} to {b}" for a, b in pairs], dtype=object)
    good = np.eye(4)[community] + 0.3 * rng.standard_normal((num_nodes, 4))
    noise = rng.standard_normal((num_nodes, 2))
    task = make_node_task(
        community,
        name="colour",
        label="colour",
        classes=classes,
        description="Tell the community.",
        randomness=Randomness.from_seed(seed),
        sealed=False,
    )
    source = Source(
        uri=f"toy:{name}", sha256=sha256_bytes(name.encode()), bytes=3, license="CC0-1.0"
    )
    return Dataset(
        name=name,
        version="1.0.0",
        kind="text",
        title="Toy texts",
        description="A graph made for tests.",
        license="CC0-1.0",
        citation="none",
        num_nodes=num_nodes,
        relations=(EdgeColumns("says", False, pairs, ((EDGE_TEXT, said),)),),
        columns=(NodeColumn(TEXT, texts), NodeColumn(MISSING, texts == "")),
        ids=pa.table({"node": np.arange(num_nodes, dtype=np.int32)}),
        tasks=(task,),
        origin=Origin("toys", (source,), {}, synthetic=True),
        encodings=((card("good"), good), (card("noise", 2, "float16"), noise)),
    )


def toy_text(out: Path, **changes: object) -> Version:
    """`toy_texts` written to `out`; `changes` are fields of the dataset."""
    return write_dataset(replace(toy_texts(), **changes), out).version
