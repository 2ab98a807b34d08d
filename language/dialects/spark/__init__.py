"""Spark's SQL, in its ANSI mode: parsed by sqlglot, typed by rules and signatures of its documentation."""
