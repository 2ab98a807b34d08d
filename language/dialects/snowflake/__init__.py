"""Snowflake's SQL: its types, its functions, and what it does not read."""
