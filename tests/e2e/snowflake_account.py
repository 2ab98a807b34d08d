"""An account of Snowflake's beside an embedded AWS: its double over HTTPS, which reaches S3 by the role of its integration alone."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from doubles.snowflake.errors import StatementFailed
from doubles.snowflake.session import Database
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from slices.organize.snowflake.slice import SLICE
from systems.sql_warehouse.storage_role import role_name
from tests.e2e.storage_role import StorageRole
from tests.memory.snowflake import DATABASE, OPTIONS, STAGE, WAREHOUSE, Served, snowflake

USER = "snowflake"  # of the account here, in the place of one of Snowflake's own


def options(aws: EmbeddedAws) -> dict[str, str]:
    """A warehouse's, as DESC INTEGRATION would tell them."""
    return {**OPTIONS, "storage_user_arn": f"arn:aws:iam::{aws.account}:user/{USER}"}


def written(aws: EmbeddedAws) -> str:
    """The same as WITH has them."""
    return ", ".join(f"{name} = '{value}'" for name, value in options(aws).items())


class Integration(StorageRole):
    """The storage integration of a warehouse's stage."""

    def __init__(self, aws: EmbeddedAws, warehouse: str, external_id: str = OPTIONS["storage_external_id"]) -> None:
        super().__init__(aws, role_name(SLICE.id, warehouse, aws.region), USER, external_id)

    def stage(self) -> tuple[Any, str, str]:
        """As the double asks for a stage. Raises StatementFailed."""
        try:
            return self.s3(), naming.data_bucket(self.aws.account, self.aws.region), ""
        except ClientError as error:
            said = f"Failed to assume the role of the storage integration: {error.response['Error']['Code']}"
            raise StatementFailed("003167", "22000", said) from None


def opened(aws: EmbeddedAws, warehouse: str) -> tuple[Served, Integration]:
    """An empty account with the stage of the program's warehouse."""
    served, integration = snowflake(), Integration(aws, warehouse)
    served.api.account.databases[DATABASE] = Database()
    served.api.account.stages[STAGE] = integration.stage
    served.api.account.warehouses[WAREHOUSE] = "STARTED"
    served.api.forget()
    return served, integration
