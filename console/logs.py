"""`atoll logs`: the log entries of the functions, and of the tasks, of a flow or a slice."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import click

from console.nearest import unknown
from console.target import Target, json_option, open_target, profile_option
from shared_metadata import naming
from shared_metadata.aws.at_once import beside_one_another
from shared_metadata.errors import visible
from slices.registry import installed

CONDUCTOR = "conductor"
ERRORS = ("ERROR", "CRITICAL")
# The runtime's own messages when a function cannot go on; its other plain text is of no use to an operator.
RUNTIME_ERRORS = ("[ERROR]", "Task timed out", "Runtime.", "Traceback")
RUNTIME_LINES = ("START ", "END ", "REPORT ", "INIT_", "{")
SHOWN_FIRST = ("at", "level", "function", "message")
NOT_SHOWN = {*SHOWN_FIRST, "timestamp", "service", "location", "xray_trace_id", "cold_start", "function_memory_size"}


@click.command(short_help="What the functions of a flow or slice wrote.")
@click.argument("name", required=False)
@click.option("--minutes", type=click.IntRange(1), default=15, show_default=True, help="How far back to look.")
@click.option("--errors", is_flag=True, help="Only errors.")
@profile_option
@json_option
def logs(name: str | None, minutes: int, errors: bool, profile: str | None, as_json: bool) -> None:
    """Show the log entries of the functions of NAME: a flow or dataset (lake.ops.flights), a slice (collect.postgres),
    `conductor`, or nothing for all. With --json one object a line.

    \b
      atoll logs                                      everything of the last 15 minutes
      atoll logs lake.ops.flights --minutes 60
      atoll logs collect.salesforce --errors
    """
    target = open_target(profile)
    slice_ids, flow = _scope(target, name)
    entries = _entries(target, slice_ids, flow, minutes)
    shown = [entry for entry in entries if not errors or entry.get("level") in ERRORS]
    for entry in shown:
        click.echo(json.dumps(entry) if as_json else _line(entry))
    if not shown and not as_json:
        what = "no errors" if errors else "nothing"
        click.echo(f"{what} in the last {minutes} minutes; --minutes looks further back", err=True)


def _scope(target: Target, name: str | None) -> tuple[list[str], str]:
    """The slices to look at, and the flow whose entries are wanted, or ''."""
    known = installed()
    if not name:
        return [*known, CONDUCTOR], ""
    if name in known or name == CONDUCTOR:
        return [name], ""
    program = target.reader.active_program()
    flow = program.flows.get(name) or program.producers.get(name)
    if flow is None:
        flows, slices = sorted(program.flows), [*known, CONDUCTOR]
        listed = f"flows: {', '.join(flows)}; slices: {', '.join(slices)}"
        raise unknown("there is no flow and no slice", name, [*program.producers, *flows, *slices], listed)
    return [flow.slice_id], flow.id


def _entries(target: Target, slice_ids: list[str], flow: str, minutes: int) -> list[dict[str, Any]]:
    """The entries, oldest first. A flow's include the runtime's own errors, which name no flow."""
    client = target.client("logs")
    since = int((time.time() - minutes * 60) * 1000)
    parts = beside_one_another(lambda group: _read(client, group, since), _groups(slice_ids))
    found = [entry for part in parts for entry in part]
    wanted = [entry for entry in found if not flow or entry.get("flow", flow if entry.get("runtime") else "") == flow]
    return sorted(wanted, key=lambda entry: entry["at"])


def _read(client: Any, group: str, since: int) -> list[dict[str, Any]]:
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        return _entries_of([event for page in pages for event in page["events"]], group)
    except client.exceptions.ResourceNotFoundException:
        return []  # not deployed here, or never run


def _entries_of(events: list[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    """The entries of one group; a runtime's error of several lines may come as an event a line."""
    entries: list[dict[str, Any]] = []
    open_errors: dict[str, dict[str, Any]] = {}
    for event in events:
        stream = event["logStreamName"]
        entry = _parse(event, group)
        if entry and entry.get("runtime") and stream in open_errors:
            open_errors[stream]["message"] += "\n" + event["message"].rstrip()
            continue
        if entry:
            entries.append(entry)
        if entry and entry.get("runtime"):
            open_errors[stream] = entry
        elif stream in open_errors and not entry and not event["message"].startswith(RUNTIME_LINES):
            open_errors[stream]["message"] += "\n" + event["message"].rstrip()
        else:
            open_errors.pop(stream, None)
    return entries


def _groups(slice_ids: list[str]) -> list[str]:
    """Those of functions, and of the tasks of slices that may have some."""
    names, tasks = list[str](), list[str]()
    for slice_id in slice_ids:
        if slice_id == CONDUCTOR:
            names += [naming.CONDUCTOR_FUNCTION, naming.VERIFY]
        else:
            names += [naming.function(slice_id, step) for step in installed()[slice_id].steps]
            tasks += [naming.task_logs(slice_id)] if installed()[slice_id].tasks else []
    return [*(f"/aws/lambda/{name}" for name in names), *tasks]


def _parse(event: dict[str, Any], group: str) -> dict[str, Any] | None:
    """A structured entry or an error of the runtime; None for metrics and for the runtime's lines about every call."""
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    where = {"at": at.isoformat(timespec="milliseconds"), "function": group.rsplit("/", 1)[1]}
    try:
        body = json.loads(event["message"])
    except ValueError:
        text = event["message"].strip()
        failed = any(mark in text for mark in RUNTIME_ERRORS)
        return {**where, "level": "ERROR", "message": text, "runtime": True} if failed else None
    if not isinstance(body, dict) or "_aws" in body or "message" not in body:
        return None
    return {**where, **body}


def _line(entry: dict[str, Any]) -> str:
    rest = " ".join(f"{k}={v}" for k, v in entry.items() if k not in NOT_SHOWN and k != "runtime" and v is not None)
    return visible(f"{entry['at']} {entry.get('level', ''):<7} {entry['function']}: {entry['message']} {rest}".rstrip())
