"""The command `atoll`, as somebody calls it who stands where an embedded AWS was started."""

from __future__ import annotations

import contextlib

from click.testing import CliRunner, Result

from console.main import main
from console.target import LOCAL
from infra.embedded import EmbeddedAws


def called(stack: EmbeddedAws, *arguments: str) -> Result:
    """`atoll <arguments> --profile local` in the folder of this embedded AWS, however it ended."""
    with contextlib.chdir(stack.folders.root):
        return CliRunner().invoke(main, [*arguments, "--profile", LOCAL])


def atoll(stack: EmbeddedAws, *arguments: str) -> str:
    """What it prints; it has to succeed."""
    result = called(stack, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout
