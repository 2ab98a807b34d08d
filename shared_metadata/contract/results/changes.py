"""Works out what a batch has to write and to delete: from its result, and from what the receipts say was published before."""

from __future__ import annotations

import csv
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from shared_metadata.contract.harness import run_again
from shared_metadata.contract.results import comparison
from shared_metadata.contract.results.receipt import Former, Receipt, identity
from shared_metadata.contract.results.results import FILE_MB, File, FileGone, Results
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError, RetryLater, StaleToken
from shared_metadata.program import Mode
from shared_metadata.program.intervals import to_text
from shared_metadata.state.records import Claim

Which = Literal["all", "this", "later"]  # receipts of a flow: those of this batch, of all after it
Forget = Callable[[Which], str]  # how receipts of the batch's flow are deleted


def key_of(work: Work) -> tuple[str, ...]:
    """The key by which rows are matched; none but for MERGE."""
    return work.flow.key if work.flow.mode == Mode.MERGE else ()


def compare(
    work: Work,
    result: Mapping[str, Any],
    receipts: Sequence[Receipt],
    results: Results,
    url: str,
    forgetting: Forget,
    exact: bool = True,
) -> dict[str, Any]:
    """What is to be written, from this result and what the receipts say the table holds already.

    receipts: of the flow's batches from this one's start on, oldest first; the last one of all where there are none.
    exact: the table tells all keys apart that differ here; otherwise it sees all of the result's, to tell that one occurs twice.
    """
    flow, claim, named = work.flow, work.claim, identity(result)
    mine = next((r for r in receipts if r.start == claim.interval.start), None)
    last = receipts[-1] if receipts else None
    forget = flow.supersedes
    keys = [file["key"] for file in result["files"] if file["rows"]]
    changes = {"upserts": 0, "deletes": 0, "files": [], "result": named, "result_files": keys, "forget": forget}
    changes |= {"nothing": False, "rejected": [], "former": None, "key": list(key_of(work))}
    if forget and last and last.start > claim.interval.start:
        return {**changes, "nothing": True, "base": last.mark}
    if mine and mine.result == named and (not claim.rerun or mine.token == claim.token):
        counts = {"upserts": mine.upserts, "deletes": mine.deletes, "rejected": list(mine.rejected)}
        return {**changes, **counts, "nothing": True, "base": mine.mark}
    base = last if forget else mine
    upserts, deletes, deleted = _differences(work, result, receipts, base, results, url, forgetting, exact)
    files = [{**file, "into": "upserts"} for file in upserts] + [{**file, "into": "deletes"} for file in deletes]
    counts = {"upserts": sum(file["rows"] for file in upserts), "deletes": sum(file["rows"] for file in deletes)}
    compared = {"base": base.mark, "former": asdict(base.former)} if base else {"base": None}
    return {**changes, **counts, **compared, "files": files, "deleted": deleted}


def published_before(receipts: Sequence[Receipt], claim: Claim, changes: Mapping[str, Any], place: str) -> Receipt | None:
    """The batch's receipt, where it is published already; receipts: as `compare` takes them.

    Raises StaleToken for an older token or batch, RetryLater where another worker has published since `compare`.
    """
    mine = next((r for r in receipts if r.start == claim.interval.start), None)
    if mine and mine.token == claim.token and mine.result == changes["result"]:
        return mine
    last = receipts[-1] if receipts else None
    if (mine and mine.token > claim.token) or (changes["forget"] and last and last.start > claim.interval.start):
        raise StaleToken(f"the target holds a later state than batch {claim.interval}, token {claim.token}", place=place)
    base = last if changes["forget"] else mine
    if (base.mark if base else None) != changes["base"]:
        raise RetryLater("another worker published since the changes were worked out", place=place)
    return None


def row_count(changes: Mapping[str, Any]) -> int:
    """How many rows are to be written."""
    return sum(file["rows"] for file in changes["files"] if file["into"] == "upserts")


def offsets(changes: Mapping[str, Any]) -> dict[str, int]:
    """The number of the first row of each file of rows that are to be written."""
    found, at = {}, 0
    for file in changes["files"]:
        if file["into"] == "upserts":
            found[file["key"]], at = at, at + file["rows"]
    return found


def keep_refused(
    work: Work, results: Results, changes: Mapping[str, Any], staging: Staging, refused: Mapping[int, str]
) -> tuple[Mapping[str, Any], ...]:
    """Writes the rows of these numbers, with why, as Parquet, under a new name each time; nothing for no rows."""
    if not refused:
        return ()
    key, start = staging.rejected(f"{uuid.uuid4().hex[:8]}.parquet"), to_text(work.claim.interval.start)
    with tempfile.TemporaryDirectory() as folder:
        reasons = Path(folder) / "reasons.csv"
        with reasons.open("w", newline="") as file:
            csv.writer(file).writerows(refused.items())
        names = [column["name"] for column in changes["columns"]]
        key_columns = list(key_of(work)) if work.flow.whole else []
        former = Former(**changes["former"]) if changes["former"] else None
        count = results.write_rejected(offsets(changes), names, reasons, start, former, key_columns, key)
    return ({"key": key, "rows": count},)


