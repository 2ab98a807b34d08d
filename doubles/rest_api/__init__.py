"""REST APIs for tests: one server, and for each vendor a table of what it answers, as its documentation says."""

from doubles.rest_api.server import Api, Asked, Said, Vendor, served

__all__ = ["Api", "Asked", "Said", "Vendor", "served"]
