"""A command for each figure of the README; every one runs beside a peer or a floor, interleaved, and prints medians."""
