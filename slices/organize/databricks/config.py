"""The options of `CREATE WAREHOUSE … USING databricks WITH (…)`, and what its secret holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from shared_metadata.program import Warehouse
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.https import ServiceKey
from systems.sql_warehouse.options import WarehouseOptions
from systems.sql_warehouse.storage_role import EXTERNAL_ID, PRINCIPAL

_HOST = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9-]+)+$"
_ID = r"^[0-9a-f]{16}$"
_CATALOG = r"^[a-z_][a-z0-9_-]{0,254}$"
FIELDS = "the secret is a JSON object with client_id and client_secret, and if need be host and ca_certificate"


class Config(WarehouseOptions):
    """What Atoll works with in a workspace that is there.

    host: of the workspace.  warehouse_id: of a SQL warehouse, serverless or pro.  catalog: of Unity Catalog.
    storage_principal_arn, storage_external_id: of the storage credential over the data bucket; the stack's role trusts them.
    secret: the reference of a secret with `client_id` and `client_secret` of a service principal.
    at_once: how many tables of it are at work at once, by a statement each.
    dbus_an_hour, dbu_price: what a cluster of it takes, and dollars of a DBU, by the contract; 0 where neither is known.
    """

    system = "databricks"

    host: str = Field(pattern=_HOST, description="a workspace's name, as 'dbc-a1b2345c-d6e7.cloud.databricks.com'")
    warehouse_id: str = Field(pattern=_ID, description="the id of a SQL warehouse, as 'a1b234c567d8e9fa'")
    catalog: str = Field(pattern=_CATALOG, description="the name of a catalog, as 'analytics'")
    storage_principal_arn: str = Field(
        pattern=PRINCIPAL,
        description="Unity Catalog's role in the trust policy that a storage credential shows, as "
        "'arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL'",
    )
    storage_external_id: str = Field(pattern=EXTERNAL_ID, description="the external ID of that policy, as '0f1e2d3c-4b5a-6978'")
    secret: str = Field(min_length=1)
    at_once: int = Field(default=SLICE.capabilities.at_once, ge=1, le=100)
    dbus_an_hour: float = Field(default=0, ge=0)
    dbu_price: float = Field(default=0, ge=0)


class Key(ServiceKey):
    """The secret's fields, which are never shown.  host: where the workspace answers, of a private link or a proxy."""

    remedy = FIELDS

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1)


def check_key(warehouse: Warehouse, values: Mapping[str, Any]) -> None:
    """Raises SecretError for a secret that lacks what signs in; it names fields and no value."""
    Key.read(values, str(warehouse.options["secret"]), f"warehouse {warehouse.name} ({warehouse.position})")
