"""A double of Databricks: its SQL Statement Execution API over HTTPS, and its SQL over DuckDB, whose kindnesses are taken away."""
