"""Read a connectome from GraphML.

Format: http://graphml.graphdrawing.org; the attributes that are read stand in docs/connectome.md.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import pandas as pd
import pyarrow as pa

from retia.datasets.connectome.graph import Connectome
from retia.datasets.connectome.readers.tables import (
    EdgeMapping,
    NodeMapping,
    from_tables,
    names_of,
)
from retia.datasets.table_file import TableFile, make_table
from retia.shards.errors import InputError

LAYERS = ("layer", "type")
PRE, POST, NODE = "source", "target", "node"


def read_graphml(
    path: Path,
    *,
    edge_mapping: EdgeMapping | None = None,
    node_mapping: NodeMapping | None = None,
    unit: str | None = None,
) -> Connectome:
    """The nodes and edges of a GraphML file, with the attributes that the mappings name.

    Ends are the file's own, and a node's name is its id unless the mapping of neurons names an
    attribute; without mappings an edge's layer is its attribute `layer` or `type`, and one without
    `weight` counts 1. A file of undirected edges has undirected layers. Raises `InputError`.
    """
    graph = _load(path)
    ids = list(graph.nodes)
    nodes = _table(path, "nodes", [{NODE: name, **graph.nodes[name]} for name in ids])
    names = dict(zip(ids, _names(nodes, node_mapping), strict=True))
    ends = [
        {**data, PRE: names[src], POST: names[dst]} for src, dst, data in graph.edges(data=True)
    ]
    edges = _table(path, "edges", ends)
    wanted = edge_mapping or EdgeMapping(
        weight="weight" if "weight" in edges else None,
        layer=next((name for name in LAYERS if name in edges), None),
    )
    by_node = node_mapping or NodeMapping(name=NODE)
    by_edge = replace(wanted, pre=PRE, post=POST, directed=wanted.directed and graph.is_directed())
    return from_tables(edges, nodes, by_edge, by_node, unit)


def _load(path: Path) -> "nx.Graph[Any]":
    try:
        return nx.read_graphml(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ParseError, nx.NetworkXError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: this is no GraphML that can be read: {error}") from error


def _table(path: Path, what: str, rows: list[dict[str, Any]]) -> TableFile:
    """Attributes as columns of texts, an absent one empty."""
    if not rows:
        raise InputError(f"{path}: the graph has no {what}")
    frame = pd.DataFrame(rows).astype(object)
    texts = frame.where(frame.notna(), "").astype(str)
    return make_table(f"{path}, {what}", pa.Table.from_pandas(texts, preserve_index=False))


def _names(nodes: TableFile, mapping: NodeMapping | None) -> list[str]:
    column = NODE if mapping is None else mapping.name
    nodes.need([column])
    return names_of(nodes, column).tolist()
