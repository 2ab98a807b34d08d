"""What a folder with a manifest is as a slice, for the commands that bring one into a project."""

from systems.rest.coverage import MANIFEST, METADATA, Coverage, TableRead, coverage
from systems.rest.document import OVERLAY

__all__ = ["MANIFEST", "METADATA", "OVERLAY", "Coverage", "TableRead", "coverage"]
