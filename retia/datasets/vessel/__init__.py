"""Vessel graphs: Voreen's tables, their cleaning, the line graph, and a generator."""