def _differences(
    work: Work,
    result: Mapping[str, Any],
    receipts: Sequence[Receipt],
    base: Receipt | None,
    results: Results,
    url: str,
    forgetting: Forget,
    exact: bool,
) -> tuple[list[File], list[File], list[str]]:
    """The Parquet files of rows to write, those of rows (APPEND) or keys (MERGE) to delete, and the columns of the latter."""
    flow, key, rerun = work.flow, list(key_of(work)), work.claim.rerun
    stated = [file for file in result["files"] if file["rows"]]
    source = results.relation([file["key"] for file in stated]) if stated else ""
    if key and source:
        results.check_key(source, key)
    appends = flow.mode == Mode.APPEND
    compared = base.former if base and (appends or (key and flow.whole)) else None
    later_ones = [receipt for receipt in receipts if receipt.start > work.claim.interval.start]
    rekeyed = bool(key) and _rekeyed(work, [base] if base and flow.whole else later_ones, results, forgetting)
    former, columns = former_rows(work, compared, results, forgetting)
    standing = results.standing(compared, key) if compared and key else ""
    names, deleted = [column["name"] for column in result["schema"]["columns"]], key
    alike = bool(source and former) and results.columns(source) == columns
    rows, deletes = f"SELECT {comparison.names(names)} FROM {source}" if source else "", ""
    if appends and former:
        deleted = list(columns)
        deletes = comparison.rows_without(former, source, names) if alike else f"SELECT * FROM {former}"
        rows = comparison.rows_without(source, former, names) if alike else rows
    elif standing:
        deletes = comparison.vanished(source, standing, key) if source else f"SELECT DISTINCT {comparison.names(key)} FROM {standing}"
        rows = comparison.new_or_changed(source, former, names) if alike and exact and not (rerun or rekeyed) else rows
    elif key and source and not flow.whole:
        published = [receipt.former for receipt in later_ones]
        together = Former(tuple(chain(*(f.files for f in published))), tuple(chain(*(f.rejected for f in published))))
        later, _ = former_rows(work, together, results, forgetting)
        rows = comparison.not_published_later(rows, later, key) if later else rows
    plain = rows == f"SELECT {comparison.names(names)} FROM {source}" and all(f["bytes"] <= 4 * FILE_MB << 20 for f in stated)
    kept = [{"key": file["key"], "rows": file["rows"]} for file in stated]
    upserts = kept if plain else results.write(rows, f"{url}/upserts") if rows else []
    return upserts, results.write(deletes, f"{url}/deletes") if deletes else [], deleted


def former_rows(work: Work, former: Former | None, results: Results, forgetting: Forget) -> tuple[str, dict[str, str]]:
    """What was published before, and its columns with their types; '' for nothing. Raises DefinitionError where it is gone."""
    try:
        relation = results.written(former, key_of(work)) if former else ""
        return relation, results.columns(relation) if relation else {}
    except FileGone:
        raise _forgotten(work, forgetting) from None


def _rekeyed(work: Work, receipts: Sequence[Receipt], results: Results, forgetting: Forget) -> bool:
    """Whether rows that were published before were matched by another key than they are now.

    Raises DefinitionError where they cannot be matched by that of now: they lack a column of it, or, where a batch says all that is
    there, it is null or the same in several of them, or what was sent in part is known by the other key alone.
    """
    key, whole = key_of(work), work.flow.whole
    found = [one for one in receipts if one.files and (one.key is None or {*one.key} != {*key})]
    other = [one for one in found if one.key is not None]
    try:
        for receipt in found:
            rows = results.standing(replace(receipt.former, unsure=()), key)
            told_apart = results.has_columns(rows, key)
            if told_apart and whole and receipt in other:
                told_apart = not receipt.unsure and not results.key_faults(rows, key)
            if not told_apart:
                raise otherwise_keyed(work, receipt.key, forgetting)
    except FileGone:
        raise _forgotten(work, forgetting) from None
    return bool(other)


def otherwise_keyed(work: Work, before: Sequence[str] | None, forgetting: Forget) -> DefinitionError:
    """The error of a flow whose rows are matched by another key now, by which those before are not known."""
    by = f"by {', '.join(before)}" if before else "by another key"
    what = f"the rows that are published already were matched {by}, and cannot be by {', '.join(key_of(work))}"
    remedy = begin_anew(work, forgetting) if work.flow.whole else _later_anew(work, forgetting)
    return DefinitionError(what, place=work.place, remedy=f"take the former key again, or {remedy}")


def begin_anew(work: Work, forgetting: Forget) -> str:
    """What to do to have a batch published as if it, or the flow, never was before."""
    flow, again = work.flow, run_again(work.flow.id, work.claim.interval)
    if flow.mode == Mode.APPEND:
        rows = f"as to the rows that batch {work.claim.interval} has added: delete them from the table yourself"
        return f"{rows}, then {forgetting('this')}, then {again}; without the first they are twice"
    if flow.whole:
        return f"{forgetting('all')}: the next batch writes its whole result; what vanished from it meanwhile you delete yourself"
    return f"{forgetting('this')}, then {again}"


def _later_anew(work: Work, forgetting: Forget) -> str:
    again = run_again(work.flow.id, work.claim.interval).rpartition(" --to")[0]
    return f"{forgetting('later')}, then run this batch and all after it again: {again} --to …"


def _forgotten(work: Work, forgetting: Forget) -> DefinitionError:
    """A receipt that names a result which is gone; without the receipt the batch is published as if it never was before."""
    flow = work.flow
    if flow.mode == Mode.APPEND:
        what, remedy = f"the rows that batch {work.claim.interval} has added are not known any more", begin_anew(work, forgetting)
    elif flow.whole:
        what, remedy = "the keys that were published last are not known any more", begin_anew(work, forgetting)
    else:
        what, remedy = "the keys that later batches have published are not known any more", _later_anew(work, forgetting)
    gone = "since their result is gone from S3: it stays as long as the option keep of the warehouse says"
    return DefinitionError(f"{what}, {gone}", place=work.place, remedy=remedy)
