"""What the slices share that keep a lake of Iceberg tables, whatever engine computes their rows."""
