"""`atoll logs`: what the functions of a flow or a slice wrote."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from console.target import Target, json_option, open_target, profile_option
from shared_metadata import naming
from shared_metadata.errors import InputError
from slices.registry import installed


@click.command()
@click.argument("name", required=False)
@click.option("--minutes", default=15, show_default=True, help="How far back to look.")
@click.option("--errors", is_flag=True, help="Only errors.")
@profile_option
@json_option
def logs(name: str | None, minutes: int, errors: bool, profile: str | None, as_json: bool) -> None:
    """What the functions of NAME wrote: a flow (lake.ops.flights), a slice (collect.postgres), `conductor`, or nothing for all.

    \b
      atoll logs lake.ops.flights --minutes 60
      atoll logs collect.salesforce --errors
    """
    target = open_target(profile)
    slice_ids, flow = _scope(target, name)
    found = sorted(_entries(target, slice_ids, flow, minutes), key=lambda e: e["at"])
    for entry in found:
        if errors and entry.get("level") not in ("ERROR", "CRITICAL"):
            continue
        click.echo(json.dumps(entry) if as_json else _line(entry))


def _scope(target: Target, name: str | None) -> tuple[list[str], str]:
    known = installed()
    if not name:
        return [*known, "conductor"], ""
    if name in known or name == "conductor":
        return [name], ""
    program = target.reader.active_program()
    if name not in program.flows:
        raise InputError(
            f"{name!r} is neither a flow nor a slice", remedy=f"flows: {', '.join(program.flows)}; slices: {', '.join(known)}"
        )
    return [program.flows[name].slice_id], name


def _entries(target: Target, slice_ids: list[str], flow: str, minutes: int) -> Iterator[dict[str, Any]]:
    client = target.session.client("logs")
    since = int((time.time() - minutes * 60) * 1000)
    for group in _groups(slice_ids):
        try:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
            for page in pages:
                for event in page["events"]:
                    entry = _parse(event, group)
                    if entry and (not flow or entry.get("flow") == flow):
                        yield entry
        except client.exceptions.ResourceNotFoundException:
            continue


def _groups(slice_ids: list[str]) -> list[str]:
    names = []
    for slice_id in slice_ids:
        if slice_id == "conductor":
            names.append(naming.CONDUCTOR_FUNCTION)
        else:
            names += [naming.function(slice_id, step) for step in installed()[slice_id].steps]
    return [f"/aws/lambda/{name}" for name in names]


def _parse(event: dict[str, Any], group: str) -> dict[str, Any] | None:
    """A structured entry, or None for what is not one (metrics, the runtime's own lines)."""
    try:
        body = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(body, dict) or "_aws" in body or "message" not in body:
        return None
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return {"at": at.isoformat(timespec="milliseconds"), "function": group.rsplit("/", 1)[1], **body}


def _line(entry: dict[str, Any]) -> str:
    skipped = {"at", "function", "level", "message", "timestamp", "service", "location", "xray_trace_id"}
    rest = " ".join(f"{k}={v}" for k, v in entry.items() if k not in skipped and v is not None)
    return f"{entry['at']} {entry.get('level', ''):<7} {entry['function']}: {entry['message']} {rest}"
