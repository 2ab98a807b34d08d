"""The next command in hints: with the present command's files and account."""

from __future__ import annotations

import re
import shlex

import click

WITHOUT_ACCOUNT = frozenset(("check", "explain", "format", "init", "local", "new-slice", "source", "test", "translate"))
_IN_BACKTICKS = re.compile(r"`(atoll \w[^`]*)`")
PROFILE = "profile"  # in a context's `meta`, which still exists when a verb has ended by an error


def again(command: str, *, files: bool = False) -> str:
    """`command` with the `--profile` that the present verb was given, unless it needs no account.

    files: `command` takes FILES, so those that the present verb was given come before it.
    """
    context = click.get_current_context(silent=True)
    named = (context.params.get("files") or ()) if context and files else ()
    given = context.meta.get(PROFILE) if context and command.split()[1] not in WITHOUT_ACCOUNT else None
    return " ".join((command, *map(shlex.quote, (*named, *(("--profile", given) if given else ())))))


def all_again(said: str) -> str:
    """Applies `again` to every command in backticks of an error that comes from code without knowledge of commands' options."""
    return _IN_BACKTICKS.sub(lambda found: found[0] if "--profile" in found[1] else f"`{again(found[1])}`", said)
