"""Ask for a motif in words: parse a query, search a graph for it."""

from retia.datasets.connectome.query.graph import Attribute, Graph, Layer, graph_of
from retia.datasets.connectome.query.parser import parse
from retia.datasets.connectome.query.search import Matches, search
from retia.datasets.connectome.query.syntax import Query

__all__ = ["Attribute", "Graph", "Layer", "Matches", "Query", "graph_of", "parse", "search"]
