"""What a slice's functions run: its own code, what it shares, and the packages of its requirements. Without the CDK, to load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infra.apart import Apart
from infra.bundling import LAMBDA, Bundle, code_folder
from infra.made import Made
from infra.settings import Settings
from shared_metadata import naming
from shared_metadata.contract.declaration import Slice, declared


def slice_bundle(declaration: Slice, settings: Settings, *, data: bool) -> Bundle:
    """The slice's own folder, what all slices share, the systems that it declares, and the packages its requirements name.

    Slices that have their code from one package have one bundle, but for what they have installed apart.
    """
    folder = f"slices/{declaration.stage}/{declaration.system}"
    shared = ("shared_metadata", *(f"systems/{name}" for name in declaration.systems))
    requirements = None if settings.host_dependencies else requirements_of(declaration.package.replace(".", "/"))
    own = declaration.code.replace(".", "-") or naming.state_machine(declaration.id)
    code = shared if declaration.code else (*shared, folder)
    name = f"{own}-{'data' if data else 'control'}"
    return Bundle(name, code, requirements, data, services=declaration.services, apart=apart_of(declaration, settings))


def made_beside(declaration: Slice) -> Made | None:
    """What its functions have beside their bundle; None for nothing."""
    if not declaration.bundled:
        return None
    made: Mapping[str, str] = declared(declaration.bundled)(declaration.system)
    return Made(f"{naming.state_machine(declaration.id)}-made", tuple(sorted(made.items())))


def apart_of(declaration: Slice, settings: Settings) -> Apart | None:
    """What is installed apart in the slice's bundles; None for nothing."""
    found = declared(declaration.apart)(declaration.system) if declaration.apart else None
    if found is None:
        return None
    file, built = found
    return Apart(Path(file).resolve(), tuple(built), None if settings.host_dependencies else (LAMBDA.name, LAMBDA.python))


def requirements_of(folder: str) -> Path:
    return code_folder(folder) / "requirements.txt"
