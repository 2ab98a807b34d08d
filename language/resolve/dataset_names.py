"""Names that the tables of a warehouse may have, in every system."""

from __future__ import annotations

import re

from language.forms.syntax import Name, Part
from language.text.diagnostics import Problem
from shared_metadata.naming import REJECTED

_IN_WAREHOUSE = "use letters, digits and _; collect a table of another name by INSERT INTO … AS SELECT"
_THREE = "write warehouse.schema.table, as in lake.ops.flights"
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def plain(part: Part, cause: str = "cannot be a name in a warehouse", remedy: str = _IN_WAREHOUSE) -> str:
    """The folded name, if every system may have it. Raises Problem if not."""
    if not _PLAIN.fullmatch(part.folded):
        raise Problem(part.span, f"`{part.text}` {cause}", remedy)
    return part.folded


def dataset_name(target: Name) -> str:
    """The folded name of a table in a warehouse, `warehouse.schema.table`. Raises Problem for other than three parts."""
    if len(target.parts) != 3:
        raise Problem(
            target.span,
            f"a table in a warehouse has three names, `{target.dotted}` has {len(target.parts)}",
            f"write {target.parts[0].text}.schema.{target.parts[1].text}" if len(target.parts) == 2 else _THREE,
        )
    return ".".join([*(plain(part) for part in target.parts[:2]), table_name(target.parts[2])])


def table_name(part: Part) -> str:
    """The folded name of a table. Raises Problem for one that belongs to rows which were set aside."""
    name = plain(part)
    if name.endswith(REJECTED):
        raise Problem(part.span, f"`{part.text}` is the name of a table of rejected rows", "name it otherwise")
    return name
