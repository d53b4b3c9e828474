"""Trace a vessel graph from a segmentation."""
