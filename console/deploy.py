"""`atoll deploy` and `atoll destroy`: the stacks that the program needs, by the CDK of this version, here or in an account."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from console.again import again
from console.deployment import Deployment, open_deployment
from console.printable import printable
from console.progress import progress
from console.target import json_option, profile_option
from console.wording import names_of
from shared_metadata import naming
from shared_metadata.errors import InputError

UNCHANGED = " (no changes)"
_DONE = re.compile(r"✅\s+(?P<stack>[^\s:]+)(?:.*(?P<how>\(no changes\)))?")
_STEP = re.compile(r"(?P<stack>\S+) \|\s+(?P<at>\d+)/(?P<of>\d+) \|")
_ALL = 20


def _settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both verbs beside the stacks."""
    for option in (
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option("--context", "-c", multiple=True, metavar="NAME=VALUE", help="A setting of the stacks, as after `cdk -c`."),
        click.option("--program", "files", multiple=True, metavar="FILE", help="The program (default: that of cdk.json)."),
    ):
        command = option(command)
    return command


@click.command(short_help="Deploy the stacks that the program needs.")
@click.argument("stacks", nargs=-1, metavar="[STACK]...")
@_settings_options
@profile_option
@json_option
def deploy(
    stacks: tuple[str, ...], files: tuple[str, ...], context: tuple[str, ...], yes: bool, profile: str | None, as_json: bool
) -> None:
    """Deploy each STACK and what it stands on (default: all that the program needs, and no others), with the CDK.

    Run it again after an upgrade, and when the program uses another slice or another secret: what did not change stays as it is.
    In an account the CDK asks before it grants anything new, unless told --yes. Its command is installed into .atoll/ when it is
    not there; it needs Node 20 or later. `npx cdk deploy STACK` in this folder is the same from then on.

    \b
      atoll deploy                                       everything
      atoll deploy CollectPostgresSlice                  one slice
      atoll deploy --profile production -c vpc=true      in an account, with a setting
    """
    deployment = open_deployment(files, context, profile, as_json)
    chosen = deployment.chosen(stacks)
    deployment = deployment.with_reserve(lambda told: click.echo(told, err=True))
    attached = deployment.asks and not (yes or as_json) and sys.stdin.isatty()
    arguments = ["deploy", *(chosen if stacks else ["--all"]), *_approval(deployment, yes)]
    done = _run(deployment, "deploying", arguments, attached=attached)
    if as_json:
        click.echo(json.dumps({"deployed": _names(done)}))
    elif done:
        click.echo(f"deployed: {names_of(done, _ALL)}")
    else:
        _show_there(deployment, chosen, attached=attached)


@click.command(short_help="Take stacks of the program down again.")
@click.argument("stacks", nargs=-1, metavar="[STACK]...")
@_settings_options
@profile_option
@json_option
def destroy(
    stacks: tuple[str, ...], files: tuple[str, ...], context: tuple[str, ...], yes: bool, profile: str | None, as_json: bool
) -> None:
    """Take down each STACK and what stands on it (default: all that the program needs, but for SharedMetadata). Asks first.

    What holds data stays in the account: the metadata table, the bucket with staged files and tables, and their key. Their stack,
    SharedMetadata, is protected; docs/deploying.md says how to give it up too.

    \b
      atoll destroy HarnessPostgresSlice
      atoll destroy --profile production --yes
    """
    deployment = open_deployment(files, context, profile, as_json)
    chosen = [name for name in deployment.chosen(stacks) if stacks or name != naming.METADATA_STACK]
    if as_json and not yes:
        raise InputError("with --json no question can be asked", remedy="add --yes")
    if not yes:
        click.confirm(f"Take down {names_of(chosen, _ALL)}, and what stands on them, in {deployment.place}?", abort=True, err=True)
    done = _run(deployment, "taking down", ["destroy", *chosen, "--force"])
    left = None if stacks else deployment.standing()
    if as_json:
        click.echo(json.dumps({"destroyed": _names(done), **({} if stacks else {"left": None if left is None else sorted(left)})}))
        return
    click.echo(f"destroyed: {names_of(done, _ALL)}" if done else "the CDK reported nothing done")
    if not stacks:
        _show_left(deployment, left)


def _show_there(deployment: Deployment, chosen: Sequence[str], *, attached: bool) -> None:
    """Lists the stacks in CloudFormation, where the CDK was silent or has reported to the terminal itself."""
    reported = "" if attached else "the CDK reported nothing done; "
    standing = deployment.standing()
    if standing is None:
        click.echo(f"{reported}CloudFormation may not be asked what is there")
    elif found := [name for name in chosen if name in standing]:
        click.echo(f"{reported}CloudFormation has {names_of(found, _ALL)}")
    else:
        click.echo(f"{reported}CloudFormation has none of {names_of(chosen, _ALL)}")


def _show_left(deployment: Deployment, left: set[str] | None) -> None:
    """Lists the remaining stacks, with the commands that take them down; left: None where CloudFormation may not be read."""
    if left is None or naming.METADATA_STACK in left:
        click.echo(f"{naming.METADATA_STACK} stays, with all data: a later `{again('atoll deploy')}` goes on from there")
    for name in sorted((left or set()) - {naming.METADATA_STACK}):
        click.echo(f"{name} is still there: {deployment.taken_down_by(name)}")
    if left is None:
        click.echo("CloudFormation may not be asked whether anything else is there")


def _approval(deployment: Deployment, yes: bool) -> list[str]:
    """The CDK's approval option: stacks are deployed concurrently only where it asks no question."""
    return ["--require-approval", "never", "--concurrency", "4"] if yes or not deployment.asks else []


def _run(deployment: Deployment, title: str, arguments: Sequence[str], *, attached: bool = False) -> list[str]:
    """Runs the CDK, and shows its progress; returns the names of the stacks that it reports as done."""
    done: list[str] = []
    try:
        with progress(title) as say:
            deployment.prepare(lambda line: _follow(line, [], say))
            if not attached:
                deployment.run(arguments, lambda line: _follow(line, done, say))
        if attached:
            deployment.run(arguments, attached=True)
    except KeyboardInterrupt:
        click.echo(
            f"\nCloudFormation goes on with the stack that it is at; `{again(f'atoll {arguments[0]}')}` again does the rest.",
            err=True,
        )
        raise
    return done


def _follow(line: str, done: list[str], say: Callable[[str], None]) -> None:
    """Shows one of the CDK's lines in short, and collects the stacks that it reports as done."""
    if found := _DONE.search(line):
        done.append(found["stack"] + (UNCHANGED if found["how"] else ""))
    if step := _STEP.match(line):
        say(f"{step['stack']}: {step['at']} of {step['of']}")
    else:
        say(printable(line.strip()))


def _names(done: Sequence[str]) -> list[str]:
    return [name.removesuffix(UNCHANGED) for name in done]
