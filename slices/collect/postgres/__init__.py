"""Collects tables and queries of a PostgreSQL database as Parquet."""
