"""Running the pinned CDK command against the embedded AWS."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from botocore.exceptions import ClientError

from infra.embedded.lifecycle import LocalStack
from infra.embedded.state import EmbeddedError, Progress

_PROJECT = Path(__file__).resolve().parents[2]
_SHOWN_LINES = 30


def cdk(
    stack: LocalStack,
    arguments: Sequence[str],
    progress: Progress = lambda _: None,
    *,
    folder: Path = _PROJECT,
    extra_environment: Mapping[str, str] | None = None,
) -> None:
    """Run `cdk <arguments>` in the folder that holds `cdk.json`, handing every line it writes to `progress`.

    Raises EmbeddedError with the last lines when it fails.
    """
    command = _PROJECT / "node_modules" / ".bin" / "cdk"
    if not command.exists():
        raise EmbeddedError(f"the CDK's command {command} is not there.", remedy=f"`make setup`, or `npm ci` in {_PROJECT}")
    lines: list[str] = []
    process = subprocess.Popen(
        [str(command), *arguments, "--ci", "--no-color", "--no-notices", "--no-version-reporting"],
        cwd=folder,
        env=_environment(stack) | dict(extra_environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        for line in process.stdout or ():
            if text := line.rstrip():
                lines.append(text)
                progress(text)
    if process.returncode != 0:
        shown = "\n".join(lines[-_SHOWN_LINES:])
        raise EmbeddedError(f"`cdk {' '.join(arguments)}` ended with code {process.returncode}:\n{shown}")


def bootstrap(stack: LocalStack, progress: Progress = lambda _: None) -> bool:
    """Run `cdk bootstrap` unless the account has been bootstrapped; tells whether it ran."""
    if _has_toolkit(stack):
        return False
    progress("bootstrapping the account for the CDK")
    # Outside the project's folder, because there the command would first build the whole app to find accounts.
    target = f"aws://{stack.account}/{stack.region}"
    cdk(stack, ["bootstrap", target], progress, folder=stack.folders.home)
    return True


def _environment(stack: LocalStack) -> dict[str, str]:
    """So that `python` in cdk.json is this interpreter, compiled files are kept, and nothing is reported to anybody."""
    environment = stack.process_environment()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment | {"NODE_NO_WARNINGS": "1", "CDK_DISABLE_CLI_TELEMETRY": "true"}


def _has_toolkit(stack: LocalStack) -> bool:
    try:
        described = stack.session().client("cloudformation").describe_stacks(StackName="CDKToolkit")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return bool(described["Stacks"][0]["StackStatus"].endswith("_COMPLETE"))
