"""Writes down the packages of a manifest with code of its own: airbyte-cdk and what it needs, by version and hashes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.apart import BundleError, uv
from infra.bundling import LAMBDA
from shared_metadata.errors import InputError
from slices.manifests import FIRST, KIT, METADATA, REQUIREMENTS

TRIED = f"{KIT}==7.39.1"
# What airbyte-cdk asks for and reading a manifest does not import, some 140 MB; whoever's code does, names it.
NOT_NEEDED = ("pandas", "numpy", "nltk", "rapidfuzz", "google-cloud-secret-manager", "langchain-core", "rich-click")


def wanted_of(folder: Path) -> list[str]:
    """What a manifest needs: airbyte-cdk, in the version of its image where that is run here, and what its package names."""
    data = _metadata(folder / METADATA)
    image = str((data.get("connectorBuildOptions") or {}).get("baseImage") or "")
    version = image.partition("source-declarative-manifest:")[2].partition("@")[0]
    major = version.partition(".")[0]
    kit = f"{KIT}=={version}" if major.isdigit() and int(major) >= FIRST else TRIED
    return [kit, *(name for name in map(str, data.get("requires") or ()) if not name.replace("_", "-").startswith(KIT))]


def write(folder: Path, wanted: Sequence[str]) -> None:
    """Writes the folder's requirements for the functions' platform. Raises InputError where they cannot be had."""
    try:
        text = pinned(wanted, (LAMBDA.name, LAMBDA.python))
    except BundleError as error:
        remedy = f"name versions that can be had, as in: atoll source packages {folder} --package {TRIED}"
        what = f"{', '.join(wanted)} cannot be had for Python {LAMBDA.python} on {LAMBDA.name}: {error}"
        raise InputError(what, remedy=remedy) from None
    head = f"# written by `atoll source packages` for {', '.join(wanted)}\n"
    (folder / REQUIREMENTS).write_text(head + text, encoding="utf-8")


def pinned(wanted: Sequence[str], platform: tuple[str, str] | None) -> str:
    """A requirements file of these and all that they need.  platform: as `infra.apart.Apart` has it. Raises BundleError."""
    named = {found[0].lower() for name in wanted if (found := re.match(r"[\w.-]+", name))}
    with tempfile.TemporaryDirectory() as lists:
        asked, excludes = Path(lists, "asked.txt"), Path(lists, "excludes.txt")
        asked.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        excludes.write_text("\n".join(name for name in NOT_NEEDED if name not in named) + "\n", encoding="utf-8")
        where = ("--python-platform", platform[0], "--python-version", platform[1]) if platform else ("--python", sys.executable)
        command = [
            *(
                uv(),
                "pip",
                "compile",
                "--quiet",
                "--color",
                "never",
                "--no-config",
                "--no-header",
                "--no-annotate",
                "--generate-hashes",
            ),
            *(*where, "--only-binary", ":all:", "--excludes", str(excludes), str(asked)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(" ".join(done.stderr.split())[:600])
    return done.stdout


def _metadata(file: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
