"""Which format a connection's files have."""

from __future__ import annotations

from collections.abc import Callable

from slices.collect.s3.config import Config
from slices.collect.s3.formats.avro import Avro
from slices.collect.s3.formats.csv_text import Csv
from slices.collect.s3.formats.json_lines import JsonLines
from slices.collect.s3.formats.parquet import Parquet
from slices.collect.s3.formats.shape import Format


def format_of(config: Config) -> Format:
    made: dict[str, Callable[[], Format]] = {
        "avro": Avro, "csv": lambda: Csv(config), "json": lambda: JsonLines(config), "parquet": Parquet,
    }  # fmt: skip
    return made[config.format]()
