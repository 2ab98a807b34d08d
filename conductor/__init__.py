"""Decides which batches are due and starts them; two triggers, the clock and the metadata stream."""
