"""Derives anew what the metadata layer says of where things stand, and finds what is otherwise."""
