"""The command that deploys missing stacks, for the errors of other verbs."""

from __future__ import annotations

from shared_metadata import naming

DEFAULT_PROGRAM = "program.sql"
CDK_JSON = "cdk.json"


def deploy_command(stack: str = "", program: str = DEFAULT_PROGRAM) -> str:
    """The command; all of the program where the metadata's stack is missing, since nothing is deployed then.

    program: its files' names, separated by commas.
    """
    stack = "" if stack == naming.METADATA_STACK else stack
    files = "" if program == DEFAULT_PROGRAM else f" --program {program}"
    return " ".join(filter(None, ("atoll deploy", stack))) + files
