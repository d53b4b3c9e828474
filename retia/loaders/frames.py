"""A version as pandas frames and as a networkx graph."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from retia.shards.errors import MissingExtraError
from retia.shards.manifest import Relation
from retia.shards.version import Version

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd


def node_frame(version: Version) -> "pd.DataFrame":
    """Row i is node i: its columns, and its ids where they are public.

    A column of vectors is spread: `pos` becomes `pos_0`, `pos_1`, `pos_2`.
    """
    nodes = _frame(version.nodes())
    if version.has("ids"):
        ids = _frame(version.table("ids"))
        if "node" in ids:
            ids = ids.set_index("node")
        nodes = nodes.join(ids[[name for name in ids if name not in nodes]])
    nodes.index.name = "node"
    return nodes


def edge_frame(version: Version, relation: str) -> "pd.DataFrame":
    """The visible edges of a relation: src, dst and its columns; an undirected edge once."""
    return _frame(version.edges(relation))


def graph(version: Version, relation: str | None = None) -> "nx.Graph[int]":
    """The visible graph with all columns as attributes.

    One relation gives a `DiGraph` or a `Graph`. Several give a multigraph whose edge keys are the
    relations' names; where one of them is directed, undirected edges stand in both directions.
    """
    try:
        import networkx as nx
    except ImportError as error:
        raise MissingExtraError("build", "networkx") from error
    manifest = version.manifest
    chosen = (manifest.relation(relation),) if relation else manifest.relations
    directed = any(described.directed for described in chosen)
    result: nx.Graph[int]
    if len(chosen) == 1:
        result = nx.DiGraph() if directed else nx.Graph()
    else:
        result = nx.MultiDiGraph() if directed else nx.MultiGraph()
    records: Any = node_frame(version).to_dict("records")
    result.add_nodes_from(enumerate(records))
    for described in chosen:
        _add_edges(result, version, described)
    return result


def _add_edges(result: "nx.Graph[int]", version: Version, relation: Relation) -> None:
    frame = edge_frame(version, relation.name)
    src, dst = frame["src"].tolist(), frame["dst"].tolist()
    records: Any = frame.drop(columns=["src", "dst"]).to_dict("records")
    if not result.is_multigraph():
        result.add_edges_from(zip(src, dst, records, strict=True))
        return
    keys = [relation.name] * len(src)
    edges: Any = [*zip(src, dst, keys, records, strict=True)]
    if result.is_directed() and not relation.directed:
        edges += [*zip(dst, src, keys, records, strict=True)]
    result.add_edges_from(edges)


def _frame(table: pa.Table) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("build", "pandas") from error
    columns: dict[str, pa.Array] = {}
    for name in table.column_names:
        columns |= _spread(name, table[name])
    return pd.DataFrame({name: column.to_pandas() for name, column in columns.items()})


def _spread(name: str, column: pa.ChunkedArray) -> dict[str, pa.Array]:
    """A column of fixed-size lists as one column a place."""
    values = column.combine_chunks()
    if not pa.types.is_fixed_size_list(values.type):
        return {name: values}
    width, flat = values.type.list_size, values.flatten()
    places = [flat.take(pa.array(np.arange(i, len(flat), width))) for i in range(width)]
    result: dict[str, pa.Array] = {}
    for i, place in enumerate(places):
        result |= _spread(f"{name}_{i}", pa.chunked_array([place]))
    return result
