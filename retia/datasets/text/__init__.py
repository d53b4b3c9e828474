"""Builders of text-attributed graphs: any source → one form → tasks → shard sets."""
