"""Who describes nodes: a template without any network, or a model at an endpoint."""
