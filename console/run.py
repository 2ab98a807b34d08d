"""`atoll run`: starts a flow's state machine by hand, as the AWS console does."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from console.target import Target, json_option, open_target, profile_option
from shared_metadata.errors import DefinitionError, InputError

POLL_SECONDS = 1.0


@click.command()
@click.argument("flow")
@click.option("--from", "start", metavar="MOMENT", help="Run batches again from this moment (ISO 8601, UTC).")
@click.option("--to", "end", metavar="MOMENT", help="… to this one.")
@click.option("--wait/--no-wait", default=True, help="Wait for the end and show how it went (default).")
@profile_option
@json_option
def run(flow: str, start: str | None, end: str | None, wait: bool, profile: str | None, as_json: bool) -> None:
    """Run what is due of FLOW now, or run past batches of it again.

    \b
      atoll run lake.ops.flights
      atoll run lake.ops.carrier_day --from 2026-11-01 --to 2026-11-08
    """
    if bool(start) != bool(end):
        raise InputError("--from and --to go together")
    target = open_target(profile)
    program = target.reader.active_program()
    if flow not in program.flows:
        raise InputError(f"the active program has no flow {flow!r}", remedy=f"it has {', '.join(sorted(program.flows))}")
    body = {"flow": flow, **({"from": start, "to": end} if start else {})}
    states = target.session.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=target.state_machine_arn(program.flows[flow].slice_id), input=json.dumps(body))[
        "executionArn"
    ]
    result: dict[str, Any] = {"execution": arn, "status": "RUNNING"}
    if wait:
        result = wait_for(target, arn)
    click.echo(json.dumps(result, indent=2) if as_json else f"{result['status']}: {arn}")
    if result["status"] not in ("RUNNING", "SUCCEEDED"):
        raise DefinitionError(result.get("cause") or result.get("error") or "the execution failed")


def wait_for(target: Target, arn: str) -> dict[str, Any]:
    """How the execution ended."""
    states = target.session.client("stepfunctions")
    while True:
        found = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            more = {name: found[name] for name in ("error", "cause") if found.get(name)}
            return {"execution": arn, "status": found["status"], **more}
        time.sleep(POLL_SECONDS)
