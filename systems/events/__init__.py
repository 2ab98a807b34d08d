"""What the slices of event streams share: events as lines, their columns by their keys, and their rows in Parquet files."""
