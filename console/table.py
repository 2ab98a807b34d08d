"""Aligns rows in columns for terminals, thousands of them at once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence

GAP = "  "
NARROWEST = 20  # the width to which a first column is folded


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right_from: int, width: int | None = None) -> Iterator[list[str]]:
    """The heads and then the rows, their cells padded; those from `right_from` on stand to the right.

    width: of the terminal, None for no end. A wider row is folded: the first cell goes on in a row of its own.
    """
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    if width is not None:
        widths[0] = min(widths[0], max(width - sum(widths[1:]) - len(GAP) * (len(widths) - 1), NARROWEST))
    for row in (heads, *rows):
        first, *more = (row[0][at : at + widths[0]] for at in range(0, max(len(row[0]), 1), widths[0]))
        cells = [first, *row[1:]]
        spaces = [" " * (size - cell_len(cell)) for size, cell in zip(widths, cells, strict=True)]
        yield [
            space + cell if number >= right_from else cell + space
            for number, (cell, space) in enumerate(zip(cells, spaces, strict=True))
        ]
        yield from ([part] for part in more)


def terminal_width() -> int | None:
    """The terminal's width; None for a file, whose readers want a line for each row."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
