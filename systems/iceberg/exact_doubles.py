"""Makes pyiceberg read doubles from manifests as doubles: its compiled decoder (0.12) gives what a 32-bit float would hold.

A partition's value would change whenever a manifest is written anew. A test tells when this module can go.
"""

from __future__ import annotations

from pyiceberg.avro import STRUCT_DOUBLE
from pyiceberg.avro.decoder import BinaryDecoder
from pyiceberg.avro.reader import DoubleReader


def _read(self: DoubleReader, decoder: BinaryDecoder) -> float:
    return float(STRUCT_DOUBLE.unpack(decoder.read(8))[0])


def install() -> None:
    """Once in a process."""
    DoubleReader.read = _read  # type: ignore[method-assign]
