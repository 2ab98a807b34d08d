"""Runs the pinned CDK command against the embedded AWS."""

from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import ClientError

from infra import cdk_command
from infra.embedded.lifecycle import EmbeddedAws
from infra.embedded.state import Progress


def cdk(stack: EmbeddedAws, arguments: Sequence[str], progress: Progress = lambda _: None, *, folder: Path | None = None) -> None:
    """Run `cdk <arguments>` in the folder that holds `cdk.json` (the current one), as `cdk_command.run` does."""
    cdk_command.run(arguments, stack.process_environment(), progress, folder=folder)


def bootstrap(stack: EmbeddedAws, progress: Progress = lambda _: None) -> bool:
    """Run `cdk bootstrap` unless the account has been bootstrapped; tells whether it ran."""
    if _has_toolkit(stack):
        return False
    progress("bootstrapping the account for the CDK")
    # Outside the project's folder, because there the command would first build the whole app to find accounts.
    target = f"aws://{stack.account}/{stack.region}"
    cdk(stack, ["bootstrap", target], progress, folder=stack.folders.home)
    return True


def _has_toolkit(stack: EmbeddedAws) -> bool:
    try:
        described = stack.session().client("cloudformation").describe_stacks(StackName="CDKToolkit")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return bool(described["Stacks"][0]["StackStatus"].endswith("_COMPLETE"))
