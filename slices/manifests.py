"""What a folder with a manifest or a tap is as a slice, for the commands that bring one into a project."""

from systems.rest.beside import BESIDE
from systems.rest.coverage import MANIFEST, METADATA, Coverage, TableRead, coverage
from systems.rest.document import OVERLAY
from systems.singer.coverage import TapCoverage, tap_coverage
from systems.singer.tap_file import TAP

__all__ = ["BESIDE", "MANIFEST", "METADATA", "OVERLAY", "TAP", "Coverage", "TableRead", "TapCoverage", "coverage", "tap_coverage"]
