"""The metadata table: keys, items, reads and writes. No other folder has an update expression."""
