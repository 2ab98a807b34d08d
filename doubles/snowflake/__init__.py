"""A double of Snowflake: its SQL API over HTTPS, and its SQL over DuckDB, whose kindnesses are taken away."""
