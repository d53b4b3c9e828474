"""Debian's packages as a text-attributed graph: from apt's lists to datasets."""
