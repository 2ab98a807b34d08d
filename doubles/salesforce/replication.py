"""What the API tells of changes by their ids: getUpdated and getDeleted, with the limits that Salesforce documents.

REST API Developer Guide, "sObject Get Deleted" and "sObject Get Updated"; SOAP API Developer Guide, "getDeleted()".
"""

from datetime import datetime, timedelta
from typing import Any

from doubles.salesforce.call import Answer, Call
from doubles.salesforce.errors import SalesforceError
from doubles.salesforce.org import Org
from doubles.salesforce.values import parse_datetime

_UPDATED_DAYS, _DELETED_DAYS = 30, 15


def _span(org: Org, call: Call, days: int) -> tuple[datetime, datetime]:
    """The interval that is asked for: "The API ignores the seconds portion of the specified dateTime value"."""
    if not org.records.schema(call.path["object"]).replicateable:
        raise SalesforceError(400, "INVALID_TYPE", f"sObject type '{call.path['object']}' is not replicateable.")
    try:
        # A plus sign that was not escaped arrives as a space.
        start, end = (parse_datetime(call.query[name].replace(" ", "+")) for name in ("start", "end"))
    except (KeyError, ValueError):
        raise SalesforceError(400, "INVALID_REPLICATION_DATE", "start and end must be dateTime values") from None
    start, end = (one.replace(second=0, microsecond=0) for one in (start, end))
    if start < org.now() - timedelta(days=days):
        raise SalesforceError(400, "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    if end <= start:
        message = "endDate must be at least one minute greater than the startDate"
        raise SalesforceError(400, "INVALID_REPLICATION_DATE", message)
    return start, end


def _within_limit(org: Org, found: list[Any]) -> list[Any]:
    if len(found) > org.replication_limit:
        raise SalesforceError(400, "EXCEEDED_ID_LIMIT", f"exceeded the limit of {org.replication_limit} ids")
    return found


def _wire(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def deleted_records(org: Org, call: Call) -> Answer:
    """`GET …/sobjects/<T>/deleted?start=…&end=…`

    "If the purge has been performed before your getDeleted() call is executed, an INVALID_REPLICATION_DATE error is returned."
    """
    start, end = _span(org, call, _DELETED_DAYS)
    begins = max(org.records.log_begins() or start, org.now() - timedelta(days=_DELETED_DAYS))
    if start < begins.replace(second=0, microsecond=0):
        raise SalesforceError(400, "INVALID_REPLICATION_DATE", f"the deletions before {_wire(begins)} are purged")
    found = _within_limit(org, org.records.deleted(call.path["object"], start, end))
    records = [{"id": record, "deletedDate": moment[:-1] + "+0000"} for record, moment in found]
    covered = _wire(min(end, org.now()))
    return Answer({"deletedRecords": records, "earliestDateAvailable": _wire(begins), "latestDateCovered": covered})


def updated_records(org: Org, call: Call) -> Answer:
    """`GET …/sobjects/<T>/updated?start=…&end=…`"""
    start, end = _span(org, call, _UPDATED_DAYS)
    found = _within_limit(org, org.records.changed(call.path["object"], start, end))
    return Answer({"ids": found, "latestDateCovered": _wire(min(end, org.now()))})
