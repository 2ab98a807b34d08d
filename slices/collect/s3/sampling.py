"""Looks into a table's newest objects: what columns its files have, and what some of their values are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet.duckdb_session import identifier, open_duckdb
from shared_metadata.contract.parquet.guessed_types import TEXT, of_both
from shared_metadata.errors import DefinitionError
from shared_metadata.program.schema import Schema
from slices.collect.s3.config import Config
from slices.collect.s3.formats.choice import format_of
from slices.collect.s3.formats.shape import Unreadable
from slices.collect.s3.logic import described, path_values
from slices.collect.s3.objects import Bucket, Found, Listing

if TYPE_CHECKING:
    from slices.collect.s3.formats.shape import Shape

HEAD_BYTES = 1 << 16


class Sampling:
    def __init__(self, bucket: Bucket, config: Config, place: str) -> None:
        self._bucket, self._format, self._place = bucket, format_of(config), place

    @property
    def exact(self) -> bool:
        """Whether files say their columns' types themselves."""
        return self._format.exact

    def schema(self, listing: Listing, prefix: str) -> Schema | None:
        """The columns of the newest object that can be read; of files without types these by the newest of them.

        None where there is no object; none but its own columns where all are empty. Raises DefinitionError where none can be read.
        """
        import duckdb

        from slices.collect.s3.files import Files

        files, newest, why = Files(self._bucket, self._place), None, ""
        types, words = dict[str, str](), dict[str, str]()
        with open_duckdb(extensions=self._format.extensions, threads=1) as connection:
            files.attach(connection)
            for found in listing.newest:
                try:
                    shape = self._shape(connection, files, found)
                    seen = self._format.typed(connection, shape)
                except (duckdb.Error, Unreadable) as error:
                    files.check()
                    why = why or (str(error) if isinstance(error, Unreadable) else type(error).__name__)
                    continue
                if newest is None:
                    newest, words = found, {name: str(kind) for name, kind in shape.columns.items()}
                types |= {name: of_both(types.get(name, kind), kind) for name, kind in seen.items()}
                if self._format.exact:
                    break
        if newest is not None:
            return described({name: (types.get(name, TEXT), word) for name, word in words.items()}, path_values(prefix, newest.key))
        if not listing.newest:
            return described({}, ()) if listing.count else None
        what = f"none of the newest {len(listing.newest)} objects below {prefix} can be read as {self._format.name}: {why}"
        raise DefinitionError(what, place=self._place, remedy="correct the connection's `format`, or remove what is none")

    def values(self, listing: Listing, prefix: str, column: str, most: int) -> list[Any]:
        """Some of what the newest objects hold in a column, as the files name it: null where they have none."""
        import duckdb

        from slices.collect.s3.files import Files

        files, values = Files(self._bucket, self._place), list[Any]()
        with open_duckdb(extensions=self._format.extensions, threads=1) as connection:
            files.attach(connection)
            for found in listing.newest:
                try:
                    shape = self._shape(connection, files, found)
                    there = next((name for name in shape.columns if name.lower() == column.lower()), None)
                    if there is None and any(value is not None for value in values):
                        break  # files before this one had no such column
                    value = identifier(there) if there else "NULL"
                    sql = f"SELECT {value} FROM {shape.relation} LIMIT {most - len(values)}"
                    values += [value for (value,) in connection.execute(sql).fetchall()]
                except (duckdb.Error, Unreadable):
                    files.check()
                if len(values) >= most:
                    break
        return values

    def _shape(self, connection: Any, files: Any, found: Found) -> Shape:
        url = files.add(found)
        head = files.read(found, 0, min(found.size, HEAD_BYTES))
        return self._format.shape(connection, url, head)
