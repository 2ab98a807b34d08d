"""The `atoll` command: a verb a module, imported only when it is called, so that `--help` answers at once."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, NoReturn

import click

from console.again import all_again
from console.failures import explain_aws
from console.options_before import FLAG, Group
from console.project_version import other_version
from shared_metadata.errors import AtollError

VERBS = {
    "init": "console.init:init",
    "new-slice": "console.new_slice:new_slice",
    "source": "console.source:source",
    "check": "console.check:check",
    "test": "console.trial:trial",
    "format": "console.check:format_files",
    "translate": "console.translate:translate",
    "deploy": "console.deploy:deploy",
    "secret": "console.secret:secret",
    "discover": "console.discover:discover",
    "plan": "console.plan:plan",
    "apply": "console.change:apply",
    "cancel": "console.rollback:cancel",
    "rollback": "console.rollback:rollback",
    "run": "console.run:run",
    "publish": "console.publish:publish",
    "retry": "console.retry:retry",
    "status": "console.status:status",
    "why": "console.why:why",
    "rejected": "console.rejected:rejected",
    "drift": "console.drift:drift",
    "lineage": "console.lineage:lineage",
    "explain": "console.explain:explain",
    "logs": "console.logs:logs",
    "maintain": "console.maintain:maintain",
    "state": "console.state:state",
    "destroy": "console.deploy:destroy",
    "local": "console.local:local",
}
# Verbs of other tools ▸ what does the same here.
ELSEWHERE = {
    **dict.fromkeys(("compile", "validate", "lint", "parse"), "atoll check"),
    **dict.fromkeys(("fmt", "prettify"), "atoll format"),
    **dict.fromkeys(("transpile", "convert"), "atoll translate"),
    **dict.fromkeys(("diff", "preview", "dry-run"), "atoll plan"),
    **dict.fromkeys(("build", "push", "update", "activate"), "atoll apply"),
    **dict.fromkeys(("undo", "revert", "restore"), "atoll rollback"),
    **dict.fromkeys(("sync", "refresh", "trigger", "backfill", "restate"), "atoll run"),
    **dict.fromkeys(("ls", "list", "ps", "info", "show", "monitor"), "atoll status"),
    **dict.fromkeys(("introspect", "pull", "import-schema", "schemas", "crawl"), "atoll discover"),
    **dict.fromkeys(("login", "auth", "connect", "credentials", "secrets"), "atoll secret"),
    **dict.fromkeys(("docs", "dag", "graph", "deps"), "atoll lineage"),
    **dict.fromkeys(("debug", "doctor", "diagnose"), "atoll why DATASET"),
    **dict.fromkeys(("audit", "verify"), "atoll state verify"),
    **dict.fromkeys(("vacuum", "optimize", "compact", "clean"), "atoll maintain"),
    **dict.fromkeys(("remove", "delete", "teardown", "uninstall"), "atoll destroy"),
    **dict.fromkeys(("bootstrap", "install"), "atoll deploy"),
    **dict.fromkeys(("new", "create", "project"), "atoll init"),
    **dict.fromkeys(("up", "start", "serve"), "atoll local up"),
    **dict.fromkeys(("down", "stop"), "atoll local down"),
    "version": "atoll --version",
    "help": "atoll --help",
}
gc.set_threshold(100_000)  # most of what a command makes, modules first, lives to its end: to look for cycles in it only takes time
atexit.register(gc.freeze)  # the process frees its memory whole at its end, so Python need not look for cycles in it
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class JsonUsageError(click.UsageError):
    """A wrong option or argument, said as JSON on stdout."""

    def show(self, file: IO[str] | None = None) -> None:
        remedy = f"{self.ctx.command_path} --help" if self.ctx else "atoll --help"
        _print_error("UsageError", self.format_message(), f"see `{remedy}`")


class Verbs(Group):
    """Finds a verb's module by name; errors of Atoll and of AWS become a message and exit code 1, wrong options exit code 2."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **named: Any) -> Any:
        given = sys.argv[1:] if args is None else args
        self._as_json = FLAG in given
        return super().main(args, *rest, **named)

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        with self._usage_errors():
            return super().make_context(*given, **named)

    @contextmanager
    def _usage_errors(self) -> Iterator[None]:
        try:
            yield
        except click.UsageError as error:
            if not self._as_json:
                raise
            raise JsonUsageError(error.format_message(), error.ctx) from None

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute = VERBS[name].split(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]

    def resolve_command(self, context: click.Context, arguments: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, arguments)
        except click.NoSuchCommand as error:
            if meant := ELSEWHERE.get(error.command_name.lower()):
                raise click.UsageError(f"No such command '{error.command_name}'. Here it is `{meant}`.", context) from None
            raise click.NoSuchCommand(error.command_name, possibilities=VERBS, ctx=context) from None

    def invoke(self, context: click.Context) -> object:
        try:
            with self._usage_errors():
                return super().invoke(context)
        except AtollError as error:
            fail(context, error)
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            raise SystemExit(INTERRUPTED) from None
        except Exception as error:
            if (answer := _of_aws(error)) is None:
                raise
            fail(context, explain_aws(answer))


