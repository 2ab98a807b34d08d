"""Views of a lake that call functions in Python."""
