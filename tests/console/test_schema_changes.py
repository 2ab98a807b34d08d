"""What is told of two snapshots: every difference, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.schema_changes import compare
from shared_metadata.program.schema import Schema, SchemaColumn
from shared_metadata.program.source_schemas import ConnectionSchemas

COLUMN = st.builds(
    lambda source, kind, nullable: SchemaColumn(source.lower(), kind, nullable, source, f"their {kind}"),
    st.sampled_from(["Id", "a", "B", "ü"]),
    st.sampled_from(["int", "string"]),
    st.booleans(),
)
SCHEMA = st.lists(COLUMN, max_size=4, unique_by=lambda column: column.source).map(lambda columns: Schema(tuple(columns)))
TABLES = st.dictionaries(st.sampled_from(["public.a", "b", '"C"']), st.none() | SCHEMA)


@given(TABLES, TABLES)
def test_a_table_is_told_exactly_if_it_is_not_what_it_was(before: dict[str, Schema | None], after: dict[str, Schema | None]) -> None:
    told = {change.table: change for change in compare(before, after)}
    assert set(told) == {name for name in {*before, *after} if before.get(name) != after.get(name)}
    for name, change in told.items():
        old, new = before.get(name), after.get(name)
        columns = {column.column for column in change.columns}
        was, now = ({c.source: c for c in schema.columns} if schema else {} for schema in (old, new))
        if new is not None:
            assert columns == {source for source in {*was, *now} if was.get(source) != now.get(source)}
        if change.change == "changed":
            assert change.columns or change.reordered


@given(TABLES)
def test_a_snapshot_is_read_as_it_was_written_whatever_the_order_of_its_tables(tables: dict[str, Schema | None]) -> None:
    snapshot = ConnectionSchemas("ops", "postgres", tables)
    text = snapshot.to_json()
    assert ConnectionSchemas.from_json(text) == snapshot
    assert ConnectionSchemas("ops", "postgres", dict(reversed(tables.items()))).to_json() == text
