"""One query, whatever its dialect: parsed, its shape, its types, its mistakes."""
