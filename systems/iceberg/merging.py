"""The SQL of a MERGE's commit: which of the batch's rows are newer than the table's, and what happens to the rows that they replace.

A batch brings rows, and the keys of rows that its source has no more. Its keys are called k0, k1 … here, so that no name of a user's
column meets one of these tables'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared_metadata.contract.own_columns import DELETED
from shared_metadata.contract.parquet.duckdb_session import identifier, literal
from shared_metadata.contract.parquet.duckdb_types import duckdb_type
from shared_metadata.program.schema import SchemaColumn
from systems.iceberg import relations

# A cursor that lies further ahead than any batch is long was met by no window: such rows are read in every batch, as those
# without a value are, and their cursors say nothing of which is newer.
FAR = "INTERVAL 8 DAY"
_TIMES = ("date", "timestamp", "timestamptz")


@dataclass(frozen=True)
class Merge:
    """The merge of one batch. cursor: the column that decides which of two rows is newer, or ''; batch: the one with the arrival
    time.
    """

    key: tuple[str, ...]
    cursor: str
    batch: str

    def incoming(self, rows: str, left: str, columns: Sequence[SchemaColumn]) -> str:
        """Makes the table `incoming` of the batch's keys, each once; rows and left are relations, left '' where no key is gone."""
        keys = ", ".join(f"r.{identifier(name)} AS k{number}" for number, name in enumerate(self.key))
        batch = f"r.{identifier(self.batch)}" if _has(columns, self.batch) else "NULL::TIMESTAMPTZ"
        selected = f"SELECT {keys}, {self._order('r', columns)} AS ordered, {batch} AS batch"
        if not left:
            return f"CREATE TEMP TABLE incoming AS {selected}, false AS gone FROM {rows} r"
        both = f"{selected}, false AS gone FROM {rows} r UNION ALL {selected}, true AS gone FROM {left} r"
        same = ", ".join(f"k{number}" for number in range(len(self.key)))
        latest = f"row_number() OVER (PARTITION BY {same} ORDER BY ordered DESC NULLS LAST, gone) = 1"
        return f"CREATE TEMP TABLE incoming AS SELECT * FROM ({both}) QUALIFY {latest}"

    def besides(self, left: str, stored: str, start: str, there: Sequence[str] = ()) -> str:
        """The relation of keys that are gone where the source has no other rows than the batch's: those of all rows of the table.

        A key that the batch brings is not gone; see `incoming`.  there: relations of rows that the source has, also set aside.
        """
        keys = ", ".join(identifier(name) for name in self.key)
        aside = " UNION ALL ".join(f"SELECT {keys} FROM {rows}" for rows in there)
        same = " AND ".join(f"t.{identifier(name)} IS NOT DISTINCT FROM s.{identifier(name)}" for name in self.key)
        others = f" ANTI JOIN ({aside}) s ON {same}" if aside else ""
        of_table = f"SELECT {keys}, TIMESTAMPTZ {literal(start)} AS {identifier(self.batch)} FROM {stored} t{others}"
        both = f"{of_table} UNION ALL SELECT {keys}, {identifier(self.batch)} FROM {left}" if left else of_table
        return f"({both})"

    def met(self, stored: str, columns: Sequence[SchemaColumn]) -> str:
        """Makes the table `met`: of the incoming keys that `stored` has the file and the place of each row, and whether it stays."""
        keys, order = ", ".join(f"n.k{number}" for number in range(len(self.key))), self._order("t", columns)
        by_batch = f"t.{identifier(self.batch)} > n.batch" if _has(columns, self.batch) else "NULL"
        stays = f"coalesce({order} > n.ordered, {by_batch}, false)"
        if _has(columns, DELETED.name):
            marked = f"n.gone AND t.{identifier(DELETED.name)} IS TRUE AND NOT coalesce(n.ordered > {order}, false)"
            stays = f"({stays} OR {marked})"
        place = f"t.{relations.file_column(columns)} AS file, t.{relations.row_column(columns)} AS place"
        selected = f"SELECT {keys}, {place}, {stays} AS stays"
        return f"CREATE TEMP TABLE met AS {selected} FROM {stored} t JOIN incoming n ON {self.same}"

    def live(self, deletes: Sequence[str]) -> str:
        """Takes the rows out of `met` that are deleted beside their files: a few are looked up, and not all of the table's."""
        named = f"SELECT file_path, pos FROM read_parquet([{', '.join(map(literal, deletes))}])"
        return f"DELETE FROM met m USING ({named}) d WHERE m.file = d.file_path AND m.place = d.pos"

    def outdated(self) -> str:
        """Takes the keys out of `incoming` whose rows stay."""
        return f"DELETE FROM incoming n USING met m WHERE m.stays AND {self._same_key}"

    def going(self) -> str:
        """The files that hold rows which go: the name of each, their number, and whether one of them is gone in the source."""
        return f"SELECT m.file, count(*), bool_or(n.gone) FROM met m JOIN incoming n ON {self._same_key} GROUP BY m.file"

    def places(self, files: Iterable[str]) -> str:
        """The places of the rows that go in these files: the name of each, and their numbers."""
        named = ", ".join(map(literal, files))
        rows = f"met m SEMI JOIN incoming n ON {self._same_key} WHERE m.file IN ({named})"
        return f"SELECT m.file, list(m.place) FROM {rows} GROUP BY m.file"

    def brought(self, rows: str, columns: Sequence[SchemaColumn]) -> str:
        """The batch's rows, without those that are outdated or gone."""
        return f"SELECT {relations.names(columns, 't')} FROM {rows} t SEMI JOIN incoming n ON {self.same} AND NOT n.gone"

    def kept(self, stored: str, columns: Sequence[SchemaColumn], start: str, *, left: bool) -> str:
        """The rows of rewritten files that stay, and, where keys are gone, those that are marked; start: of the batch, as a text."""
        kept = f"SELECT {relations.names(columns, 't')} FROM {stored} t ANTI JOIN incoming n ON {self.same}"
        return f"{kept} UNION ALL {self.marked(stored, columns, start)}" if left else kept

    def marked(self, stored: str, columns: Sequence[SchemaColumn], start: str) -> str:
        """The rows of keys that are gone, as those that are marked."""
        marked = ", ".join(f"{self._marked(column, start)} AS {identifier(column.name)}" for column in columns)
        return f"SELECT {marked} FROM {stored} t JOIN incoming n ON {self.same} AND n.gone"

    @property
    def same(self) -> str:
        """Whether a row t has the key of an incoming one, n."""
        return " AND ".join(f"t.{identifier(name)} IS NOT DISTINCT FROM n.k{number}" for number, name in enumerate(self.key))

    @property
    def _same_key(self) -> str:
        return " AND ".join(f"n.k{number} IS NOT DISTINCT FROM m.k{number}" for number in range(len(self.key)))

    def _marked(self, column: SchemaColumn, start: str) -> str:
        own = f"t.{identifier(column.name)}"
        if column.name == DELETED.name:
            return "true"
        if column.name == self.batch:
            return f"TIMESTAMPTZ {literal(start)}"
        known = column.name == self.cursor and column.type != "string"
        return f"CAST(coalesce(n.ordered, {own}) AS {duckdb_type(column.type)})" if known else own

    def _order(self, row: str, columns: Sequence[SchemaColumn]) -> str:
        """The order of two rows by age; null where there is none, as for texts: a source sorts them in an order of its own."""
        column = next((c for c in columns if c.name == self.cursor), None)
        if column is None or column.type == "string":
            return "NULL"
        name, batch = f"{row}.{identifier(column.name)}", f"{row}.{identifier(self.batch)}"
        if column.type in ("float", "double"):
            return f"CASE WHEN isfinite({name}) THEN {name} END"
        if column.type in _TIMES and _has(columns, self.batch):
            moment = name if column.type == "timestamptz" else f"timezone('UTC', CAST({name} AS TIMESTAMP))"
            return f"CASE WHEN {moment} < {batch} + {FAR} THEN {name} END"
        return name


def _has(columns: Sequence[SchemaColumn], name: str) -> bool:
    return any(column.name == name for column in columns)
