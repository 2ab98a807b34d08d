"""Programs in their canonical form."""
