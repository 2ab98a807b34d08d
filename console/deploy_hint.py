"""The command that deploys what is missing, as the errors of other verbs name it."""

from __future__ import annotations

DEFAULT_PROGRAM = "program.sql"
CDK_JSON = "cdk.json"


def deploy_command(stack: str = "", program: str = DEFAULT_PROGRAM) -> str:
    """program: its files' names, separated by commas."""
    files = "" if program == DEFAULT_PROGRAM else f" --program {program}"
    return " ".join(filter(None, ("atoll deploy", stack))) + files
