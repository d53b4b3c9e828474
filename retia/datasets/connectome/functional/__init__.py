"""The dynamic functional connectome: traces, affinities, factors, communities, an atlas."""
