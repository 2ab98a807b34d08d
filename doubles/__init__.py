"""Doubles: servers that speak an outside system's real protocol, for tests and for the examples."""
