"""Collects tables of a MySQL or MariaDB database as Parquet."""