def _of_aws(error: BaseException | None) -> Exception | None:
    """The error of botocore's that it is, or that a library has made it of; botocore is not imported to find out."""
    exceptions = sys.modules.get("botocore.exceptions")
    while error is not None and exceptions is not None:
        if isinstance(error, (exceptions.BotoCoreError, exceptions.ClientError)):
            return error  # type: ignore[no-any-return]
        error = error.__cause__
    return None


def fail(context: click.Context, error: AtollError) -> NoReturn:
    """Ends the command with exit code 1; the error is JSON on stdout when `--json` was asked for."""
    what, remedy = f"{error.place}: {error.what}" if error.place else error.what, all_again(error.remedy)
    if context.meta.get("json"):
        _print_error(type(error).__name__, what, remedy)
    else:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(what, err=True)
        if remedy:
            click.echo(f" help: {remedy}", err=True)
    raise SystemExit(1)


def _print_error(kind: str, what: str, remedy: str) -> None:
    click.echo(json.dumps({"errors": [{"error": kind, "message": what, "help": remedy}]}, indent=2))


def _remember_json(context: click.Context, _: click.Parameter, value: bool) -> bool:
    context.meta["json"] = value
    return value


@click.group(
    cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="atoll")
@click.option("--json", "as_json", is_flag=True, is_eager=True, callback=_remember_json, help="Print JSON for programs.")
@click.option("--profile", metavar="NAME", help="AWS profile, or `local`.")
@click.pass_context
def main(context: click.Context, as_json: bool, profile: str | None) -> None:
    """Atoll runs data programs inside your own AWS account. Without a verb: where the project in this folder stands, and what to
    do next.

    \b
    A first hour:
      atoll init               a project, with a program to start from
      atoll check              does it compile? every mistake with its place and remedy
      atoll local up           an AWS of your own, on this machine, in the background
      atoll deploy             the slices that the program uses, and no others
      atoll secret             what a connection signs in with
      atoll discover           what the sources look like, so that every column has a type
      atoll plan               what applying it would change
      atoll apply              make it the active program; the clock does the rest
      atoll status             how fresh every dataset is, and what failed

    Verbs that need an account talk to that of --profile, or else of ATOLL_PROFILE, or else to the embedded AWS where
    `atoll local up` was run in this folder, or else to what the AWS_* variables say. `--profile local` is the embedded one.
    Every verb has `--json`. Both options may stand before the verb, too.

    \b
    Exit codes:
      0    done
      1    failed, or the program has mistakes; the message says why, and what to do
      2    a wrong option or argument; `atoll plan`: something breaks; `atoll discover --check`: a source is not what
           its snapshot says; `atoll state verify`: something differs
      3    `atoll local status`: it does not run
      130  interrupted
    """
    if warning := other_version():
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    if context.invoked_subcommand is None:
        from console.next_step import next_step
        from console.standing import standing

        step = next_step(standing(profile))
        if as_json:
            click.echo(json.dumps({"said": step.said, "next": step.command}))
        else:
            click.echo(f"{step.said}\n next: {step.command}\n`atoll --help` lists all verbs.")


if __name__ == "__main__":
    main()
