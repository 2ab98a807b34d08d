"""What is in a bundle: its packages by name, version and licence, as CycloneDX, read from where they were installed.

The same packages give the same text, as a bundle is named by its content: the document has no moment of its own, and a serial number
that is made of what it lists.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

NAME = "sbom.cdx.json"
NO_MOMENT = datetime(1980, 1, 1, tzinfo=UTC)


def of(folder: Path) -> str:
    """CycloneDX 1.6 as JSON, of the distributions that are installed in `folder`."""
    components = [_component(found) for found in distributions(path=[str(folder)])]
    listed = "\n".join(sorted(str(component.purl) for component in components))
    document = Bom(components=components, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, listed))
    document.metadata = BomMetaData(
        timestamp=NO_MOMENT, component=Component(name="atoll", type=ComponentType.APPLICATION, bom_ref="atoll")
    )
    document.register_dependency(document.metadata.component, components)  # type: ignore[arg-type]
    return make_outputter(document, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def _component(found: Distribution) -> Component:
    purl = PackageURL("pypi", name=found.name.lower().replace("_", "-"), version=found.version)
    licences = [LicenseExpression(text) for text in found.metadata.get_all("License-Expression") or ()]
    kind = ComponentType.LIBRARY
    return Component(name=found.name, version=found.version, type=kind, purl=purl, bom_ref=str(purl), licenses=licences)
