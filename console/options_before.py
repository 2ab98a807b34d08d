"""Options that every verb has may stand before it: `atoll --json status` is `atoll status --json`."""

from __future__ import annotations

from collections.abc import Sequence

import click

FLAG, PROFILE = "--json", "--profile"


def moved(arguments: Sequence[str]) -> list[str]:
    """The arguments with these options behind all others, where they stood before the first that is none."""
    options, rest = list[str](), list(arguments)
    while rest and (rest[0] in (FLAG, PROFILE) or rest[0].startswith(f"{PROFILE}=")):
        count = 2 if rest[0] == PROFILE else 1
        options, rest = options + rest[:count], rest[count:]
    return [*rest, *options] if rest and "--" not in rest else [*options, *rest]


class Group(click.Group):
    """A verb with verbs of its own, before which these options may stand."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        return super().parse_args(context, moved(arguments))
