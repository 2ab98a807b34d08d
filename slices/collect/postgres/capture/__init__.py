"""Captures what changed in a table from PostgreSQL's write-ahead log: a slot a table, read by SQL functions."""
