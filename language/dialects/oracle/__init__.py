"""Oracle's SQL: columns of one table and a WHERE, read by sqlglot; what is not known here is refused."""
