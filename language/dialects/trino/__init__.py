"""Trino's SQL, which Athena speaks: parsed by sqlglot, typed by rules and signatures of its documentation."""
