"""`atoll publish --dry-run`: what a publication's next batch would send; reads with the caller's own credentials, writes nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.causes import why_of
from console.nearest import unknown
from console.printable import printable
from console.progress import progress
from console.rejected import told_by_s3
from console.target import Target, json_option, open_target, profile_option
from console.wording import counted
from shared_metadata import naming
from shared_metadata.program import Flow, Kind, Program
from shared_metadata.program.intervals import to_text

if TYPE_CHECKING:
    from shared_metadata.contract.preview import Next, Parcel, Preview

SECONDS = 15 * 60.0  # as long as a function has to work out what changed
UNTOLD = "what sends it does not tell how"


@click.command(short_help="Try a publication: what its next batch would send.")
@click.argument("dataset")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many rows of each kind are shown.")
@profile_option
@json_option
def publish(dataset: str, dry_run: bool, limit: int, profile: str | None, as_json: bool) -> None:
    """Try the publication DATASET: how many rows its next batch would write, delete and leave as they are, and the first of them as
    they would be sent. Of an application that is the body of each request, and its headers' names; of a database, the columns and
    the values as it reads them. It changes nothing, neither in Atoll nor there: no batch is claimed, no receipt is written.

    The latest result of the publication's query is compared with what the target has, as its receipts or the journal say. Receipts
    of a database stand in it: where it cannot be reached from here, or its secret not be read, all rows of the result are shown,
    compared with nothing. All is read with your own credentials, which must let you read the data bucket.

    Rows are sent by the batches of the publication, when they are due; `atoll run DATASET` runs them now.

    \b
      atoll publish ops.public.scorecard --dry-run
      atoll publish partner.customers --dry-run --limit 5 --json | jq -r '.first.upserts[0].sent[0]'
    """
    if not dry_run:
        sends = again(f"atoll run {dataset}")
        raise click.UsageError(f"It sends nothing: add --dry-run to see what would be sent. `{sends}` publishes what is due.")
    target = open_target(profile)
    program = target.reader.active_program()
    flow = _publication(dataset, program)
    from shared_metadata.contract.preview import next_of

    upcoming = next_of(target.reader, flow)
    if upcoming is None:
        _no_result(target, flow, as_json)
        return
    with progress(f"working out what {dataset} would send"), target.environment(), told_by_s3(target):
        found = _preview(target, program, flow, upcoming, limit)
    if as_json:
        click.echo(json.dumps(_plain(flow, upcoming, found), indent=2))
        return
    for line in _lines(flow, upcoming, found):
        click.echo(printable(line))


def _publication(dataset: str, program: Program) -> Flow:
    """Raises InputError."""
    known = {flow.id: flow for flow in program.flows.values() if flow.kind == Kind.PUBLISH}
    if dataset not in known:
        listed = f"it has {', '.join(sorted(known)) or 'none: INSERT INTO a connection makes one'}"
        raise unknown("the active program has no publication", dataset, known, listed)
    return known[dataset]


def _preview(target: Target, program: Program, flow: Flow, upcoming: Next, limit: int) -> Preview:
    """What the flow's own slice tells, with the caller's credentials in place of its role."""
    from shared_metadata.contract.declaration import declared
    from shared_metadata.contract.preview import Asked, uncompared
    from shared_metadata.contract.runtime.environment import Environment
    from shared_metadata.contract.runtime.services import Services
    from slices.registry import installed

    bucket, previews = naming.data_bucket(target.account, target.region), installed()[flow.slice_id].previews
    services = Services(Environment(flow.slice_id, naming.METADATA_TABLE, bucket), target.session)
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked.of(program, flow, upcoming, services, Path(folder), limit, SECONDS)
        found: Preview = declared(previews)(asked) if previews else uncompared(asked, UNTOLD)
        return found


def _no_result(target: Target, flow: Flow, as_json: bool) -> None:
    """The message that there is nothing to send yet, and what comes next."""
    name, programs = flow.tables[0].inputs[0], target.reader.programs()
    states = target.reader.flow_states(programs.flow_ids, programs)
    why = why_of(name, programs, states, target.reader.batches_at, datetime.now(UTC))
    remedy = "; ".join(filter(None, (why.remedy, f"{again(f'atoll run {name}')} makes it where it is due")))
    if as_json:
        click.echo(json.dumps({"dataset": flow.id, "result": None, "why": why.sentence, "help": remedy}, indent=2))
        return
    click.echo(printable(f"No result of {flow.id} was made yet: {why.sentence}"))
    click.echo(printable(f" help: {remedy}"))


def _lines(flow: Flow, upcoming: Next, found: Preview) -> Iterator[str]:
    """The answer for people."""
    result, which = upcoming.result, "last" if flow.supersedes else "first"
    more = f", the {which} of {upcoming.waiting:,} that wait" if upcoming.waiting > 1 else ""
    yield f"{flow.id}: the result of the batch {result.interval}{more}, {counted(result.rows, 'row')}"
    rest = "" if found.deletes is None else f", {found.deletes:,} to delete, {found.unchanged:,} unchanged"
    yield f"  {counted(found.upserts, 'row')} to write{rest}"
    if found.uncompared:
        yield f"  all rows of the result, compared with nothing: {found.uncompared}"
    if found.remark:
        yield f"  {found.remark}"
    if upcoming.again:
        yield f"  the batch {upcoming.interval} has published it"
    for said, parcels in (("To write", found.first_upserts), ("To delete", found.first_deletes)):
        for parcel in parcels:
            part = f"the first {parcel.rows:,} of " if parcel.rows < parcel.of else ""
            yield f"{said}, {part}{counted(parcel.of, 'row')}:"
            yield from (f"  {line}" for line in _sent(parcel))


def _sent(parcel: Parcel) -> Iterator[str]:
    for word, value in parcel.about.items():
        yield f"{word}: {_in_words(value)}"
    for one in parcel.sent:
        yield from (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)).rstrip("\n").split("\n")


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {kind}" for name, kind in value.items())
    return value if isinstance(value, str) else ", ".join(value)


def _plain(flow: Flow, upcoming: Next, found: Preview) -> dict[str, Any]:
    result = upcoming.result
    told = {"start": to_text(result.interval.start), "end": to_text(result.interval.end), "rows": result.rows}
    counts = {"upserts": found.upserts, "deletes": found.deletes, "unchanged": found.unchanged}
    first: dict[str, Sequence[Parcel]] = {"upserts": found.first_upserts, "deletes": found.first_deletes}
    return {
        "dataset": flow.id,
        "result": told,
        "waiting": upcoming.waiting,
        "published": upcoming.again,
        "compared": not found.uncompared,
        "why": found.uncompared,
        **counts,
        "remark": found.remark,
        "first": {kind: [asdict(parcel) for parcel in parcels] for kind, parcels in first.items()},
    }
