"""The options of `CREATE WAREHOUSE … USING snowflake WITH (…)`, and what its secret holds."""

from __future__ import annotations

from pydantic import Field

from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.https import ServiceKey
from systems.sql_warehouse.options import WarehouseOptions
from systems.sql_warehouse.storage_role import EXTERNAL_ID, PRINCIPAL

_NAME = r"^[A-Za-z_][A-Za-z0-9_$]{0,254}$"
_ACCOUNT = r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[a-z0-9-]+){0,2}$"
_STAGE = r"^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*){2}$"
FIELDS = "the secret is a JSON object with user and private_key (PEM), and if need be host and ca_certificate"


class Config(WarehouseOptions):
    """What Atoll works with in an account that is there.

    account: its identifier, organization and name.
    database, role, warehouse: by name; written plainly, they are folded as Snowflake folds them.
    stage: of the data bucket, over a storage integration, as 'db.schema.stage'.
    storage_user_arn, storage_external_id: of that integration, as DESC INTEGRATION tells them; the stack's role trusts them.
    secret: the reference of a secret with `user` and `private_key`.
    at_once: how many tables of it are at work at once, by a statement each.
    credit_price: what a credit costs in dollars, by the contract; 0 for not known.
    """

    system = "snowflake"

    account: str = Field(pattern=_ACCOUNT, description="the account's identifier, as 'myorg-myaccount'")
    database: str = Field(pattern=_NAME, description="a name, as 'analytics'")
    role: str = Field(pattern=_NAME, description="a name, as 'atoll'")
    warehouse: str = Field(pattern=_NAME, description="a name, as 'atoll'")
    stage: str = Field(pattern=_STAGE, description="the name of a stage, as 'analytics.public.atoll'")
    storage_user_arn: str = Field(
        pattern=PRINCIPAL, description="STORAGE_AWS_IAM_USER_ARN of DESC INTEGRATION, as 'arn:aws:iam::123456789012:user/a'"
    )
    storage_external_id: str = Field(pattern=EXTERNAL_ID, description="STORAGE_AWS_EXTERNAL_ID of DESC INTEGRATION")
    secret: str = Field(min_length=1)
    at_once: int = Field(default=SLICE.capabilities.at_once, ge=1, le=100)
    credit_price: float = Field(default=0, ge=0)


class Key(ServiceKey):
    """The secret's fields, which are never shown.  host: where the account answers, of a private link or a proxy."""

    remedy = FIELDS

    user: str = Field(pattern=_NAME)
    private_key: str = Field(min_length=1)
