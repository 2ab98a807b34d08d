"""Tokens become statements."""
