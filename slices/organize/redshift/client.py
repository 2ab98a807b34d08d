"""A warehouse in Redshift: its statements, through the Data API."""

from __future__ import annotations

import os

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Warehouse
from slices.organize.redshift import named
from slices.organize.redshift.config import Config
from slices.organize.redshift.logic import RedshiftSql
from slices.organize.redshift.service import RedshiftService
from slices.organize.redshift.slice import SLICE
from systems.sql_warehouse.driver import SqlWarehouseDriver


def service_of(warehouse: Warehouse, services: Services, place: str) -> RedshiftService:
    """Raises DefinitionError for wrong options."""
    config = Config.of(warehouse)
    workgroup = named.workgroup(warehouse.name, config)
    where = {"WorkgroupName": workgroup} if workgroup else {"ClusterIdentifier": config.cluster_identifier}
    where |= {"Database": config.database}
    where |= {"DbUser": config.db_user} if config.db_user else {}
    secret = named.secret(warehouse.name, config)
    where |= {"SecretArn": secret} if secret else {}
    rpus = config.base_rpus if config.managed else 0
    return RedshiftService(services.client("redshift-data"), where, place, rpus, config.query_group)


class RedshiftDriver(SqlWarehouseDriver):
    """See shared_metadata.contract.organize.Driver."""

    widens = SLICE.capabilities.widens

    def __init__(self, warehouse: Warehouse, services: Services) -> None:
        super().__init__(warehouse, services, Config.of(warehouse))
        self.sql = RedshiftSql(os.environ[named.ROLE_VARIABLE])

    def service(self, place: str) -> RedshiftService:
        return service_of(self._warehouse, self._services, place)
