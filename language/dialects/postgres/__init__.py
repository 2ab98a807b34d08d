"""PostgreSQL's dialect: its queries are read by its own grammar, and named and typed by its own catalogue and rules."""
