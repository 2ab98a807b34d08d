"""A workspace of Databricks' beside an embedded AWS: its double over HTTPS, which reaches S3 by the role of its credential alone."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from doubles.databricks.errors import StatementFailed
from infra.embedded import EmbeddedAws
from shared_metadata import naming
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.storage_role import role_name
from tests.e2e.storage_role import StorageRole
from tests.memory.databricks import OPTIONS, Served, databricks

PRINCIPAL = "unity-catalog"  # of the account here, in the place of Unity Catalog's own


def written(aws: EmbeddedAws) -> str:
    """A warehouse's options as WITH has them, with what the trust policy of a storage credential would tell."""
    options = {**OPTIONS, "storage_principal_arn": f"arn:aws:iam::{aws.account}:user/{PRINCIPAL}"}
    return ", ".join(f"{name} = '{value}'" for name, value in options.items())


class Credential(StorageRole):
    """The storage credential of a warehouse's external location."""

    def __init__(self, aws: EmbeddedAws, warehouse: str, external_id: str = OPTIONS["storage_external_id"]) -> None:
        super().__init__(aws, role_name(SLICE.id, warehouse, aws.region), PRINCIPAL, external_id)

    @property
    def location(self) -> str:
        """What the slice's README has an external location cover."""
        return f"s3://{naming.data_bucket(self.aws.account, self.aws.region)}/staging/"

    def opens(self) -> Any:
        """As the double opens an external location. Raises StatementFailed."""
        try:
            return self.s3()
        except ClientError as error:
            said = f"Unauthorized access: the storage credential's role {self.arn} ({error.response['Error']['Code']})"
            raise StatementFailed("UNAUTHORIZED_ACCESS", said, "42501", "PERMISSION_DENIED") from None


def opened(aws: EmbeddedAws, warehouse: str) -> tuple[Served, Credential]:
    """An empty workspace with the external location of the program's warehouse."""
    served, credential = databricks(), Credential(aws, warehouse)
    served.empty(None, "")
    served.api.workspace.locations = {credential.location: credential.opens}
    return served, credential
