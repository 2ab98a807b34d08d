"""From tokens to statements."""
