"""What the slices that collect from PostgreSQL and publish to it share."""
