"""Slices of the harness stage, one folder a system."""
