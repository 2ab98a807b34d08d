"""Publishes query results into tables of a PostgreSQL database."""
