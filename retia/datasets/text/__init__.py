"""Text-attributed graphs: read, encode their texts, make into datasets."""
