"""What a request holds, and what its answer means; no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from shared_metadata.errors import DefinitionError, RetryLater, SecretError
from systems.application_target.application import Group

CONTENT = {"json": "application/json", "ndjson": "application/x-ndjson"}
FOR_THE_MOMENT = (408, 409, 423, 425, 429)
OF_ROWS = (400, 413, 422)
MOST_PAUSE_SECONDS = 900.0


def body_of(group: Group, form: str) -> bytes:
    """The rows' own text, as it is, within what says whose they are."""
    whose = f'"dataset":{json.dumps(group.dataset)},"batch":{json.dumps(group.batch)}'
    if form == "json":
        return f'{{{whose},"upserts":[{",".join(group.upserts)}],"deletes":[{",".join(group.deletes)}]}}'.encode()
    changes = [*(f'"upsert":{row}' for row in group.upserts), *(f'"delete":{key}' for key in group.deletes)]
    return "".join(f"{{{whose},{change}}}\n" for change in changes).encode()


def told_of(form: str) -> dict[str, str]:
    """The headers of each request that hold nothing of a secret, nor of its rows."""
    return {"User-Agent": "atoll", "Content-Type": CONTENT[form]}


def meaning(status: int, headers: Mapping[str, str], secret: str, place: str) -> str:
    """'' for taken, or why the rows are refused. The application's own words may quote rows: nothing of them is kept.

    secret: what it is called.  place: of the connection. Raises RetryLater, SecretError, DefinitionError.
    """
    what = f"the application answers {status}"
    if 200 <= status < 300:
        return ""
    if status in OF_ROWS:
        return what
    if status in FOR_THE_MOMENT or status >= 500:
        raise RetryLater(what, place=place, after_seconds=_pause(headers.get("retry-after", "")))
    if status in (401, 403):
        refused = f"{what}: it does not take the key in the secret {secret}"
        remedy = "store the key that it gave, by `atoll secret`, or have it allow what the key may do"
        raise SecretError(refused, place=place, remedy=remedy)
    moved = "it is elsewhere now: " if 300 <= status < 400 else ""
    remedy = f"{moved}see to `url` in the secret {secret}, and to what listens there"
    raise DefinitionError(what, place=place, remedy=remedy)


def _pause(retry_after: str) -> float | None:
    """Seconds; None for a date, or for nothing."""
    return min(float(retry_after), MOST_PAUSE_SECONDS) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", retry_after) else None
