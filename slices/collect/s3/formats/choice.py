"""Which format a connection's files have."""

from __future__ import annotations

from slices.collect.s3.config import Config
from slices.collect.s3.formats.csv_text import Csv
from slices.collect.s3.formats.json_lines import JsonLines
from slices.collect.s3.formats.parquet import Parquet
from slices.collect.s3.formats.shape import Format


def format_of(config: Config) -> Format:
    if config.format == "csv":
        return Csv(config)
    return JsonLines(config) if config.format == "json" else Parquet()
