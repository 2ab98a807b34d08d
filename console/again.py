"""The next command, as hints name it: with the files and the account that the present one was given."""

from __future__ import annotations

import shlex

import click


def again(command: str, *, files: bool = False) -> str:
    """`command` with the `--profile` that the present verb was given, and before it its FILES where `command` takes some."""
    context = click.get_current_context(silent=True)
    given = context.params if context else {}
    named = (given.get("files") or ()) if files else ()
    profile = ("--profile", given["profile"]) if given.get("profile") else ()
    return " ".join((command, *map(shlex.quote, (*named, *profile))))
