"""Builders: from a source to a graph, its tasks, and a shard set."""
