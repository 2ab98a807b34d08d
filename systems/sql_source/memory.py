"""What a call of extract may hold of rows at once, by the memory that its function was given; pure."""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 8  # DuckDB's part of a large function: what streams needs little, and a row that a driver holds is in no account
LEAST_MB, PROCESS_MB = 256, 200  # what streams in any case, and what the process with its libraries takes beside it
ROWS_AT_ONCE = 2048  # that DuckDB holds
LARGEST_ROW_GROUP_BYTES, LARGEST_ROW_GROUP, SMALLEST_ROW_GROUP = 2**25, 122_880, 2_048


@dataclass(frozen=True)
class Memory:
    """mb: what DuckDB may take."""

    mb: int

    @staticmethod
    def of_function(function_mb: int) -> Memory:
        return Memory(max(function_mb // SHARE, min(LEAST_MB, function_mb - PROCESS_MB)))

    @property
    def large_row_bytes(self) -> int:
        """The size from which rows are large: so many as DuckDB holds at once would take too much."""
        return self.mb * 2**20 // 4 // ROWS_AT_ONCE

    @property
    def held_bytes(self) -> int:
        """What a chunk of large rows has at most."""
        return self.mb * 2**20 // 16

    @property
    def row_group_bytes(self) -> int:
        """The size of a row group in a Parquet file that is being written."""
        return min(LARGEST_ROW_GROUP_BYTES, self.mb * 2**20 // 8)

    def row_group_rows(self, row_bytes: int) -> int:
        """So that row groups that are being written stay small in memory also for wide rows."""
        fit = self.row_group_bytes // row_bytes // SMALLEST_ROW_GROUP * SMALLEST_ROW_GROUP
        return max(SMALLEST_ROW_GROUP, min(LARGEST_ROW_GROUP, fit))
