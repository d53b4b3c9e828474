"""Readers of sources of text-attributed graphs: a file each, all to the one form."""
