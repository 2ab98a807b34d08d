"""A warehouse in Databricks: its statements, through the SQL Statement Execution API."""

from __future__ import annotations

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Warehouse
from slices.organize.databricks.api import DatabricksApi
from slices.organize.databricks.config import Config, Key
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.databricks.service import DatabricksService
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.driver import SqlWarehouseDriver


def service_of(warehouse: Warehouse, services: Services, place: str) -> DatabricksService:
    """Raises DefinitionError for wrong options, and SecretError."""
    config = Config.of(warehouse)
    key = Key.read(services.secret(config.secret, place=place), config.secret, place)
    api = DatabricksApi(config.host, key, config.secret, place)
    return DatabricksService(api, config.warehouse_id, config.catalog, place, (config.dbus_an_hour, config.dbu_price))


class DatabricksDriver(SqlWarehouseDriver):
    """See shared_metadata.contract.organize.Driver."""

    widens = SLICE.capabilities.widens

    def __init__(self, warehouse: Warehouse, services: Services) -> None:
        super().__init__(warehouse, services, Config.of(warehouse))
        self.sql = DatabricksSql()

    def service(self, place: str) -> DatabricksService:
        return service_of(self._warehouse, self._services, place)
