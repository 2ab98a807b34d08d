"""What slices share that publish to applications: no transaction there, and no place for a receipt."""
