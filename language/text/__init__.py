"""A program's text: places, tokens, statements, comments, and what is told of a mistake."""
