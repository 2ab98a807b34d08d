"""Organizes an Iceberg lake: tables in S3 under the Glue Data Catalog, views on DuckDB."""
