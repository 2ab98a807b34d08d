"""`atoll rejected`: the rejected rows of a dataset, and why; reads the warehouse with the caller's own credentials."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from console.nearest import unknown
from console.printable import printable
from console.target import Target, json_option, open_target, profile_option
from shared_metadata import naming
from shared_metadata.errors import RetryLater
from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.intervals import to_text

if TYPE_CHECKING:
    from shared_metadata.contract.organize import Driver
    from shared_metadata.contract.parquet.rejected_rows import RejectedRow

BATCHES = 1000  # the latest batches of a publication that are searched for refused rows


@click.command(short_help="The rows that were set aside, and why.")
@click.argument("dataset")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many, the latest first.")
@profile_option
@json_option
def rejected(dataset: str, limit: int, profile: str | None, as_json: bool) -> None:
    """Show the rows of DATASET that its batches have rejected, because they fail an EXPECT … OR QUARANTINE, could not be read, or
    were refused by the database to which they are published, the latest batches' first: the batch, why, and their values.

    They stand in a table of the warehouse beside the dataset, `<dataset>__rejected`, for any engine to query. What is to be published
    has its own in the warehouse that computes it: of ops.public.scorecard it is `lake.ops.public_scorecard__rejected`. Those that the
    target refused are Parquet files, kept for 400 days, of what is published as a whole those of the last batch. The rows are read
    with your own credentials, which must let you read the data bucket.

    \b
      atoll rejected lake.ops.flights
      atoll rejected ops.public.scorecard --limit 500 --json | jq -r '.[].reason' | sort | uniq -c
    """
    target = open_target(profile)
    program = target.reader.active_program()
    flow, name = _maker(dataset, program)
    table, publisher = naming.rejected_table(name, flow.warehouse), program.producers[name.removesuffix(":result")]
    files = _refused(target, publisher) if publisher.kind == Kind.PUBLISH else []
    with target.environment(), told_by_s3(target):
        found = _driver(target, program, flow).rejected(table, limit) + (_read(target, files, limit) if files else [])
    found = sorted(found, key=lambda row: row.batch, reverse=True)[:limit]
    if as_json:
        click.echo(json.dumps([_plain(row) for row in found], indent=2))
        return
    for row in printable(found):
        click.echo(f"{to_text(row.batch)}  {row.reason}")
        click.echo(f"  {row.data}")
    for url in files:
        click.echo(f"refused by the target: {url}")
    if found:
        click.echo(f"{len(found)} of {dataset}, the latest first" if len(found) == limit else f"all of {dataset}: {len(found)}")
    else:
        allowed = flow.quarantines or publisher.quarantines
        unchecked = "" if allowed else f"; neither EXPECT … OR QUARANTINE nor TOLERATE … BAD ROWS stands at {flow.position}"
        click.echo(f"No row of {dataset} was set aside{unchecked}.")


def _maker(dataset: str, program: Program) -> tuple[Flow, str]:
    """The flow that checks a dataset's rows, and how it calls the dataset. Raises InputError."""
    makers = program.producers
    for name in (f"{dataset}:result", dataset):
        if name in makers and makers[name].stage == "organize":
            return makers[name], name
    checked = (name.removesuffix(":result") for name, flow in makers.items() if flow.stage == "organize")
    raise unknown("the active program has no dataset whose rows are checked called", dataset, checked)


def _refused(target: Target, flow: Flow) -> list[str]:
    """The files of rows that a publication's target refused: of its last batch, where that stands for all before it."""
    if flow.supersedes:
        latest = target.reader.latest_version(flow.id)
        pointers = [latest.pointer] if latest else []
    else:
        outcomes = [batch.outcomes.get(flow.id) for batch in target.reader.batches(flow.id, flow.id, BATCHES)]
        pointers = [outcome.pointer for outcome in outcomes if outcome and outcome.pointer]
    bucket = naming.data_bucket(target.account, target.region)
    return [f"s3://{bucket}/{file['key']}" for pointer in pointers for file in pointer.get("rejected", ())]


def _read(target: Target, files: Sequence[str], limit: int) -> list[RejectedRow]:
    from shared_metadata.contract.parquet.duckdb_session import open_duckdb
    from shared_metadata.contract.parquet.rejected_rows import of_files

    with open_duckdb(target.session) as connection:
        return of_files(connection, files, limit)


@contextmanager
def told_by_s3(target: Target) -> Iterator[None]:
    """A context in which the SDK asks for an object that S3 refused to DuckDB: its error tells why, DuckDB's a status at most."""
    import duckdb

    from shared_metadata.contract.parquet.duckdb_errors import is_of_s3, unreached

    try:
        yield
    except (RetryLater, duckdb.Error) as error:
        refused = error if isinstance(error, duckdb.Error) else error.__context__
        if not isinstance(refused, duckdb.Error) or not is_of_s3(refused):
            raise
        if asked := _object_in(str(refused), naming.data_bucket(target.account, target.region)):
            target.client("s3").get_object(Bucket=asked[0], Key=asked[1], Range="bytes=0-0")
        raise unreached(refused, "S3 was not reached to read rows", place="", remedy="ask again") from None


def _object_in(said: str, bucket: str) -> tuple[str, str] | None:
    """The bucket and key in DuckDB's message, by the bucket's name in a host or a path; None where it names no object of it."""
    found = re.search(rf"{re.escape(bucket)}[^/\s'\"]*/([^\s'\"?]+)", said)
    return (bucket, unquote(found[1])) if found else None


def _driver(target: Target, program: Program, flow: Flow) -> Driver:
    """The driver of the flow's warehouse, with the caller's credentials in place of the slice's role."""
    from shared_metadata.contract.runtime.environment import Environment
    from shared_metadata.contract.runtime.services import Services

    bucket = naming.data_bucket(target.account, target.region)
    services = Services(Environment(flow.slice_id, naming.METADATA_TABLE, bucket), target.session)
    handlers: Any = importlib.import_module(f"slices.{flow.slice_id}.handlers")
    return handlers.open_driver(program.warehouses[flow.warehouse], services)  # type: ignore[no-any-return]


def _plain(row: RejectedRow) -> dict[str, Any]:
    return {"batch": to_text(row.batch), "stage": row.stage, "reason": row.reason, "data": json.loads(row.data)}
