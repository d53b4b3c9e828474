"""Connectomes: nerve cells and their synapses."""
