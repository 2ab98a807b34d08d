"""Reads tables of any database that speaks SQL in parts, chunks and windows; its session and its dialect are handed in."""
