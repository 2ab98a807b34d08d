"""Warehouses that keep rows in databases of their own, whatever they are: staging tables, ledger, statements in transactions."""
