"""Read connectomes from tables, matrices, GraphML and published exports into one form."""
