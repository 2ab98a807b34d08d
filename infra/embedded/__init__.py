"""The embedded AWS: an emulator and a PostgreSQL in the background, with their state under `.atoll/`."""

from infra.embedded.cdk import bootstrap, cdk
from infra.embedded.lifecycle import LocalStack, LocalStatus, down, reset, status, up
from infra.embedded.state import EmbeddedError

__all__ = ["EmbeddedError", "LocalStack", "LocalStatus", "bootstrap", "cdk", "down", "reset", "status", "up"]
