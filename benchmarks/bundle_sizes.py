"""Unzipped megabytes of each real bundle (arm64, Python 3.13), as Lambda counts them; its limit is 250.

python -m benchmarks.bundle_sizes [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from conductor.stack import REQUIREMENTS
from infra.bundling import Bundle
from infra.settings import Settings
from infra.slice_bundle import slice_bundle
from shared_metadata import naming
from slices.registry import installed


def sizes() -> dict[str, float]:
    """Bundle ▸ megabytes (10^6 bytes) of its files."""
    bundles = [Bundle(naming.CONDUCTOR_FUNCTION, ("shared_metadata", "conductor"), REQUIREMENTS, data=False)]
    bundles += [slice_bundle(d, Settings(), data=data) for d in installed().values() for data in (False, True)]
    found = {}
    for bundle in bundles:
        with tempfile.TemporaryDirectory() as folder:
            content = Path(folder) / "content"
            bundle.unpack(content)
            found[bundle.name] = round(sum(f.stat().st_size for f in content.rglob("*") if f.is_file()) / 1e6, 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bundle_sizes", description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = sizes()
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{name:<36}{size:>8.1f} MB" for name, size in found.items()))


if __name__ == "__main__":
    main()
