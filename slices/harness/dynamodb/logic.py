"""What a publication and its table must have in common; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared_metadata.errors import DefinitionError
from shared_metadata.program import Flow
from shared_metadata.program.lineage import published_table
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.type_names import parsed

KINDS = {"S": "text", "N": "number", "B": "binary"}  # of what a key may be made
DESCRIBED = {"S": "string", "N": "decimal(38,0)", "B": "binary"}
_NO_KEYS = ("boolean", "list", "map", "struct")
_NUMBERS = ("int", "long", "float", "double", "decimal")


@dataclass(frozen=True)
class TableKey:
    """A table of an account.  name: there.  kinds: attribute of the key ▸ 'S', 'N' or 'B'; that of the partition is the first.

    id: its ARN and when it was made: no other table has it, nor one that is made anew under the same name.
    """

    name: str
    kinds: Mapping[str, str]
    id: str

    @property
    def schema(self) -> Schema:
        """The key is all that a table of DynamoDB says of its items."""
        return Schema(tuple(SchemaColumn(name, DESCRIBED[kind], False, name, kind) for name, kind in self.kinds.items()))


def kind_of(iceberg_type: str) -> str:
    """The kind of a key's parts as which values of a type are written; '' for none."""
    word = parsed(iceberg_type).word
    return "" if word in _NO_KEYS else "N" if word in _NUMBERS else "B" if word == "binary" else "S"


def fits(source_type: str, iceberg_type: str) -> str:
    """Why a part of a key takes no values of a type, in words that follow its own; '' where it takes them.

    source_type: 'S', 'N' or 'B'.
    """
    if source_type not in KINDS or kind_of(iceberg_type) == source_type:
        return ""
    return f"a part of its key that is a {KINDS[source_type]}"


def check_flow(flow: Flow, known: Mapping[str, Schema]) -> None:
    """Checks a publication against what is known of its table. Raises DefinitionError."""
    schema = known.get(table := published_table(flow))
    if schema is not None:
        check_key(flow, table, [column.name for column in schema.columns], str(flow.position))


def check_key(flow: Flow, table: str, key: list[str], place: str) -> None:
    """Raises DefinitionError where a publication is not by the table's key."""
    if set(flow.key) == set(key):
        return
    what = f"the items of `{table}` are told apart by {', '.join(key)}, and the rows by {', '.join(flow.key)}"
    raise DefinitionError(what, place=place, remedy=f"write MERGE ON ({', '.join(key)}), and give the columns these names")
