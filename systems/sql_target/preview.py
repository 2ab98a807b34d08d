"""Shows what the next batch would write to a table: the database's receipts and its table are read, and nothing is made there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from shared_metadata.contract.preview import DELETES, UPSERTS, Asked, Parcel, Preview, compared, of_kind, uncompared
from shared_metadata.contract.results.results import Results
from shared_metadata.errors import RetryLater, SecretError
from shared_metadata.program import Mode
from systems.sql_target.batch import Batch
from systems.sql_target.target import Held, SqlTarget

Opens = Callable[[Mapping[str, Any]], SqlTarget]  # with the values of the connection's secret
REPLACED = "REPLACE: the database keeps the rows that it has alike, and deletes every other row of the table"


def preview(asked: Asked, opens: Opens) -> Preview:
    """All rows, compared with nothing, where the secret cannot be read from here or the database not be reached."""
    place = f"connection {asked.connection.name} ({asked.connection.position})"
    try:
        target = opens(asked.services.secret(str(asked.connection.options["secret"]), place=place))
    except SecretError as error:
        return uncompared(asked, error.what)
    with closing(target), closing(asked.results()) as results:
        try:
            held = target.held(asked.work, asked.result, asked.deadline)
        except (SecretError, RetryLater) as error:
            return uncompared(asked, error.what)
        return _compared(asked, target, held, results)


def _compared(asked: Asked, target: SqlTarget, held: Held, results: Results) -> Preview:
    changes = target.changes(asked.work, asked.result, held, str(asked.folder), asked.deadline)
    found = compared(asked, changes, *(_first(asked, held.batch, results, changes, kind) for kind in (UPSERTS, DELETES)))
    if asked.work.flow.mode != Mode.REPLACE or changes["nothing"]:
        return found
    return Preview(found.upserts, first_upserts=found.first_upserts, remark=REPLACED)


def _first(asked: Asked, batch: Batch, results: Results, changes: Mapping[str, Any], kind: str) -> list[Parcel]:
    files, shown = of_kind(changes, kind), list[Mapping[str, str | None]]()
    if not files:
        return []
    table, columns, written = batch.described(changes, kind)
    for file in files:
        left = asked.most - len(shown)
        values = results.first(file, written, left) if left else []
        shown += [dict(zip(columns, row, strict=True)) for row in values]
    return [Parcel(len(shown), changes[kind], {"table": table, "columns": columns}, shown)]
