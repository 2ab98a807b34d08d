"""GitHub's REST API for tests: what its documentation says of issues, comments, labels, pages and limits."""

from doubles.github.server import GitHub, served

__all__ = ["GitHub", "served"]
