"""The question the conductor asks, under the conductor's name; the answer is one pure function of the metadata layer."""

from shared_metadata.schedule import DueBatch, due_batches

__all__ = ["DueBatch", "due_batches"]
