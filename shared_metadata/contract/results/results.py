"""Compares results, which are Parquet in S3, with DuckDB, and writes them as CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared_metadata.contract.parquet import rejected_rows
from shared_metadata.contract.parquet.duckdb_errors import status_of, unreached
from shared_metadata.contract.parquet.duckdb_session import identifier, interrupted_at, literal, open_duckdb
from shared_metadata.contract.results import comparison
from shared_metadata.contract.results.receipt import Former
from shared_metadata.contract.runtime.deadline import Deadline
from shared_metadata.contract.runtime.services import Services
from shared_metadata.errors import DefinitionError, RetryLater

if TYPE_CHECKING:
    import duckdb

FILE_MB = 64  # one file is brought in one go, which must be over long before a function's 15 minutes are
END_SECONDS = 5.0  # before a call's time is up its query is ended: an error of ours says more than the end of the function
ROWS_AT_ONCE = 200  # as JSON in memory
File = dict[str, Any]
Written = Callable[[str, str], str]  # the SQL of a value as a target reads it, of its SQL and DuckDB's type


class FileGone(DefinitionError):
    """A file of a result is not there any more."""


class Results:
    """DuckDB over the data bucket; `close` it."""

    def __init__(self, services: Services, place: str, deadline: Deadline) -> None:
        self._services, self._place, self._deadline = services, place, deadline
        self._bucket, name = services.environment.atoll_data_bucket, services.environment.atoll_slice_id
        self._more = f"give the slice more memory and /tmp when it is deployed: -c memoryOf={name}=…, -c tmpOf={name}=…"

    @cached_property
    def _duckdb(self) -> duckdb.DuckDBPyConnection:
        return open_duckdb(self._services.session)

    def close(self) -> None:
        if "_duckdb" in vars(self):
            self._duckdb.close()

    def relation(self, keys: Sequence[str]) -> str:
        """These files, which must be there, as DuckDB SQL; a key that begins with / is that of a file of this machine."""
        return comparison.parquet([key if key.startswith("/") else f"s3://{self._bucket}/{key}" for key in keys])

    def written(self, former: Former, key: Sequence[str] = ()) -> str:
        """What was published, without the rows that were set aside, and without those of whose keys that is not sure; '' for
        nothing."""
        if not former.files:
            return ""
        relation = self.relation(former.files)
        if former.rejected:
            relation = comparison.without_rejected(relation, self.relation(former.rejected), list(self.columns(relation)))
        return comparison.without_keys(relation, self.relation(former.unsure), key) if former.unsure and key else relation

    def standing(self, former: Former, key: Sequence[str]) -> str:
        """The rows of whose keys the target has one of ours, or may have; '' for none.

        With those that were set aside and have an earlier version there; of the ones that are not sure, the keys.
        """
        rows = self.written(former)
        if rows and former.rejected:
            rows = comparison.with_held(rows, self.relation(former.rejected), list(self.columns(rows)))
        if not former.unsure:
            return rows
        unsure = self.relation(former.unsure)
        return comparison.keys_of_either(rows, unsure, key) if rows else unsure

    def columns(self, relation: str) -> dict[str, str]:
        """Column ▸ DuckDB's type."""
        rows = self._fetch(f"DESCRIBE SELECT * FROM {relation}")
        return {row[0]: row[1] for row in rows}

    def check_key(self, relation: str, key: Sequence[str]) -> None:
        """Raises DefinitionError for keys that are null or occur twice; names columns and counts, no values."""
        if faults := self.key_faults(relation, key):
            twice, missing = faults
            remedy = "make the query's rows unique by the key (GROUP BY, QUALIFY) and drop rows without one, or choose another key"
            what = f"in the query's result {twice} keys ({', '.join(key)}) occur more than once and {missing} rows have a null in it"
            raise DefinitionError(what, place=self._place, remedy=remedy)

    def key_faults(self, relation: str, key: Sequence[str]) -> tuple[int, int] | None:
        """How many keys occur more than once, and how many rows have a null in theirs; None for none at all."""
        twice, missing = self._fetch(comparison.key_faults(relation, key))[0]
        return (twice, missing) if twice or missing else None

    def has_columns(self, relation: str, names: Sequence[str]) -> bool:
        return {*names} <= {*self.columns(relation)}

    def write(self, query: str, url: str) -> list[File]:
        """The query's rows as Parquet files below `url`: [{'key', 'rows'}], none for no rows."""
        options = f"FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES '{FILE_MB}MB', RETURN_STATS true, OVERWRITE_OR_IGNORE true"
        rows = self._fetch(f"COPY ({query}) TO {literal(url)} ({options})")
        return [{"key": row[0].removeprefix(f"s3://{self._bucket}/"), "rows": row[1]} for row in rows if row[1]]

    def write_csv(self, file: File, marks: Sequence[str], columns: Mapping[str, Written], rows: tuple[int, int], path: Path) -> None:
        """The rows [from, to) of a Parquet file as CSV, after marks, which are expressions; nulls are empty, values are quoted."""
        types = self.columns(self.relation([file["key"]]))
        values = [written(f"r.{identifier(name)}", types[name]) for name, written in columns.items()]
        query, quoted = comparison.csv_rows(f"s3://{self._bucket}/{file['key']}", marks, values, rows)
        self._fetch(f"COPY ({query}) TO {literal(str(path))} (FORMAT csv, HEADER false, FORCE_QUOTE ({', '.join(quoted)}))")

    def ask(self, query: str, files: Sequence[str]) -> list[tuple[Any, ...]]:
        """What a query answers over these files, which it calls `rows`."""
        return self._fetch(f"WITH rows AS (SELECT * FROM {self.relation(files)}) {query}")

    def write_file(self, query: str, path: Path, options: str) -> None:
        """The query's rows as a file.  options: of DuckDB's COPY."""
        self._fetch(f"COPY ({query}) TO {literal(str(path))} ({options})")

    def first(self, file: File, columns: Mapping[str, Written], count: int) -> list[tuple[str | None, ...]]:
        """The first rows of a Parquet file, their values as a target reads them."""
        relation = self.relation([file["key"]])
        types = self.columns(relation)
        values = ", ".join(written(f"r.{identifier(name)}", types[name]) for name, written in columns.items())
        return self._fetch(f"SELECT {values} FROM {relation} r LIMIT {count}")

    def documents(self, key: str, first: int) -> Iterator[str]:
        """The rows of a Parquet file from that number on, as JSON objects: numbers have all their digits, no value but null is null.

        They are read while they are asked for: nothing else may be asked until then.
        """
        relation = self.relation([key])
        values = {name: (f"r.{identifier(name)}", kind) for name, kind in self.columns(relation).items()}
        with self._explained():
            rows = self._duckdb.execute(f"SELECT {rejected_rows.as_json(values)} FROM {relation} r OFFSET {first}")
        while True:
            with self._explained():
                some = rows.fetchmany(ROWS_AT_ONCE)
            if not some:
                return
            yield from (document for (document,) in some)

    def write_rejected(
        self,
        files: Mapping[str, int],
        columns: Sequence[str],
        reasons: Path,
        batch: str,
        former: Former | None,
        key: Sequence[str],
        into: str,
    ) -> int:
        """Writes the rows of these files that the CSV `reasons` names; returns how many.

        files: key ▸ the number of its first row.  former: what the batch was compared with; by `key` it tells what stands there.
        """
        urls = {f"s3://{self._bucket}/{name}": at for name, at in files.items()}
        standing = self.standing(former, key) if former and key else ""
        types = self.columns(self.relation(list(files)))
        query = comparison.rejected(urls, {name: types[name] for name in columns}, str(reasons), batch, standing, key)
        rows = self._fetch(f"COPY ({query}) TO {literal(f's3://{self._bucket}/{into}')} (FORMAT parquet, COMPRESSION zstd)")
        return int(rows[0][0])

    def holding_null_characters(self, file: File, columns: Sequence[str]) -> list[str]:
        """The text columns of a file in which U+0000 occurs, which some databases cannot store and do not name."""
        relation = self.relation([file["key"]])
        types = self.columns(relation)
        texts = [name for name in columns if types[name] == "VARCHAR"]
        tests = ", ".join(f"bool_or(contains({identifier(name)}, chr(0)))" for name in texts)
        found = self._fetch(f"SELECT {tests} FROM {relation}")[0] if texts else ()
        return [name for name, holds in zip(texts, found, strict=True) if holds]

    def _fetch(self, query: str) -> list[tuple[Any, ...]]:
        with self._explained():
            return self._duckdb.execute(query).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Ends what runs before the call's time is up, and says why anything ended."""
        import duckdb

        try:
            with interrupted_at(self._duckdb, self._deadline.seconds_left - END_SECONDS):
                yield
        except duckdb.InterruptException:
            remedy = f"publish by batch_start() and batch_end() what a batch changes, or {self._more}"
            what = "the results are too large to be worked through in one call of 15 minutes"
            raise DefinitionError(what, place=self._place, remedy=remedy) from None
        except duckdb.HTTPException as error:
            status = status_of(error)
            if status == 404:
                raise FileGone(
                    "a file of the result is gone from S3", place=self._place, remedy="run the result's batch again"
                ) from None
            raise unreached(error, f"S3 answered {status or 'nothing'} while a result was read", place=self._place) from None
        except duckdb.IOException as error:
            raise RetryLater(f"a result could not be read ({type(error).__name__})", place=self._place) from None
        except duckdb.OutOfMemoryException:
            raise DefinitionError("the results are too large to compare", place=self._place, remedy=self._more) from None
