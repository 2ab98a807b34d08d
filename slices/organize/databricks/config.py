"""The options of `CREATE WAREHOUSE … USING databricks WITH (…)`, and what its secret holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared_metadata.contract.accepted import refusals
from shared_metadata.contract.maintenance import keep as keeping
from shared_metadata.errors import SecretError
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.options import check_options

_HOST = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)+$"
_ID = r"^[0-9a-f]{16}$"
_CATALOG = r"^[a-z_][a-z0-9_-]{0,254}$"
_PRINCIPAL = r"^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[A-Za-z0-9_+=,.@/-]+$"
_EXTERNAL = r"^[A-Za-z0-9_+=,.@:/-]+$"
FIELDS = "the secret is a JSON object with client_id and client_secret, and if need be host and ca_certificate"


class Config(BaseModel):
    """What Atoll works with in a workspace that is there.

    host: of the workspace.  warehouse_id: of a SQL warehouse, serverless or pro.  catalog: of Unity Catalog.
    storage_principal_arn, storage_external_id: of the storage credential over the data bucket; the stack's role trusts them.
    secret: the reference of a secret with `client_id` and `client_secret` of a service principal.
    statement_minutes: for how long a batch's step waits for its statements, before they are cancelled.
    at_once: how many tables of it are at work at once, by a statement each.
    keep: for how long a load can be made again from what was staged, e.g. '7 days'; '' for a hundred batches, and six hours at least.
    mask_key: a reference of the secret whose key hashes what is collected into the warehouse; only collect slices read it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(pattern=_HOST, description="a workspace's name, as 'dbc-a1b2345c-d6e7.cloud.databricks.com'")
    warehouse_id: str = Field(pattern=_ID, description="the id of a SQL warehouse, as 'a1b234c567d8e9fa'")
    catalog: str = Field(pattern=_CATALOG, description="the name of a catalog, as 'analytics'")
    storage_principal_arn: str = Field(
        pattern=_PRINCIPAL,
        description="Unity Catalog's role in the trust policy that a storage credential shows, as "
        "'arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL'",
    )
    storage_external_id: str = Field(pattern=_EXTERNAL, description="the external ID of that policy, as '0f1e2d3c-4b5a-6978'")
    secret: str = Field(min_length=1)
    statement_minutes: int = Field(default=360, ge=1, le=1440)
    at_once: int = Field(default=SLICE.capabilities.at_once, ge=1, le=100)
    keep: str = Field(default="", pattern=keeping.PATTERN, description=keeping.LENGTH)
    mask_key: str = Field(default="", min_length=1)

    def keep_of(self, interval_seconds: int) -> timedelta:
        """How long what batches of this length have staged is kept."""
        return keeping.keep_of(self.keep, interval_seconds)

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> Config:
        """Raises DefinitionError that names the option and what is accepted."""
        check_options(cls, "databricks", options, place)
        return cls(**options)


class Key(BaseModel):
    """The secret's fields, which are never shown.  host: where the workspace answers, of a private link or a proxy."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1)
    host: str = ""
    ca_certificate: str = ""

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        return []

    @classmethod
    def read(cls, values: Mapping[str, Any], reference: str, place: str) -> Key:
        """Raises SecretError that names the fields that are missing or wrong; never a value."""
        if missing := [name for name, field in cls.model_fields.items() if field.is_required() and name not in values]:
            raise SecretError(f"the secret {reference!r} lacks the fields {', '.join(missing)}", place=place, remedy=FIELDS)
        for wrong in refusals(cls, values):
            cause = f"the field {wrong.name} of the secret {reference!r} is not accepted: it takes {wrong.takes}"
            raise SecretError(cause, place=place, remedy=FIELDS)
        return cls(**values)
