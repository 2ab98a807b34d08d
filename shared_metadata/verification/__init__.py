"""Derives the state of every dataset anew from its batches, and finds differences to the recorded state."""
