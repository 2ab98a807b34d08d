"""Works out what a batch has to write and to delete: from its result, and from what the receipts say was published before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from shared_metadata.contract.steps import Work
from shared_metadata.program import Mode
from slices.harness.postgres import logic, statements
from slices.harness.postgres.receipts import Former, Receipt
from slices.harness.postgres.results import FILE_MB, File, Results


def key_of(work: Work) -> tuple[str, ...]:
    """The key by which rows are matched; none but for MERGE."""
    return work.flow.key if work.flow.mode == Mode.MERGE else ()


def compare(work: Work, result: Mapping[str, Any], receipts: Sequence[Receipt], results: Results, url: str) -> dict[str, Any]:
    """What is to be written, from this result and what the receipts say the table holds already."""
    flow, claim, named = work.flow, work.claim, logic.identity(result)
    mine = next((r for r in receipts if r.start == claim.interval.start), None)
    last = receipts[-1] if receipts else None
    forget = flow.supersedes
    keys = [file["key"] for file in result["files"] if file["rows"]]
    changes = {"upserts": 0, "deletes": 0, "files": [], "result": named, "result_files": keys, "forget": forget}
    changes |= {"nothing": False, "rejected": [], "former": None}
    if forget and last and last.start > claim.interval.start:
        return {**changes, "nothing": True, "base": last.mark}
    if mine and mine.result == named and (not claim.rerun or mine.token == claim.token):
        counts = {"upserts": mine.upserts, "deletes": mine.deletes, "rejected": list(mine.rejected)}
        return {**changes, **counts, "nothing": True, "base": mine.mark}
    base = last if forget else mine
    upserts, deletes, deleted = _differences(work, result, receipts, base, results, url)
    files = [{**file, "into": "upserts"} for file in upserts] + [{**file, "into": "deletes"} for file in deletes]
    counts = {"upserts": sum(file["rows"] for file in upserts), "deletes": sum(file["rows"] for file in deletes)}
    compared = {"base": base.mark, "former": asdict(base.former)} if base else {"base": None}
    return {**changes, **counts, **compared, "files": files, "deleted": deleted}


def _differences(
    work: Work, result: Mapping[str, Any], receipts: Sequence[Receipt], base: Receipt | None, results: Results, url: str
) -> tuple[list[File], list[File], list[str]]:
    """The Parquet files of rows to write, those of rows (APPEND) or keys (MERGE) to delete, and the columns of the latter."""
    flow, key, rerun = work.flow, list(key_of(work)), work.claim.rerun
    stated = [file for file in result["files"] if file["rows"]]
    source = results.relation([file["key"] for file in stated]) if stated else ""
    if key and source:
        results.check_key(source, key)
    former = results.written(base.former) if base and flow.mode != Mode.REPLACE else ""
    names, deleted = [column["name"] for column in result["schema"]["columns"]], key
    alike = bool(source and former) and results.columns(source) == results.columns(former)
    rows, deletes = f"SELECT {statements.names(names)} FROM {source}" if source else "", ""
    if flow.mode == Mode.APPEND and former:
        deleted = list(results.columns(former))
        deletes = statements.rows_without(former, source, names) if alike else f"SELECT * FROM {former}"
        rows = statements.rows_without(source, former, names) if alike else rows
    elif base and former and flow.whole:
        listed, standing = statements.names(key), results.standing(base.former)
        deletes = statements.vanished(source, standing, key) if source else f"SELECT {listed} FROM {standing}"
        rows = statements.new_or_changed(source, former, names) if alike and not rerun else rows
    elif key and source and not flow.whole:
        published = [receipt.former for receipt in receipts if receipt.start > work.claim.interval.start]
        together = Former(tuple(chain(*(f.files for f in published))), tuple(chain(*(f.rejected for f in published))))
        later = results.written(together)
        rows = statements.not_published_later(rows, later, key) if later else rows
    plain = rows == f"SELECT {statements.names(names)} FROM {source}" and all(f["bytes"] <= 4 * FILE_MB << 20 for f in stated)
    kept = [{"key": file["key"], "rows": file["rows"]} for file in stated]
    upserts = kept if plain else results.write(rows, f"{url}/upserts") if rows else []
    return upserts, results.write(deletes, f"{url}/deletes") if deletes else [], deleted
