"""The pending update set: its content, and its display."""

from __future__ import annotations

import json
from datetime import datetime

import click

from console.again import again
from console.update_set import update_set
from console.update_text import show_update_set
from shared_metadata.program.intervals import to_text
from shared_metadata.state.entries import Entry
from shared_metadata.store.reader import MetadataReader


def pending_line(entry: Entry) -> str:
    """A sentence about it."""
    by = f", applied by {entry.by} at {to_text(entry.at.replace(microsecond=0))}" if entry.by else ""
    return f"The update set {entry.version} takes effect at {to_text(entry.boundary)}{by}."


def show_pending(reader: MetadataReader, now: datetime, as_json: bool) -> None:
    """Prints the pending update set against the active program, or that none is pending."""
    entry = reader.timeline().pending(now)
    if entry is None:
        click.echo(json.dumps({"pending": None}, indent=2) if as_json else "No update set is pending.")
        return
    program, lineage = reader.program(entry.version), reader.lineage(entry.version)
    update = update_set(reader, program, lineage, now=now, boundary=entry.boundary)
    if as_json:
        said = {"version": entry.version, "boundary": to_text(entry.boundary), "at": to_text(entry.at), "by": entry.by}
        click.echo(json.dumps({"pending": {**said, "update_set": update.to_dict()}}, indent=2))
        return
    show_update_set(update)
    click.echo(f"{pending_line(entry)} Take it back with: {again('atoll cancel')}")
