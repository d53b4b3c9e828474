"""Vessel graphs: read, clean, and make into datasets; `readers`, `volumes`, `generator` feed them."""
