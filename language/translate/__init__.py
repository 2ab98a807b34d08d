"""Writes a query over to another dialect: what a test has shown to mean the same, and nothing else."""
