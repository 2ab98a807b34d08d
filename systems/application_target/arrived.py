"""What of a batch that was broken off an application has, or may have: with that the batch's next result is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared_metadata.contract.results import comparison
from shared_metadata.contract.results.receipt import Former, Receipt
from shared_metadata.contract.results.results import Results
from systems.application_target.journal import Sent


def unsure(attempted: Sequence[str], base: Receipt, late: Sequence[str]) -> Receipt:
    """A receipt in the place of the last one, where a batch says all that is there: what was sent of another may be there, or gone.

    attempted: files of the keys of that.  late: of keys that may have arrived since the last one as well.
    """
    return replace(base, result="", unsure=(*attempted, *late))


def attempted(sent: Sent, key: Sequence[str], results: Results, url: str) -> list[str]:
    """Finds the files of keys that may have arrived: of rows settled, of a group beyond, and of batches before that were broken off.

    What was never sent is none of these: another's record may have its key.  url: below which one is written.
    """
    first, end, found = 0, sent.settled + sent.rows_a_group, list[str]()
    for file in sent.changes["files"]:
        count = min(max(end - first, 0), file["rows"])
        if count == file["rows"]:
            found.append(file["key"])
        elif count:
            rows = comparison.rows_between(results.relation([file["key"]]), key, 0, count)
            found += [written["key"] for written in results.write(rows, f"{url}/attempted")]
        first += file["rows"]
    return [*found, *sent.changes["unsure"]]


def on_its_way(sent: Sent, key: Sequence[str], results: Results, url: str) -> list[str]:
    """The file of the keys of the group that may be on its way to the application, and be heard after all that is sent from now on;
    none where all were settled. Rows that wait are of one group.  url: below which it is written."""
    first, size, next_row = 0, sent.rows_a_group, min(sent.waiting, default=sent.settled)
    for file in sent.changes["files"]:
        if first <= next_row < first + file["rows"]:
            at = (next_row - first) // size * size
            rows = comparison.rows_between(results.relation([file["key"]]), key, at, at + size)
            return [written["key"] for written in results.write(rows, f"{url}/late")]
        first += file["rows"]
    return []


def settled(sent: Sent, base: Receipt, results: Results, url: str) -> Receipt:
    """A receipt in the place of a batch's own, where it only adds rows: those are there that were taken.

    Of the group whose answer did not come nothing is known: its rows are sent again.  url: where that is written.
    """
    columns, taken, gone = [column["name"] for column in sent.changes["columns"]], list[str](), list[str]()
    former = results.written(Former(**sent.changes["former"])) if sent.changes["former"] else ""
    if former and list(results.columns(former)) != columns:  # another program's: all is sent again
        return replace(base, result="")
    first, left, missing = 0, sent.settled, {*sent.refused, *sent.waiting}
    for file in sent.changes["files"]:
        count, without = min(left, file["rows"]), sorted(row - first for row in missing if first <= row < first + file["rows"])
        rows = comparison.first_rows(results.relation([file["key"]]), columns, count, without)
        (taken if file["into"] == "upserts" else gone).append(rows)
        first, left = first + file["rows"], left - count
    added = [*([f"SELECT {comparison.names(columns)} FROM {former}"] if former else []), *taken]
    if not added:
        return replace(base, result="", files=(), rejected=())
    there = f"SELECT * FROM ({' UNION ALL '.join(added)})" + "".join(f" EXCEPT ALL ({rows})" for rows in gone)
    files = results.write(there, f"{url}/settled")
    return replace(base, result="", files=tuple(file["key"] for file in files), rejected=())
