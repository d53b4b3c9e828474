"""Bring datasets of the Open Graph Benchmark into the shard set."""
