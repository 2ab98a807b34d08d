"""Collects deletions of records that no query returns: those purged from the recycle bin, from Salesforce's log of deletions.

A record that is deleted for good before a batch comes by (a hard delete, a bin that was emptied) is in no answer, not of `queryAll`
either. The log is asked by whole minutes, gives 600,000 records at most and reaches back 15 days, or to where it was emptied;
then the call is refused. Records that are still in the bin are in the log too.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.collect import Extracted, Window
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow, Mode
from shared_metadata.program.intervals import Interval, ceil, floor, from_text, to_text
from shared_metadata.program.schema import SchemaColumn
from slices.collect.salesforce.logic import CURSOR_FIELDS, QUERY, selected_fields
from systems.salesforce.objects import SalesforceObject
from systems.salesforce.refusals import Refused
from systems.salesforce.session import Session

if TYPE_CHECKING:
    from slices.collect.salesforce.parquet_files import ParquetFiles

HOUR = 3600  # seconds: so often is the log asked, for one that has grown long loses what is older than two hours
MINUTE = 60
IDS_AT_ONCE = 400  # in a condition that fits into a URL


def are_told(flow: Flow, described: SalesforceObject, left: Sequence[SchemaColumn]) -> bool:
    """Whether rows of the flow can be marked by Ids: the log has nothing else. left: the columns staged of a row that left."""
    keys = [column.source for column in left if column.name in flow.key]
    return flow.mode == Mode.MERGE and described.logs_deletions and keys == ["Id"]


def due(window: Window, lag_seconds: int) -> Interval | None:
    """The span of the log for a batch: from the last full hour before it, if another one ends within it; else nothing.

    Batches follow each other without a gap, so no moment is left out. A first batch reads what there is, a backfill was here before.
    """
    interval = window.interval
    if window.first or window.again or floor(interval.end, HOUR) <= interval.start:
        return None
    start = floor(interval.start, HOUR) - timedelta(seconds=lag_seconds)
    return Interval(floor(start, MINUTE), ceil(interval.end, MINUTE))


def told(session: Session, name: str, span: Interval) -> dict[str, str]:
    """Id ▸ when it was deleted, of an object's records. Raises DefinitionError where the log does not reach back that far."""
    try:
        answer = session.get(f"sobjects/{name}/deleted", {"start": to_text(span.start), "end": to_text(span.end)})
    except Refused as error:
        if error.code == "EXCEEDED_ID_LIMIT" and span.end - span.start >= timedelta(seconds=2 * MINUTE):
            middle = floor(span.start + (span.end - span.start) / 2, MINUTE)
            return told(session, name, Interval(span.start, middle)) | told(session, name, Interval(middle, span.end))
        if error.code == "INVALID_REPLICATION_DATE":
            raise _untold(name, span) from None
        raise
    return {record["id"]: record["deletedDate"] for record in answer["deletedRecords"]}


def _untold(name: str, span: Interval) -> DefinitionError:
    return DefinitionError(
        f"Salesforce does not tell any more which records of {name} were deleted since {to_text(span.start)}: its log was emptied, "
        "or reaches back 15 days only",
        remedy="collect the table once by REPLACE, which reads all records, or write purged_records = FALSE in the connection",
    )


def part(described: SalesforceObject, left: Sequence[SchemaColumn], span: Interval, count: int) -> dict[str, Any]:
    """The part of a plan in which `extract` works. left: the columns that are staged."""
    asked = {"object": described.name, "start": to_text(span.start), "end": to_text(span.end)}
    return {"deletions": asked, "fields": selected_fields(left, described), "left": True, "count": count}


def extract(
    session: Session, part: Mapping[str, Any], files: ParquetFiles, resume: Mapping[str, Any] | None, deadline: Deadline
) -> Extracted:
    """Stages the keys of records that are in the log and in no query. Resume tokens: {'checked', 'files'}: the last Id looked up."""
    asked = part["deletions"]
    name, at = asked["object"], dict(resume or {"checked": "", "files": 0})
    found = told(session, name, Interval(from_text(asked["start"]), from_text(asked["end"])))
    left = sorted(record for record in found if record > at["checked"])
    purged: list[str] = []
    while left:
        some, left = left[:IDS_AT_ONCE], left[IDS_AT_ONCE:]
        there = _there(session, name, some)
        purged += [record for record in some if record not in there]
        at["checked"] = some[-1]
        if left and deadline.near:
            break
    written = [_staged({record: found[record] for record in purged}, files, at["files"])] if purged else []
    return Extracted(tuple(written), at | {"files": at["files"] + len(written)} if left else None)


def _there(session: Session, name: str, ids: Sequence[str]) -> set[str]:
    """The records of these that a query returns."""
    listed = ", ".join(f"'{one}'" for one in ids)
    page = session.get(QUERY, {"q": f"SELECT Id FROM {name} WHERE Id IN ({listed})"})
    found = {record["Id"] for record in page["records"]}
    while following := page.get("nextRecordsUrl"):
        page = session.get(following)
        found |= {record["Id"] for record in page["records"]}
    return found


def _staged(purged: Mapping[str, str], files: ParquetFiles, number: int) -> dict[str, Any]:
    """A file of rows that left. Salesforce's own clock, where that is the cursor, says when each was deleted."""
    records = [{"Id": record, CURSOR_FIELDS[0]: moment} for record, moment in purged.items()]
    with tempfile.TemporaryDirectory(prefix="deleted-") as folder:
        page = Path(folder) / "page.json"
        page.write_text(json.dumps({"records": records}))
        return files.from_json([page], number)
