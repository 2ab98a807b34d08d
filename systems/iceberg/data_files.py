"""Iceberg's metadata of a Parquet file, from its footer; the rows are not read. A bound that a footer lacks is no bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    DataFileStatistics,
    MetricModeTypes,
    MetricsMode,
    StatisticsCollector,
    _check_pyarrow_schema_compatible,
    _HasIds,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    pyarrow_to_schema,
    visit_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema, index_by_name
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record
from pyiceberg.types import DecimalType, TimeType

from shared_metadata.errors import RetryLater, RowError
from systems.iceberg import partitions

LAST_CHARACTER, BEFORE_SURROGATES, AFTER_SURROGATES = 0x10FFFF, 0xD7FF, 0xE000
DAY_MICROSECONDS = 86_400_000_000


def data_file(io: FileIO, metadata: TableMetadata, file: Mapping[str, Any], *, place: str, rewritten: bool = False) -> DataFile:
    """file: {'url'}, and {'partition'} for a table that is partitioned, as Engine.write gives them.

    rewritten: its rows are the table's already.
    Raises FileNotFoundError; RetryLater where the table is not as the file was written for any more; RowError for a value of a new
    row that others would read as another one.
    """
    read = io.new_input(file["url"])
    with read.open() as stream:
        footer = pq.read_metadata(stream)
    schema, arrow = metadata.schema(), footer.schema.to_arrow_schema()
    _check_ids(arrow, schema, place)
    _check_pyarrow_schema_compatible(schema, arrow, format_version=metadata.format_version)
    ids = parquet_path_to_id_mapping(schema)
    if not rewritten:
        _check_times(footer, schema, ids, place)
    plan = compute_statistics_plan(schema, metadata.properties)
    statistics = data_file_statistics_from_parquet_metadata(footer, _told(footer, plan, ids), ids)
    _bound(statistics)
    columns = [schema.find_column_name(field.source_id) or "" for field in metadata.spec().fields]
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=file["url"],
        file_format=FileFormat.PARQUET,
        partition=Record(*(partitions.decoded(file["partition"], column) for column in columns)),
        file_size_in_bytes=len(read),
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def _check_ids(arrow: pa.Schema, schema: Schema, place: str) -> None:
    """A file that has field ids has the table's: by them readers find columns, whatever these are called."""
    if not visit_pyarrow(arrow, _HasIds()):
        return
    known = index_by_name(schema)
    others = [name for name, number in index_by_name(pyarrow_to_schema(arrow)).items() if known.get(name) != number]
    if others:
        raise RetryLater(
            f"the table has taken other columns since the batch's rows were written: {others[0]} has another field id by now",
            place=place,
            remedy="wait; the batch is tried again",
        )


def _check_times(footer: pq.FileMetaData, schema: Schema, ids: Mapping[str, int], place: str) -> None:
    """Iceberg has no 24:00, which DuckDB and PostgreSQL have: others read it as 00:00, and its bound is below all others."""
    times = {path for path, field in ids.items() if isinstance(schema.find_type(field), TimeType)}
    for chunk in _chunks(footer):
        if chunk.path_in_schema in times and _ends_the_day(chunk):
            raise RowError(
                f"the column {schema.find_column_name(ids[chunk.path_in_schema])} holds the time 24:00, which Iceberg has not",
                place=place,
                remedy="write it as 00:00 of the next day, or as a text: CAST(… AS VARCHAR)",
            )


def _ends_the_day(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether a part of a column of times holds 24:00."""
    said = chunk.statistics
    return bool(said is not None and said.has_min_max and said.max_raw >= DAY_MICROSECONDS)


def _chunks(footer: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    """The parts of all columns."""
    for group in map(footer.row_group, range(footer.num_row_groups)):
        yield from map(group.column, range(footer.num_columns))


def _told(footer: pq.FileMetaData, plan: dict[int, StatisticsCollector], ids: Mapping[str, int]) -> dict[int, StatisticsCollector]:
    """The plan without bounds for columns of which a part of the file tells none: those of the other parts are not the file's."""
    untold = {ids[chunk.path_in_schema] for chunk in _chunks(footer) if not _tells(chunk)}
    counted = MetricsMode(MetricModeTypes.COUNTS)
    told = {field: replace(one, mode=counted) if field in untold else one for field, one in plan.items()}
    return told | {field: replace(told[field], iceberg_type=kind) for field, kind in _decimals(footer, ids).items()}


def _decimals(footer: pq.FileMetaData, ids: Mapping[str, int]) -> dict[int, DecimalType]:
    """Decimals as the file has them: where the table has more digits, pyiceberg would expect more bytes. Bounds are the same."""
    columns = (footer.schema.column(number) for number in range(footer.num_columns))
    return {ids[one.path]: DecimalType(one.precision, one.scale) for one in columns if one.logical_type.type == "DECIMAL"}


def _tells(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether a part of a column has bounds, or only nulls."""
    said = chunk.statistics
    if said is None or not said.has_null_count or (said.logical_type.type == "TIME" and _ends_the_day(chunk)):
        return False
    try:
        return bool(said.null_count == chunk.num_values or (said.has_min_max and said.min is not None and said.max is not None))
    except (ArrowException, ValueError, OverflowError):  # such as of a year that Python does not know
        return False


def _bound(statistics: DataFileStatistics) -> None:
    """Makes bounds hold for every reader: zeros of both signs are met, and a text that is cut stays above what it stands for."""
    for aggregate in statistics.column_aggregates.values():
        if isinstance(aggregate.current_min, float) and aggregate.current_min == 0:
            aggregate.current_min = -0.0
        if isinstance(aggregate.current_max, float) and aggregate.current_max == 0:
            aggregate.current_max = 0.0
        length = aggregate.trunc_length
        if isinstance(aggregate.current_max, str) and length and len(aggregate.current_max) > length:
            aggregate.current_max = upper_bound(aggregate.current_max, length)


def upper_bound(text: str, length: int) -> str | None:
    """A text of at most so many characters that is no less than any with the same beginning; None where there is none.

    pyiceberg's own goes from U+D7FF to a surrogate, which no text can hold.
    """
    for at in range(length - 1, -1, -1):
        code = ord(text[at])
        if code < LAST_CHARACTER:
            return text[:at] + chr(AFTER_SURROGATES if code == BEFORE_SURROGATES else code + 1)
    return None
