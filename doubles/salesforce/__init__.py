"""A double of Salesforce: a server that speaks its REST, OAuth and Bulk 2.0 query APIs for unmodified clients."""

from doubles.salesforce.schema import Field
from doubles.salesforce.server import SalesforceServer

__all__ = ["Field", "SalesforceServer"]
