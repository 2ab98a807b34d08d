"""Queries over files, which DuckDB reads: columns of one folder of them, each perhaps CAST, and a WHERE."""
