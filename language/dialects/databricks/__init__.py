"""Databricks' SQL: Spark's, with what it has otherwise and what its warehouse keeps."""
