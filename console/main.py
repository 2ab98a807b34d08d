"""The `atoll` command: a verb a module, imported only when it is called, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import json
import sys

import click

from shared_metadata.errors import AtollError

VERBS = {
    "init": "console.init:init",
    "check": "console.check:check",
    "format": "console.check:format_files",
    "plan": "console.change:plan",
    "apply": "console.change:apply",
    "run": "console.run:run",
    "status": "console.status:status",
    "logs": "console.logs:logs",
    "local": "console.local:local",
}


class Verbs(click.Group):
    """Finds a verb's module by name; errors of Atoll become a message and exit code 1."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute = VERBS[name].split(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]

    def invoke(self, context: click.Context) -> object:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return super().invoke(context)
        except AtollError as error:
            fail(type(error).__name__, str(error))
        except (BotoCoreError, ClientError) as error:
            fail(
                "AwsError",
                f"AWS answered: {error}. Remedy: see that the profile is right (`--profile`, or `atoll local up` for the "
                "embedded AWS) and that its stacks are deployed",
            )


def fail(kind: str, message: str) -> None:
    """Ends the command with exit code 1; as JSON on stdout when `--json` was asked for."""
    if "--json" in sys.argv:
        click.echo(json.dumps({"error": kind, "message": message}))
    else:
        click.secho(f"{kind}: ", fg="red", bold=True, nl=False, err=True)
        click.echo(message, err=True)
    raise SystemExit(1)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="atoll")
def main() -> None:
    """Atoll runs data programs inside your own AWS account.

    \b
    A first hour:
      atoll init                     a program to start from
      atoll check program.sql        does it compile? every mistake with its place and remedy
      atoll local up                 an AWS of your own, on this machine, in the background
      npx cdk deploy --all           the slices that the program uses, and no others
      atoll plan program.sql         what applying it would change
      atoll apply program.sql        make it the active program; the clock does the rest
      atoll status                   how fresh every table is, and what failed

    Commands talk to the AWS account of --profile; `local` is the embedded one.
    """


if __name__ == "__main__":
    main()
