"""What is known of statements from one compilation to the next, and between its processes."""
