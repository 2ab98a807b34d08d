"""Calls to AWS: clients, concurrent calls, and refusals that are only temporary."""
