"""A warehouse in Databricks: its statements, through the SQL Statement Execution API."""

from __future__ import annotations

from datetime import timedelta

from shared_metadata.contract.runtime.services import Services
from shared_metadata.program import Flow, Warehouse
from slices.organize.databricks.api import DatabricksApi
from slices.organize.databricks.config import Config, Key
from slices.organize.databricks.logic import DatabricksSql
from slices.organize.databricks.service import DatabricksService
from slices.organize.databricks.slice import SLICE
from systems.sql_warehouse.driver import SqlWarehouseDriver


def config_of(warehouse: Warehouse) -> Config:
    """Raises DefinitionError for wrong options."""
    return Config.read(warehouse.options, place=f"warehouse {warehouse.name} ({warehouse.position})")


def service_of(warehouse: Warehouse, services: Services, place: str) -> DatabricksService:
    """Raises DefinitionError for wrong options, and SecretError."""
    config = config_of(warehouse)
    key = Key.read(services.secret(config.secret, place=place), config.secret, place)
    return DatabricksService(DatabricksApi(config.host, key, config.secret, place), config.warehouse_id, config.catalog, place)


class DatabricksDriver(SqlWarehouseDriver):
    """See shared_metadata.contract.organize.Driver."""

    widens = SLICE.capabilities.widens

    def __init__(self, warehouse: Warehouse, services: Services) -> None:
        super().__init__(warehouse, services)
        self._config = config_of(warehouse)
        self.sql = DatabricksSql()

    def service(self, place: str) -> DatabricksService:
        return service_of(self._warehouse, self._services, place)

    @property
    def limit_seconds(self) -> float:
        return 60.0 * self._config.statement_minutes

    def keep(self, flow: Flow) -> timedelta:
        return self._config.keep_of(flow.interval_seconds)
