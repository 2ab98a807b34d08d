"""Secrets by reference, and grants that rotate."""
