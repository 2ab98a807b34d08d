"""Cuts off what no loader reads of a shared library: symbols for debuggers, and the table of sections behind them.

Wheels bring them, a fifth of a bundle. A process maps the segments that the program headers name, and nothing behind the last:
https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html
"""

from __future__ import annotations

import struct
from pathlib import Path

ELF_64_LITTLE = b"\x7fELF\x02\x01"
PROGRAM_HEADERS, PROGRAM_HEADER = (32, "<Q"), (54, "<HH")  # where they begin; how long one is, and how many there are
SECTION_HEADERS, SECTION_COUNTS = (40, "<Q"), (60, "<HH")  # where they begin; how many there are, and which has their names
FILE_OFFSET, FILE_SIZE = 8, 32  # in a program header


def strip(library: Path) -> None:
    """Strips in place; leaves anything but a 64-bit little-endian ELF file as it is."""
    content = bytearray(library.read_bytes())
    if not content.startswith(ELF_64_LITTLE):
        return
    end = _end_of_segments(content)
    if end >= len(content):
        return
    struct.pack_into(SECTION_HEADERS[1], content, SECTION_HEADERS[0], 0)
    struct.pack_into(SECTION_COUNTS[1], content, SECTION_COUNTS[0], 0, 0)
    written = library.with_name(f"{library.name}.stripped")  # a new file: the old one may be linked from elsewhere
    written.write_bytes(content[:end])
    written.chmod(library.stat().st_mode)
    written.replace(library)


def _end_of_segments(content: bytearray) -> int:
    (start,) = struct.unpack_from(PROGRAM_HEADERS[1], content, PROGRAM_HEADERS[0])
    length, count = struct.unpack_from(PROGRAM_HEADER[1], content, PROGRAM_HEADER[0])
    ends = [start + length * count]
    for at in range(start, start + length * count, length):
        (offset,), (size,) = (struct.unpack_from("<Q", content, at + field) for field in (FILE_OFFSET, FILE_SIZE))
        ends.append(offset + size)
    return int(max(ends))
