"""The record: an append-only log in a DuckDB file, and everything that follows from it."""
