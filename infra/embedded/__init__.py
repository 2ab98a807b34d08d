"""The embedded AWS: an emulator and a PostgreSQL in the background, with their state under `.atoll/`."""

from shared_metadata.errors import InputError

try:
    from infra.embedded.cdk import bootstrap, cdk
    from infra.embedded.lifecycle import EmbeddedAws, EmbeddedStatus, down, reset, status, up
    from infra.embedded.state import EmbeddedError
except ModuleNotFoundError as missing:
    raise InputError(f"the embedded AWS needs the package {missing.name}", remedy="pip install 'atoll[local]'") from missing

__all__ = ["EmbeddedAws", "EmbeddedError", "EmbeddedStatus", "bootstrap", "cdk", "down", "reset", "status", "up"]
