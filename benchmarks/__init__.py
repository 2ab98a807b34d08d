"""A command for each figure of docs/benchmarks.md; every one runs beside a peer or a floor, interleaved, and prints medians."""
