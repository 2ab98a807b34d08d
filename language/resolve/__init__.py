"""Statements become what they mean: names, settings, outputs, masks, and in which order."""
