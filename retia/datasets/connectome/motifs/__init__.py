"""Motifs of connectomes: counts of small subgraphs, and the null models they are held against."""
