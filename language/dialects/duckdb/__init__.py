"""DuckDB's SQL as DuckDB itself reads it: its parser gives the tree of a text, its binder types and what columns are made from."""
