"""Vessel graphs: read, clean, make into datasets; fed by `readers`, `volumes`, `generator`."""
