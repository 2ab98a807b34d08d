"""What a folder with a manifest or a tap is as a slice, for the commands that bring one into a project."""

from shared_metadata.contract.apart.requirements import REQUIREMENTS
from systems.rest.airbyte.folder import AIRBYTE, FIRST, KIT, code_of
from systems.rest.beside import BESIDE
from systems.rest.coverage import MANIFEST, METADATA, Coverage, TableRead, coverage
from systems.rest.document import OVERLAY, engine_of
from systems.singer.coverage import TapCoverage, tap_coverage
from systems.singer.tap_file import TAP

__all__ = [
    "AIRBYTE",
    "BESIDE",
    "FIRST",
    "KIT",
    "MANIFEST",
    "METADATA",
    "OVERLAY",
    "REQUIREMENTS",
    "TAP",
    "Coverage",
    "TableRead",
    "TapCoverage",
    "code_of",
    "coverage",
    "engine_of",
    "tap_coverage",
]
