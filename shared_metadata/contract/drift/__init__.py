"""How collect looks whether its source is still what it was."""
