"""Motifs of connectomes: small patterns of connections, and how often they occur."""
