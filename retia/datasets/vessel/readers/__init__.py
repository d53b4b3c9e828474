"""Read vessel graphs from tables, drawings and GraphML into one form."""
