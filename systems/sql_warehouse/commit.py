"""The commit of a batch: its ledger is read, what it means for the batch decided, and all of it done in one transaction.

    standing: the ledger and the table as they are ▸ commit: under the table's lock, only where the ledger is still so

A commit whose answer was lost finds its row in the ledger. Who was overtaken finds another's, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shared_metadata.contract import set_aside
from shared_metadata.contract.batch_identity import Identity, Standing, standing
from shared_metadata.contract.evolution import evolution
from shared_metadata.contract.organize import Committed
from shared_metadata.contract.own_columns import DELETED, batch_column
from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.runtime.staging import Staging
from shared_metadata.contract.work import Work
from shared_metadata.errors import DefinitionError
from shared_metadata.program import Mode, from_plain
from shared_metadata.program.intervals import to_text
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_widening import Widens
from systems.sql_warehouse.dialect import WarehouseSql, create, table
from systems.sql_warehouse.ledger import Entry, Ledger
from systems.sql_warehouse.merging import Merge, append, delete_batch
from systems.sql_warehouse.session import LedgerMoved, Session, turn_of
from systems.sql_warehouse.tables import Stored, evolved, marked, place_of, refuse_another_s, schema_of, stored, together

MOST_TRIES, MOST_STATEMENTS = 4, 36  # of one transaction, of which a service may need some for itself
UNLOADED = "unloaded.json"
Document = Mapping[str, Any]


def rows(sql: WarehouseSql, session: Session, work: Work, prepared: Document, widens: Widens) -> Committed:
    """Makes a table's rows visible, with those that were set aside."""
    for number in range(MOST_TRIES):
        try:
            return _rows(sql, session, work, prepared, widens, number)
        except LedgerMoved:
            continue
    raise DefinitionError(
        f"other workers have committed to {work.table.dataset} {MOST_TRIES} times meanwhile",
        place=work.place,
        remedy="nothing: the batch is tried again",
    )


def _rows(sql: WarehouseSql, session: Session, work: Work, prepared: Document, widens: Widens, number: int) -> Committed:
    dataset, columns = work.table.dataset, tuple(from_plain(SchemaColumn, c) for c in prepared["columns"])
    ledger, mine, (schema, name) = Ledger(sql, dataset), Identity.of(work.claim), place_of(dataset)
    entries, tables, ours = _standing(sql, session, work, ledger, number)
    stands = standing(mine, ((entry.seq, entry.identity) for entry in entries), rerun=work.claim.again)
    known, target = tables.get((schema, name), ()), table(sql, schema, name)
    if known and not entries and (schema, name) not in ours:
        raise refuse_another_s(sql, schema, name, work.place)
    wanted = (*columns, DELETED) if prepared["left"] and DELETED not in columns else columns
    changes = evolution(known, wanted, dataset, place=work.place, widens=widens)
    if stands.landed is None:
        seq = max((entry.seq for entry in entries), default=0) + 1
        for step, texts in enumerate(together(evolved(sql, target, known, changes), MOST_STATEMENTS) if known else []):
            session.run(f"evolve {number} {step}", texts)
        made = [sql.schema(schema), create(sql, target, wanted)] if not known else []
        types = {column.name: column.type for column in (*wanted, *known)} | changes
        after = tuple(SchemaColumn(column.name, types[column.name]) for column in wanted)
        changed = (
            [] if stands.newer and work.flow.mode == Mode.REPLACE else _changed(sql, work, prepared, target, columns, after, stands)
        )
        aside = _set_aside(sql, work, prepared, tables, stands)
        texts = [*ledger.begin(seq - 1), *made, *changed, *aside, ledger.enter(mine, seq, f"(SELECT count(*) FROM {target})")]
        texts += [*_dropped(prepared), ledger.entered(seq)]
        ran = session.run(f"commit {number}", texts)
        total = int(session.rows(ran)[0][0])
    else:
        seq, total = next((entry.seq, entry.total_rows) for entry in entries if entry.seq == stands.landed)
        session.run(f"drop {number}", _dropped(prepared))
    return Committed(
        {"table": f"{schema}.{name}", "ledger_row": str(seq), "total_rows": total},
        schema_of(known or wanted, columns, changes),
        prepared["rows"],
        sum(prepared["sizes"]),
        {"format": sql.title.lower(), "location": f"{schema}.{name}", "partition_by": []},
        tuple(prepared["sizes"]),
        rejected=int(prepared["rejected_rows"]),
        statements=tuple(session.told([*prepared["statements"], *session.ran])),
        saw=prepared["saw"],
    )


def _dropped(prepared: Document) -> list[str]:
    return [f"DROP TABLE IF EXISTS {name}" for name in prepared["tables"]]


def _standing(
    sql: WarehouseSql, session: Session, work: Work, ledger: Ledger, number: int
) -> tuple[list[Entry], Stored, set[tuple[str, str]]]:
    """The ledger, the columns of the table and of the one beside it, and which of these two are marked as Atoll's."""
    places = [place_of(name) for name in (work.table.dataset, set_aside.beside(work).table.dataset) if ":" not in name]
    ran = session.run(f"standing {number}", [*ledger.make(), ledger.read(to_text(work.claim.interval.start)), sql.columns_of(places)])
    told = session.rows(ran)
    return [*map(Entry.read, session.rows(ran, -2))], stored(sql, told, work.place), marked(sql, told)


