"""Collects events that others send by HTTP to an endpoint of one's own."""
