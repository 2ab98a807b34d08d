"""What a change at a source means for the program. Pure."""
