"""Collects tables of an Oracle database as Parquet."""
