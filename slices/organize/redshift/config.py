"""The options of `CREATE WAREHOUSE … USING redshift WITH (…)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from shared_metadata.errors import DefinitionError, SecretError
from shared_metadata.program import Warehouse
from slices.organize.redshift.slice import SLICE
from systems.sql_warehouse.options import WarehouseOptions

_NAME = r"^[a-z0-9-]{1,63}$"
_GROUP = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class Config(WarehouseOptions):
    """Either `managed`, or a workgroup with its id, or a cluster; these with a user.

    managed: the slice's stack makes a namespace and a workgroup of Redshift Serverless.
    base_rpus: of a managed workgroup: how many RPUs it has at work, in eights.
    workgroup, workgroup_id: of Redshift Serverless, and the last part of its ARN, which grants name.
    cluster_identifier: of a provisioned cluster.
    database: the database's name.
    db_user: of a cluster: the user to sign in as, by temporary credentials.
    secret: the reference of a secret with `username` and `password`; what is not managed needs this or db_user.
    query_group: a word by which the cluster's or workgroup's queues know Atoll's statements; '' for none.
    at_once: how many tables of it are at work at once, by a statement each.
    """

    system = "redshift"

    managed: bool = False
    base_rpus: int = Field(default=8, ge=4, le=1024)
    workgroup: str = Field(default="", pattern=_NAME, description="the name of a workgroup, as 'analytics'")
    workgroup_id: str = Field(default="", pattern=_UUID, description="the last part of the workgroup's ARN, a UUID")
    cluster_identifier: str = Field(default="", pattern=_NAME, description="the identifier of a cluster, as 'analytics'")
    database: str = Field(default="dev", min_length=1, max_length=64)
    db_user: str = Field(default="", min_length=1, max_length=128)
    secret: str = Field(default="", min_length=1)
    query_group: str = Field(default="", pattern=_GROUP, description="a word of letters, digits and _, as 'atoll'")
    at_once: int = Field(default=SLICE.capabilities.at_once, ge=1, le=100)

    @classmethod
    def read(cls, options: Mapping[str, Any], *, place: str) -> Self:
        """Raises DefinitionError that names the option and what is accepted."""
        config = super().read(options, place=place)
        ways = [config.managed, bool(config.workgroup), bool(config.cluster_identifier)]
        if sum(ways) != 1:
            remedy = "write managed = TRUE, or workgroup and workgroup_id, or cluster_identifier"
            raise DefinitionError("a redshift warehouse is managed, or one workgroup, or one cluster", place=place, remedy=remedy)
        if bool(config.workgroup) != bool(config.workgroup_id):
            remedy = "`aws redshift-serverless get-workgroup` tells its ARN, whose last part is the id"
            raise DefinitionError("workgroup and workgroup_id go together: a grant names the id", place=place, remedy=remedy)
        if config.db_user and not config.cluster_identifier:
            raise DefinitionError("db_user is of a cluster", place=place, remedy="write secret = '…' for a workgroup")
        if not config.managed and bool(config.secret) == bool(config.db_user):
            remedy = "write secret = '…', or of a cluster db_user = '…'; all of the slice's functions sign in as that one user"
            raise DefinitionError("a warehouse that is not managed is signed in to by one user", place=place, remedy=remedy)
        return config


def check_user(warehouse: Warehouse, values: Mapping[str, Any]) -> None:
    """Raises SecretError for a secret that holds no user: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html"""
    reference = warehouse.options["secret"]
    for field in ("username", "password"):
        if not isinstance(values.get(field), str) or not values[field]:
            cause = f"the secret {reference!r} has no text as its field {field}"
            place = f"warehouse {warehouse.name} ({warehouse.position})"
            raise SecretError(cause, place=place, remedy="the secret is a JSON object with username and password")
