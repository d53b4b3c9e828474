"""How a connectome is generated, a stage a file."""
