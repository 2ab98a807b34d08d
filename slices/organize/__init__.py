"""Slices of the organize stage, one folder a system."""
