"""Writes the events of a part's requests as Parquet, until done or the deadline is near.

A resume token says how many of its requests are written. Each call does a few at least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_metadata.contract.collect import Extracted, ExtractRequest
from shared_metadata.contract.parquet.duckdb_session import open_duckdb
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.taken import LEFT_AS_IT_IS
from shared_metadata.errors import DefinitionError, RetryLater
from shared_metadata.program.schema import SchemaColumn
from slices.collect.http.inbox import Inbox, Request
from slices.collect.http.logic import TOLD, arrived
from systems.events.files import EventFiles
from systems.events.lines import Lines, Text

AT_ONCE = 64  # requests that are read before the deadline is looked at; each has 2 MB at most


def extract(request: ExtractRequest, inbox: Inbox, aws: Any, resume: Mapping[str, Any] | None, deadline: Deadline) -> Extracted:
    """aws: the boto3 session that Parquet is written with. Raises RetryLater or DefinitionError for requests that are gone."""
    table, names = request.table.source, list[str](request.part["names"])
    beside = [SchemaColumn(**column) for column in request.part["beside"]]
    done = int(resume["done"]) if resume else 0
    with Lines(TOLD) as lines, open_duckdb(aws) as connection:
        files = EventFiles(connection, request, TOLD, table, beside)
        while done < len(names):
            some = names[done : done + AT_ONCE]
            gather(lines, _read(request, inbox, some))
            files.write_many(lines)
            done += len(some)
            if deadline.near:
                break
        files.write(lines)
        return Extracted(tuple(files.written), {"done": done} if done < len(names) else None)


def gather(lines: Lines, requests: Sequence[Request]) -> None:
    """What requests' events say, and what is told of each."""
    for one in requests:
        moment = arrived(one.name)
        for number, text in enumerate(one.texts):
            place = f".{number:06d}"
            told = {"t": moment, "n": f"{one.name}{place}", "m": f"{one.message}{place}", "s": one.sender}
            lines.add(Text(text), told)


def _read(request: ExtractRequest, inbox: Inbox, names: Sequence[str]) -> list[Request]:
    try:
        return list(inbox.read(request.table.source, names))
    except RetryLater as gone:
        if request.window.took is None:
            raise
        what = f"{gone.what}, and its rows would be lost"
        raise DefinitionError(what, place=str(request.flow.position), remedy=LEFT_AS_IT_IS) from None