def _changed(
    sql: WarehouseSql,
    work: Work,
    prepared: Document,
    target: str,
    columns: tuple[SchemaColumn, ...],
    stored_columns: tuple[SchemaColumn, ...],
    stands: Standing,
) -> list[str]:
    """What the flow's mode makes of the staged rows.  stored_columns: those of the batch, of the types that the table has then."""
    flow, claim, rows = work.flow, work.claim, prepared["table"]
    start, batch = to_text(claim.interval.start), batch_column(flow)
    if flow.mode == Mode.REPLACE:
        return [f"DELETE FROM {target}", append(sql, target, rows, columns, stored_columns)]
    if flow.mode == Mode.MERGE:
        merge = Merge(sql, flow.key, flow.cursor if flow.cursor != batch else "", batch)
        besides = merge.besides(target, prepared["left"], start, prepared.get("there", ()), columns) if prepared.get("whole") else []
        return [*besides, *merge.statements(target, rows, prepared["left"], columns, stored_columns, start)]
    again = (stands.again or claim.again) and any(column.name == batch for column in columns)
    before = [delete_batch(sql, target, batch, start, to_text(claim.interval.end))] if again else []
    return [*before, append(sql, target, rows, columns, stored_columns)]


def _set_aside(sql: WarehouseSql, work: Work, prepared: Document, tables: Stored, stands: Standing) -> list[str]:
    """Puts the rejected rows beside the table, instead of those that earlier attempts at this batch rejected."""
    if not work.flow.quarantines or not (prepared["aside"] or set_aside.may_be_there(work)):
        return []
    beside = set_aside.beside(work)
    schema, name = place_of(beside.table.dataset)
    known, target, columns = tables.get((schema, name)), table(sql, schema, name), rejected_rows.COLUMNS
    if known is not None and [c.name for c in known] != [c.name for c in columns]:
        raise refuse_another_s(sql, schema, name, work.place)
    if known is None and not prepared["aside"]:
        return []
    made = [sql.schema(schema), create(sql, target, columns)] if known is None else []
    if beside.flow.mode == Mode.REPLACE:
        cleared = [] if stands.newer else [f"DELETE FROM {target}"]
        filled = not stands.newer
    else:
        interval, filled = work.claim.interval, True
        cleared = [delete_batch(sql, target, "_batch", to_text(interval.start), to_text(interval.end))]
    return [*made, *cleared, *([append(sql, target, prepared["aside"], columns)] if prepared["aside"] and filled else ())]


def result(sql: WarehouseSql, session: Session, work: Work, prepared: Document, staging: Staging) -> Committed:
    """Writes a result's rows to files of the batch's own, and then what was set aside of them beside its warehouse's tables.

    Which files is noted before its staging tables are dropped: a call whose record was lost is followed by one that has no rows.
    """
    columns, dataset = tuple(from_plain(SchemaColumn, c) for c in prepared["columns"]), work.table.dataset
    known = staging.read(dataset, UNLOADED)
    files: list[dict[str, Any]] = known["files"] if known else _unloaded(sql, session, work, prepared, columns, staging)
    if known is None:
        staging.write({"files": files}, dataset, UNLOADED)
    _result_aside(sql, session, work, prepared)
    schema = Schema(columns)
    aside = {"rejected_rows": prepared["rejected_rows"]} if prepared["rejected_rows"] else {}
    manifest = staging.write_manifest({"files": files, "schema": asdict(schema), **aside}, dataset)
    sizes = tuple(file["bytes"] for file in files)
    return Committed(
        {"manifest": manifest},
        schema,
        prepared["rows"],
        sum(sizes),
        {"format": "parquet"},
        sizes,
        rejected=int(prepared["rejected_rows"]),
        statements=tuple(session.told([*prepared["statements"], *session.ran])),
        saw=prepared["saw"],
    )


def _unloaded(
    sql: WarehouseSql, session: Session, work: Work, prepared: Document, columns: tuple[SchemaColumn, ...], staging: Staging
) -> list[dict[str, Any]]:
    """The files of a result that it writes, as a manifest has them; none where there is no row."""
    if not prepared["rows"]:
        return []
    name = f"result-{turn_of(work).token('unload')}"
    prefix = staging.url(work.table.dataset, name) + "/"
    values = ", ".join(f"{sql.unloaded(c)} AS {sql.filed(c.name)}" for c in columns)
    ran = session.run("unload", sql.unload(f"SELECT {values} FROM {prepared['table']}", prefix))
    written = sql.unloaded_files(lambda: session.rows(ran), prefix)
    if written is None:
        listed = staging.read(work.table.dataset, name, "manifest") or {"entries": []}
        told = ((e["url"], e["meta"]) for e in listed["entries"])
        written = [{"url": url, "rows": meta["record_count"], "bytes": meta["content_length"]} for url, meta in told]
    bucket = f"s3://{staging.bucket}/"
    return [{"key": f["url"].removeprefix(bucket), "rows": f["rows"], "bytes": f["bytes"]} for f in written]


def _result_aside(sql: WarehouseSql, session: Session, work: Work, prepared: Document) -> None:
    """Puts aside what was rejected of a result, which alone has a table, and so a ledger."""
    drops = _dropped(prepared)
    if not work.flow.quarantines:
        session.run("drop", drops)
        return
    ledger, mine = Ledger(sql, work.table.dataset), Identity.of(work.claim)
    for number in range(MOST_TRIES):
        entries, tables, _ = _standing(sql, session, work, ledger, number)
        stands = standing(mine, ((entry.seq, entry.identity) for entry in entries), rerun=work.claim.again)
        if stands.landed is not None:
            session.run(f"drop {number}", drops)
            return
        seq = max((entry.seq for entry in entries), default=0) + 1
        texts = [*ledger.begin(seq - 1), *_set_aside(sql, work, prepared, tables, stands), ledger.enter(mine, seq, "0"), *drops]
        try:
            session.run(f"commit {number}", texts)
        except LedgerMoved:
            continue
        return
