"""The progress of flows along the timeline of programs, and the batches that are due. Pure."""
