"""Collects what Atoll has recorded of its own batches: what was published, what was refused and why."""
