"""`atoll run`: starts a flow's state machine by hand, as the AWS console does."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.nearest import unknown
from console.progress import progress
from console.target import Target, json_option, open_target, profile_option
from console.wording import counted
from shared_metadata.errors import AtollError, InputError
from shared_metadata.notices.message import covering
from shared_metadata.program import Program
from shared_metadata.program.intervals import covered, next_interval, to_text
from shared_metadata.state.schedule import Waiting
from shared_metadata.state.timeline import Programs

if TYPE_CHECKING:
    from shared_metadata.contract.batch_input import BatchRequest

POLL_SECONDS = 1.0


class ExecutionFailed(AtollError):
    """The execution failed."""


@click.command(short_help="Run what is due of a flow now, or past batches again.")
@click.argument("flow")
@click.option("--from", "start", metavar="MOMENT", help="Run batches again from this moment on (ISO 8601, UTC) …")
@click.option("--to", "end", metavar="MOMENT", help="… up to this one.")
@click.option("--wait/--no-wait", default=True, help="Wait for the end and show how it went (default).")
@profile_option
@json_option
def run(flow: str, start: str | None, end: str | None, wait: bool, profile: str | None, as_json: bool) -> None:
    """Run the due batches of FLOW now, or run past batches of it again.

    Due batches run at once, also those that have failed too often to be retried automatically (`atoll retry` lists what has). A
    backfill replaces what its batches made before. Exit code 1 when the execution fails.

    \b
      atoll run lake.ops.flights
      atoll run lake.ops.carrier_day --from 2026-11-01 --to 2026-11-08
      atoll run lake.ops.flights --no-wait --json
    """
    if bool(start) != bool(end):
        raise InputError("--from and --to go together", remedy=f"add {'--to' if start else '--from'} MOMENT")
    _check_span(start, end)
    target = open_target(profile)
    programs = target.reader.programs()
    program = programs.active(datetime.now(UTC))[1]
    body = {"flow": flow, **({"from": start, "to": end} if start else {})}
    wanted = batches_of(target, programs, body)
    if not wanted:
        _nothing_due(target, program, flow, as_json)
        return
    result = _start(target, program.flows[flow].slice_id, body)
    if not as_json:
        more = covering(covered(wanted[0].interval, wanted[0].flow.interval_seconds)) if len(wanted) == 1 else ""
        click.echo(f"started {counted(len(wanted), 'batch')} of {flow}{more}: {result['execution']}")
    if wait:
        try:
            with progress(f"running {flow}; Ctrl-C leaves it running"):
                result = wait_for(target, result["execution"])
        except KeyboardInterrupt:
            click.echo(f"\nThe execution goes on: {again(f'atoll logs {flow}')}, {again('atoll status')}", err=True)
            raise
    _show(result, flow, as_json)


def batches_of(target: Target, programs: Programs, body: dict[str, Any]) -> list[BatchRequest]:
    """The batches that the state machine will make of this input. Raises InputError for an input that it would refuse."""
    from shared_metadata.contract.batch_input import resolve

    program = programs.active(datetime.now(UTC))[1]
    if body["flow"] not in program.flows:
        listed = f"it has {', '.join(sorted(program.flows))}"
        raise unknown("the active program has no flow", body["flow"], program.flows, listed)
    try:
        return resolve(body, programs, target.reader, program.flows[body["flow"]].slice_id, datetime.now(UTC))
    except InputError as error:  # the remedy is for the state machine's input
        command = again(f"atoll run {body['flow']} --from 2026-11-01 --to 2026-11-08")
        raise InputError(error.what, remedy=f"as in: {command}") from error


def _check_span(start: str | None, end: str | None) -> None:
    """Raises InputError for a span that is no past time."""
    from console.plan import moment_option

    since, upto = moment_option("--from", start), moment_option("--to", end)
    if since is None or upto is None:
        return
    if since >= upto:
        raise InputError(f"--from {start} is not before --to {end}", remedy="name the earlier moment with --from")
    if upto > datetime.now(UTC):
        raise InputError(f"--to {end} lies in the future", remedy="name a moment that has passed, to which batches were made")


def _start(target: Target, slice_id: str, body: dict[str, Any]) -> dict[str, Any]:
    states = target.client("stepfunctions")
    name = f"by-hand-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    arn = target.state_machine_arn(slice_id)
    started = states.start_execution(stateMachineArn=arn, name=name, input=json.dumps(body))
    return {"execution": started["executionArn"], "status": "RUNNING"}


def wait_for(target: Target, arn: str) -> dict[str, Any]:
    """The outcome of the execution; 'error' and 'cause' when it failed."""
    states = target.client("stepfunctions")
    while True:
        found = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            more = {name: found[name] for name in ("error", "cause") if found.get(name)}
            return {"execution": arn, "status": found["status"], **more}
        time.sleep(POLL_SECONDS)


def _show(result: dict[str, Any], flow: str, as_json: bool) -> None:
    failed = result["status"] not in ("RUNNING", "SUCCEEDED")
    if as_json:
        click.echo(json.dumps(result, indent=2))
        if failed:
            raise SystemExit(1)
    elif failed:
        cause = result.get("cause") or result.get("error") or "it gives no cause"
        raise ExecutionFailed(f"the execution ended {result['status']}: {cause}", remedy=again(f"atoll logs {flow} --errors"))
    elif result["status"] == "SUCCEEDED":
        click.echo("succeeded")


def _nothing_due(target: Target, program: Program, name: str, as_json: bool) -> None:
    """The message that nothing is due: how far the flow's tables are complete, and what each waits for."""
    if as_json:
        click.echo(json.dumps({"execution": None, "status": "NOTHING_DUE"}, indent=2))
        return
    flow, now, programs = program.flows[name], datetime.now(UTC), target.reader.programs()
    states = target.reader.flow_states(programs.flow_ids, programs)
    waiting, state = Waiting(programs, states, now), states.get(name)
    click.echo(f"Nothing of {name} is due.")
    for table in flow.tables:
        if state is None or table.dataset not in state.tables:
            continue
        watermark = state.tables[table.dataset].watermark
        end = next_interval(watermark, flow.interval_seconds).end
        waits_for = waiting.of(name, table.dataset)
        why = f"waits for {', '.join(waits_for)}" if waits_for and end <= now else f"its next batch ends at {to_text(end)}"
        if drifts := state.drifts(table.dataset):
            why = f"quiesced by drift {', '.join(map(str, drifts))}: {again(f'atoll drift show {drifts[0]}')}"
        click.echo(f"  {table.dataset} is complete through {to_text(watermark)}; {why}")
