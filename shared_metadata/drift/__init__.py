"""The meaning of a source's change for the program. Pure."""
