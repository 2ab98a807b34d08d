"""Slices of the collect stage, one folder a system."""
