"""Unpacks what is packed by gzip, in one member or in several, up to a size; no I/O."""

from __future__ import annotations

import zlib


class Unpackable(ValueError):
    """What cannot be unpacked: why, in words that follow what it is."""


class TooLarge(Unpackable):
    """What is larger than may be held, once it is unpacked."""


def unpack(data: bytes, most: int) -> bytes:
    """What is packed; empty data are nothing.  most: bytes of it. Raises Unpackable, and TooLarge."""
    found, left = bytearray(), data
    while left:
        unpacking = zlib.decompressobj(wbits=31)
        try:
            found += unpacking.decompress(left, most + 1 - len(found))
        except zlib.error:
            raise Unpackable("is no gzip") from None
        if len(found) > most:
            raise TooLarge(f"has more than {most >> 20} MB when it is unpacked")
        if not unpacking.eof:
            raise Unpackable("ends before its gzip does")
        left = unpacking.unused_data
    return bytes(found)
