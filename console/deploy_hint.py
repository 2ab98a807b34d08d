"""The command that deploys missing stacks, for the errors of other verbs."""

from __future__ import annotations

DEFAULT_PROGRAM = "program.sql"
CDK_JSON = "cdk.json"


def deploy_command(stack: str = "", program: str = DEFAULT_PROGRAM) -> str:
    """The command. program: its files' names, separated by commas."""
    files = "" if program == DEFAULT_PROGRAM else f" --program {program}"
    return " ".join(filter(None, ("atoll deploy", stack))) + files
