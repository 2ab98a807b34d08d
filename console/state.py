"""`atoll state`: verifies the metadata, repairs it, and exports or imports the whole of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.again import again
from console.change import caller
from console.options_before import Group
from console.progress import progress
from console.target import Target, json_option, open_target, profile_option
from console.upgrade import upgrade
from console.verified import show_verified
from console.wording import age, counted
from shared_metadata import naming
from shared_metadata.errors import InputError

if TYPE_CHECKING:
    from shared_metadata.verification.asked import Asked
    from shared_metadata.verification.difference import Difference
    from shared_metadata.verification.verify import Progress as VerificationProgress
    from shared_metadata.verification.verify import Verified

DIFFERS = 2
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(cls=Group, short_help="Verify, repair, export, import and upgrade what is recorded.")
def state() -> None:
    """The recorded state of every dataset: verify, repair, export and import it.

    \b
      atoll state verify               is it what the batches, the warehouse and the targets say?
      atoll state repair               show what differs, ask, and move exactly that
      atoll state export state.jsonl   everything, as lines of JSON
      atoll state import state.jsonl   into the empty table of another account
      atoll state upgrade              after a version that records something otherwise
    """


state.add_command(upgrade)


@state.command("verify", short_help="Is what is recorded what the batches say?")
@click.option("--anew", is_flag=True, help="Forget what a verification that was interrupted has looked at.")
@click.option("--last", is_flag=True, help="Show instead what the last verification inside the account found.")
@profile_option
@json_option
def verify_state(anew: bool, last: bool, profile: str | None, as_json: bool) -> None:
    """Derive watermarks, cursors and versions anew and report what is recorded otherwise; changes nothing.

    Each batch records what it left, in the transaction that moved its datasets; the slices' `landed` functions tell which batch
    the warehouse and the targets hold. Everything may run meanwhile: only what differs twice is reported. Exit code 2 when
    something differs.

    A cursor is compared with what the last batch recorded. Where that is gone, or drift has emptied the cursor, stderr says so;
    whether the batch recorded the right one, only the source knows.

    Statements are verified one after the other, in little memory; interrupted, it goes on within a day where it stopped. Where that
    takes long, start the state machine atoll-verify in the account instead, which does the same there.

    \b
      atoll state verify
      atoll state verify --last            what atoll-verify found
      atoll state verify --json | jq '.differences[] | select(.repairable | not)'
    """
    if last:
        from console.last_verification import last_verification

        told = last_verification(open_target(profile))
    else:
        found, asked = _look(open_target(profile), anew)
        told = {**_figures(found), **asked.plain()}
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        show_verified(told)
    if told["differences"] or told.get("more"):
        raise SystemExit(DIFFERS)


@state.command(short_help="Move what differs to where it has to be.")
@yes_option
@profile_option
@json_option
def repair(yes: bool, profile: str | None, as_json: bool) -> None:
    """Show what `atoll state verify` finds, ask, and repair exactly that.

    Each difference is repaired by one conditional transaction, with an event that says what was repaired and by whom; what has
    moved meanwhile is left alone. Nothing is deleted. What cannot be repaired names its remedy. Exit code 2 when something is
    left over.

    \b
      atoll state repair
      atoll state repair --yes --json      for programs
    """
    if as_json and not yes:
        raise InputError(
            "with --json no question can be asked", remedy=f"add --yes, or look with `{again('atoll state verify --json')}`"
        )
    target = open_target(profile)
    found, asked = _look(target)
    if not as_json:
        show_verified({**_figures(found), **asked.plain()})
    mendable = [one for one in found.differences if one.repairable]
    if mendable and not yes:
        click.confirm(f"Repair {counted(len(mendable), 'difference')}?", abort=True)
    done = _mend(target, mendable)
    left = len(found.differences) - sum(moved for _, moved in done)
    if as_json:
        told = [{**one.to_dict(), "repaired": (one, True) in done} for one in found.differences]
        click.echo(json.dumps({**_figures(found), **asked.plain(), "differences": told}, indent=2))
    else:
        for one, moved in done:
            click.echo(f"{one.dataset}: {'repaired' if moved else 'left alone: it has moved meanwhile; verify again'}")
    if left:
        raise SystemExit(DIFFERS)


@state.command(short_help="Everything that is recorded, as lines of JSON.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@profile_option
@json_option
def export(file: Path, profile: str | None, as_json: bool) -> None:
    """Write the whole metadata layer to FILE, or to stdout for `-`.

    One item a line, sorted, between a line that names the format and one that counts the items: two exports of the same state are
    the same bytes. There are no secrets in it, only their names; there are no rows of data either. What commits while it is
    written may be in it in part: stop the conductor first for an exact moment, or use DynamoDB's own point-in-time recovery.

    \b
      atoll state export state.jsonl
      atoll state export - | zstd > state.jsonl.zst
    """
    from shared_metadata.store import transfer

    target = open_target(profile)
    client = target.client("dynamodb")
    with progress("exporting") as say:
        if str(file) == "-":
            count = transfer.export(client, naming.METADATA_TABLE, sys.stdout, _counting(say))
        else:
            part = file.with_name(f"{file.name}.part")
            with part.open("w") as into:
                count = transfer.export(client, naming.METADATA_TABLE, into, _counting(say))
            part.replace(file)
    if as_json and str(file) != "-":
        click.echo(json.dumps({"file": str(file), "items": count}, indent=2))
    elif str(file) != "-":
        click.echo(f"{counted(count, 'item')} in {file}")


@state.command("import", short_help="Bring an export into an empty metadata table.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Delete what the table holds and the file does not; asks first.")
@yes_option
@profile_option
@json_option
def import_state(file: Path, replace: bool, yes: bool, profile: str | None, as_json: bool) -> None:
    """Make the metadata table hold what FILE holds.

    The table has to be empty, or to hold a part of this very file: an import that broke off goes on when it is called again.
    With --replace whatever else is there is lost. The timeline of programs is written last: until then nothing starts.

    \b
      atoll state import state.jsonl --profile other
      atoll state import state.jsonl --replace
    """
    from shared_metadata.store import transfer

    if replace and not yes:
        if as_json:
            raise InputError("with --json no question can be asked", remedy="add --yes")
        click.confirm(f"Lose what the metadata table holds and {file} does not?", abort=True)
    target = open_target(profile)
    with progress("importing") as say:
        brought = transfer.Import(file)
        client = target.client("dynamodb")
        done = brought.into(client, naming.METADATA_TABLE, replace=replace, said=_counting(say, "written"))
    if as_json:
        click.echo(json.dumps(vars(done), indent=2))
        return
    click.echo(f"{counted(done.written, 'item')} written, {done.present:,} were there already, {done.deleted:,} deleted")
    click.echo(f"Compare it with the warehouse and the targets: {again('atoll state verify')}")


def _look(target: Target, anew: bool = False) -> tuple[Verified, Asked]:
    """Shows a verification's progress. Its notes stay until all is verified, so that an interrupted one goes on at the next call."""
    from console.landed_call import ask_slices
    from console.verification_notes import notes_of
    from shared_metadata.verification.verify import verify

    with notes_of(target) as notes:
        if anew:
            notes.clear()
        with progress("verifying") as say:
            asked = ask_slices(target, say)
            found = verify(target.client("dynamodb"), naming.METADATA_TABLE, asked, _estimating(say), notes)
        notes.clear()
    return found, asked


