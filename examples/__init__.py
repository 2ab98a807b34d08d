"""Example data programs, each with the sources it needs."""
