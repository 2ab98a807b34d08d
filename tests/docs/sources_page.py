"""Writes docs/sources.md out of what the slices and the manifests declare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared_metadata.contract.declaration import Slice
from shared_metadata.program import Mode
from slices.registry import installed
from systems.rest.coverage import Coverage, TableRead, coverage

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "sources.md"
HEAD = """# Sources

What a program collects from (`CREATE CONNECTION … TO …`), and what each batch is sure to bring. This page is made from the slices'
declarations and manifests; a test holds it to them. What has to be granted at a source stands in its README, below *Permissions*.

- **REPLACE** reads a table whole, so that rows which are no longer there go.
- **MERGE** and **APPEND** with a CURSOR read the rows whose cursor lies in the batch's interval, its start included and its end not:
  each is in one batch, however often a batch is made again. A change that leaves the cursor as it was is in none.
- *Not seen* is what no batch with a cursor sees; `atoll plan` says it too. A REPLACE now and then finds it.

"""
OF_MANIFESTS = """## APIs

Each of these is one file, `manifest.yaml`, and no code ([how](../systems/rest/README.md)); a project brings others by `atoll source
add`, also such as have [code of their own](../systems/rest/airbyte/README.md), or [Singer taps](../systems/singer/README.md) as they
are. All take REPLACE and MERGE.
No batch with a cursor sees {never}; *not seen* is what it does not see
beside that. A CURSOR may also be another column of days or moments: then all is read, and what the cursor says is taken. *Again*
means that rows are read which may not have changed: `read_at` says when. *By itself* is the mode of a statement that says none.
"""


def page() -> str:
    code, manifests = _collecting()
    parts = [
        HEAD,
        "## Databases, files and streams\n\n",
        _table(("source", "modes", "by itself", "CURSOR", "deleted rows", "not seen"), map(_of_code, code)),
    ]
    parts += ["\n", OF_MANIFESTS.format(never=manifests[0].capabilities.never_seen)]
    parts += (part for declared in manifests for part in _of_manifest(declared))
    return "".join(parts).rstrip() + "\n"


def _collecting() -> tuple[list[Slice], list[Slice]]:
    """The collect slices with code, and those that are a manifest, by their names."""
    found = sorted((one for one in installed().values() if one.stage == "collect"), key=lambda one: one.system)
    return [one for one in found if not one.bundled], [one for one in found if one.bundled]


def _of_code(declared: Slice) -> tuple[str, ...]:
    able = declared.capabilities
    cursor = f"`{able.default_cursor}` by itself" if able.default_cursor else "any column whose values rise"
    deleted = "told" if able.reports_deletes else "by REPLACE" if Mode.REPLACE in able.modes else "there are none"
    deleted += ", and by CAPTURE" * able.captures
    also = (
        able.never_seen,
        able.never_appended and f"of an APPEND: {able.never_appended}",
        able.never_captured and f"by CAPTURE: {able.never_captured}",
    )
    modes = ", ".join(able.modes)
    return _link(declared), modes, able.default_mode, cursor, deleted, "; ".join(filter(None, also)) or "-"


def _link(declared: Slice) -> str:
    readme = f"../slices/collect/{declared.system}/README.md"
    return f"[{declared.system}]({readme}) ([permissions]({readme}#permissions))"


def _of_manifest(declared: Slice) -> Iterator[str]:
    found: Coverage = coverage(ROOT / "slices" / "collect" / declared.system)
    secret = ", ".join(f"`{name}`" for name in found.secret)
    yield f"\n### {declared.system}\n\n{_link(declared)}; the secret holds {secret}; `lag` is {found.lag} seconds by itself.\n\n"
    yield _table(
        ("table", "by itself", "key", "CURSOR", "a batch with it reads", "deleted", "not seen"), map(_of_table, found.tables)
    )


def _of_table(table: TableRead) -> tuple[str, ...]:
    name = f"`{table.name}`" + (f", {table.only} only" if table.only else "")
    key = ", ".join(f"`{one}`" for one in table.key) or "-"
    cursor, reads = (f"`{table.cursor}`", table.reads) if table.cursor else ("-", "-")
    deleted = table.deletes if table.deletes.startswith("by ") and table.mode != "REPLACE" else "by REPLACE" * (not table.only)
    return name, table.mode, key, cursor, reads, deleted or "-", table.misses or "-"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