def _estimating(say: Callable[[str], None]) -> Callable[[VerificationProgress], None]:
    """Shows the progress, and the time left at the pace so far."""
    began: list[tuple[float, int]] = []

    def said(progress: VerificationProgress) -> None:
        began[:] = began or [(time.monotonic(), progress.done)]
        (start, first), left = began[0], progress.of - progress.done
        pace = (time.monotonic() - start) / (progress.done - first) if progress.done > first else 0
        rest = f", about {age(left * pace)} left" if pace and left else ""
        say(f"{progress.done:,} of {counted(progress.of, 'statement')}, {counted(progress.items, 'item')} read{rest}")

    return said


def _counting(say: Callable[[str], None], what: str = "") -> Callable[[int], None]:
    return lambda count: say(f"{counted(count, 'item')} {what}".rstrip())


def _mend(target: Target, mendable: Sequence[Difference]) -> list[tuple[Difference, bool]]:
    """Repairs the differences. A flow whose state was lost gets back the marks of open drift, too."""
    from shared_metadata.verification.difference import Kind
    from shared_metadata.verification.repair import Repair

    if not mendable:
        return []
    done = Repair(target.client("dynamodb"), naming.METADATA_TABLE, caller(target)).mend(mendable)
    if any(one.kind == Kind.STATE for one in mendable):
        entry, program = target.reader.programs().active(datetime.now(UTC))
        target.writer.drifts.reevaluate(target.reader.lineage(entry.version), program, entry.version)
    return done


def _figures(found: Verified) -> dict[str, Any]:
    looked_at = {"datasets": found.datasets, "batches": found.batches, "versions": found.versions}
    differing = [one.to_dict() for one in found.differences]
    return {"looked_at": looked_at, "differences": differing, "cursors_not_compared": dict(found.unseen_cursors)}
