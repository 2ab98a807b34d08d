"""What each format's files are to DuckDB, a module each."""
